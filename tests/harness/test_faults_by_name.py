"""Each first fault, as people make it, gets its own name, and the honest variant after it is proved all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness import Harness, Options
from bench.judge.workshop import WorkerLimits
from bench.plan import Cell, Request
from bench.proof.verdict import Verdict

TARGETS = Path(__file__).parent / "targets"
PROBLEMS = ("line-4", "linear-4-lr0.01")

NUMPY = {
    "n_times_gradient": "scale.sum",
    "half_gradient": "scale.half",
    "ascent": "sign.ascent",
    "no_update": "update.never",
    "gradient_of_the_step_before": "stale.gradient",
    "one_iteration_fewer": "count.one-less",
    "closed_form": "cheat.closed-form",
    "float32_result": "contract.dtype",
    "centres_x_in_place": "contract.mutates-input",
    "not_a_number": "contract.not-finite",
    "raises": "contract.raised",
    "endless_loop": "timeout",
    "exits": "crashed",
    "segmentation_fault": "crashed",
    "blocks_with_different_gains": "scale.block",
}
TORCH = {
    "no_zero_grad": "accumulate.no-zero-grad",
    "backward_twice": "scale.double",
    "zeroed_before_the_step": "update.never",
    "maximises": "sign.ascent",
    "sum_of_squares": "scale.sum",
    "scales_x_in_place": "contract.mutates-input",
}


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with Harness(Options(limits=WorkerLimits(call_seconds=1.0))) as harness:
        yield harness


def planned(harness: Harness, file: str, function: str, dtype: str) -> list[Cell]:
    return harness.plan(Request(targets=(f"{TARGETS / file}:{function}",), problems=PROBLEMS, dtypes=(dtype,)))


def name_of(verdict: Verdict) -> str:
    """The cause, or the status where there is no cause."""
    return verdict.finding.cause or verdict.finding.status.value


CASES = [
    (file, function, name, dtype)
    for file, names in (("faults.py", NUMPY), ("faults_torch.py", TORCH))
    for function, name in names.items()
    for dtype in ("float64", "float32")
    if (function, dtype) not in {("float32_result", "float32"), ("endless_loop", "float32")}  # right; costs a deadline
]


@pytest.mark.parametrize(("file", "function", "name", "dtype"), CASES)
def test_the_fault_is_named_and_the_honest_variant_after_it_proved(
    harness: Harness, file: str, function: str, name: str, dtype: str
) -> None:
    if file == "faults_torch.py":
        pytest.importorskip("torch", reason="these faults are written for torch")
    honest = planned(harness, file, "right", dtype)
    for fault, control in zip(planned(harness, file, function, dtype), honest, strict=True):
        verdict = harness.prove(fault).verdict
        after = harness.prove(control).verdict
        assert name_of(verdict) == name, verdict.finding.evidence
        assert name_of(after) == "proved", after.finding.evidence


def test_what_the_user_is_told_of_the_gradient_that_is_n_times_too_large(harness: Harness) -> None:
    cell, _ = planned(harness, "faults.py", "n_times_gradient", "float64")
    finding = harness.prove(cell).verdict.finding
    assert finding.factor == 4.0
    assert finding.evidence.startswith("gradient 4.00 times too large: the sum over the residuals, not their mean")


def test_what_the_user_is_told_of_the_line_that_raised(harness: Harness) -> None:
    cell, _ = planned(harness, "faults.py", "raises", "float64")
    line = next(
        n for n, text in enumerate((TARGETS / "faults.py").read_text().splitlines(), 1) if "x @ problem.x" in text
    )
    evidence = harness.prove(cell).verdict.finding.evidence
    assert evidence.startswith("ValueError: matmul")
    assert f"(faults.py:{line})" in evidence


def test_a_crash_says_how_and_where(harness: Harness) -> None:
    assert (
        "exited with code 0"
        in harness.prove(planned(harness, "faults.py", "exits", "float64")[0]).verdict.finding.evidence
    )
    crash = harness.prove(planned(harness, "faults.py", "segmentation_fault", "float64")[0]).verdict.finding.evidence
    assert "SIGSEGV" in crash
    assert "in segmentation_fault" in crash
