"""A timing can be built from a proved verdict and from nothing else."""

from typing import Any

import pytest

from bench.proof.verdict import NotProvedError, ProvedVerdict, Status
from bench.runs.records import timing_record
from bench.timing.record import Timing
from tests.proof.verdicts import PROVED, a_verdict

COLUMNS = [
    "variant",
    "backend",
    "family",
    "problem",
    "device",
    "dtype",
    "n_samples",
    "n_features",
    "n_outputs",
    "n_regressions",
    "ns_per_iter",
    "ci_low",
    "ci_high",
    "setup_ns",
    "first_call_ns",
    "launches",
    "stopped_by",
    "samples",
    "discarded",
    "limit_ns",
    "share_of_limit",
    "bytes_per_iter",
    "operations_per_iter",
    "work_class",
    "limited_by",
    "limit_note",
    "queue_share",
    "dispersion",
    "setup_share",
    "n_small",
    "n_large",
    "threads",
    "cold_ns_per_iter",
    "hot_ns_per_iter",
    "host_ns_per_iter",
    "sm_clock_mhz",
    "cycles_per_iter",
    "peak_device_bytes",
    "note",
    "doubt",
    "failed",
]


def timing(proof: Any) -> Timing:
    return Timing(
        verdict=proof,
        ns_per_iter=6.0,
        ci_low=5.0,
        ci_high=7.0,
        setup_ns=1.0,
        first_call_ns=2.0,
        launches=5,
        samples=100,
        discarded=0,
        queue_share=0.0,
        dispersion=0.0,
        setup_share=0.1,
        n_small=1,
        n_large=8,
        threads=1,
    )


def test_a_proved_verdict_carries_a_timing() -> None:
    row = timing_record(timing(PROVED))
    assert list(row) == COLUMNS
    assert (row["variant"], row["ns_per_iter"], row["share_of_limit"], row["note"]) == ("numpy-analytic", 6.0, None, "")


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PROVED])
def test_no_other_status_does(status: Status) -> None:
    with pytest.raises(NotProvedError, match="no number without a proof"):
        timing(ProvedVerdict(a_verdict(status)))


@pytest.mark.parametrize("forged", [None, a_verdict(), a_verdict(Status.WRONG), {"proved": True}])
def test_nothing_passes_for_a_proved_verdict(forged: object) -> None:
    with pytest.raises(NotProvedError, match="no number without a proof"):
        timing(forged)


def test_a_subclass_that_skips_the_check_is_refused() -> None:
    class Forged(ProvedVerdict):
        def __post_init__(self) -> None:
            pass

    with pytest.raises(NotProvedError, match="Forged"):
        timing(Forged(a_verdict(Status.WRONG)))
