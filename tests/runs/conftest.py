"""Rows that the tests of this room put into runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.proof.verdict import Finding, Status, Verdict
from bench.runs.folder import RunFolder
from bench.runs.records import verdict_record

Row = dict[str, Any]
STARTED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def make_verdict(variant: str = "numpy-analytic", status: str = "proved", **finding: Any) -> Verdict:
    return Verdict(
        variant=variant,
        backend="numpy",
        family="analytic",
        problem="notebook",
        device="cpu",
        dtype="float64",
        finding=Finding(status=Status(status), **{"evidence": "10 iterates exact"} | finding),
        expected="proved",
        as_expected=True,
        seconds=0.25,
        isolation="fork",
        peak_memory_bytes=1 << 26,
    )


@pytest.fixture
def verdict() -> Callable[..., Verdict]:
    return make_verdict


@pytest.fixture
def verdict_row() -> Callable[..., Row]:
    return lambda variant="numpy-analytic", **finding: verdict_record(make_verdict(variant, **finding))


@pytest.fixture
def timing_row() -> Callable[..., Row]:
    def make(variant: str = "numpy-analytic", **changes: Any) -> Row:
        row = {
            "variant": variant,
            "backend": "numpy",
            "family": "analytic",
            "problem": "notebook",
            "device": "cpu",
            "dtype": "float64",
            "n_samples": 4,
            "n_features": 1,
            "n_outputs": 1,
            "n_regressions": 1,
            "ns_per_iter": 2000.5,
            "ci_low": 1990.0,
            "ci_high": 2010.0,
            "setup_ns": 100.0,
            "first_call_ns": 5000.0,
            "launches": 8,
            "stopped_by": "all launches are made",
            "samples": 240,
            "discarded": 1,
            "limit_ns": None,
            "share_of_limit": None,
            "bytes_per_iter": 64,
            "operations_per_iter": 16,
            "work_class": None,
            "limited_by": None,
            "limit_note": "",
            "queue_share": 0.01,
            "dispersion": 0.02,
            "setup_share": 0.05,
            "n_small": 10,
            "n_large": 500,
            "threads": 1,
            "cold_ns_per_iter": None,
            "hot_ns_per_iter": None,
            "host_ns_per_iter": None,
            "sm_clock_mhz": None,
            "cycles_per_iter": None,
            "peak_device_bytes": None,
            "note": "",
            "doubt": "",
            "failed": False,
        }
        return row | changes

    return make


@pytest.fixture
def iterate_row() -> Callable[..., Row]:
    def make(variant: str = "numpy-analytic", **changes: Any) -> Row:
        row = {
            "variant": variant,
            "problem": "notebook",
            "device": "cpu",
            "dtype": "float64",
            "probe": "problem",
            "n": 1,
            "component": "w[0,0]",
            "observed": 0.1,
            "exact": 0.30000000000000004,
            "bound": 5e-324,
        }
        return row | changes

    return make


@pytest.fixture
def new_run(tmp_path: Path) -> Callable[..., RunFolder]:
    def make(suffix: str = "0001", **settings: Any) -> RunFolder:
        given: dict[str, Any] = {"environment": {"cpu": "abacus"}, "command": ["gdbench", "run"], "seed": 7}
        return RunFolder.create(tmp_path / "results", STARTED, **given | {"suffixes": [suffix]} | settings)

    return make
