"""One test a cell for convergence, and one for speed: proved in a worker, then timed by pytest-benchmark."""

from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import pytest

from bench.harness import Proved
from bench.proof.verdict import NotProvedError, ProvedVerdict, Status, Verdict
from bench.runs.records import verdict_record
from bench.runs.strict_json import plain
from bench.suite.calls import THREADS, Calls, WrongAnswerError, steady

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


@pytest.mark.convergence
def test_convergence(gdbench_proved: Proved) -> None:
    """The verdict is the expected one: proved, or the cause that a known-wrong variant is registered with."""
    verdict = gdbench_proved.verdict
    _skip_declined(verdict)
    if not verdict.as_expected:
        pytest.fail(_unexpected(verdict), pytrace=False)


def test_iterations(gdbench_proved: Proved, benchmark: "BenchmarkFixture") -> None:
    """The time of the same iterations for every variant of a problem; a cell that is not proved has none, and fails."""
    cell, verdict = gdbench_proved.cell, gdbench_proved.verdict
    if cell.variant.expect is not None:
        pytest.skip(f"known wrong: {cell.variant.expect}")
    _skip_declined(verdict)
    if not cell.timed:
        pytest.skip(f"{cell.variant.family}: timed where it is named")
    if not verdict.proved:
        _refuse(benchmark, _unexpected(verdict))
    calls = Calls(cell, ProvedVerdict(verdict))
    benchmark.group = f"{cell.problem} {cell.device} {cell.dtype}, {calls.n_large} iterations"
    complaint = None
    with steady():
        try:
            rounds = calls.warm_up()
            benchmark.pedantic(calls.long, setup=lambda: (calls.short(), {}), rounds=rounds)
            slope_ns, setup_ns = calls.line()
        except WrongAnswerError as error:
            complaint = f"{cell}: {error}"
    if complaint is not None:
        _refuse(benchmark, complaint)
    benchmark.extra_info |= plain(verdict_record(verdict)) | {
        "verified": True,
        "ns_per_iter": slope_ns if slope_ns > 0 else None,
        "setup_ns": setup_ns,
        "n_iters": calls.n_large,
        "n_small": calls.n_small,
        "n_large": calls.n_large,
        "threads": THREADS,
        "note": "" if slope_ns > 0 else "too noisy: the short calls took as long as the long ones",
    }


def _skip_declined(verdict: Verdict) -> None:
    if verdict.finding.status in (Status.UNSUPPORTED, Status.UNAVAILABLE):
        pytest.skip(f"{verdict.finding.status}: {verdict.finding.evidence}")


def _unexpected(verdict: Verdict) -> str:
    finding = verdict.finding
    became = f"{finding.status} ({finding.cause})" if finding.cause else finding.status
    cell = f"{verdict.variant} · {verdict.problem} · {verdict.device} · {verdict.dtype}"
    return f"{cell}: expected {verdict.expected}, became {became}: {finding.evidence}"


def _refuse(benchmark: "BenchmarkFixture", reason: str) -> NoReturn:
    """Fail in a way that pytest-benchmark sees: the cell is left out of its file, and it warns of nothing."""

    def refuse() -> NoReturn:
        raise NotProvedError(reason)

    # It raises another exception where it has timed the cell before; either way it notes the error.
    with suppress(Exception):
        benchmark.pedantic(refuse)
    pytest.fail(reason, pytrace=False)
