"""Verdicts for tests of what comes after a proof. Nothing was proved for them."""

from dataclasses import replace
from typing import Any

from bench.proof.verdict import Finding, ProvedVerdict, Status, Verdict

_USUAL = Verdict(
    variant="numpy-analytic",
    backend="numpy",
    family="analytic",
    problem="line-4",
    device="cpu",
    dtype="float64",
    finding=Finding(status=Status.PROVED),
    expected="proved",
    as_expected=True,
    seconds=0.0,
    isolation="fork",
)


def a_verdict(status: Status = Status.PROVED, **changes: Any) -> Verdict:
    """The usual one: as expected, of a cell on the CPU in float64."""
    return replace(_USUAL, **{"finding": Finding(status=status)} | changes)


PROVED = ProvedVerdict(a_verdict())
