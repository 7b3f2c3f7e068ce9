"""Cells as CI services see them: test cases that passed, failed, ended in an error or were skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.proof.verdict import Status
from bench.report.figures import is_absent
from bench.report.tables import Record, lane

Outcome = Literal["passed", "failed", "error", "skipped"]

_NOT_THE_ANSWER = frozenset({Status.CRASHED, Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.VOID, Status.JUDGE_ERROR})
"""What keeps a variant from being judged: to JUnit an error, where a wrong answer is a failure."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell, or one comparison of a cell, as a test case.

    Attributes:
        variant: its name.
        problem: the problem's.
        lane: the device and the dtype, such as ``cpu float64``.
        aspect: what beside the proof is looked at, such as ``timing``; empty for the proof.
        outcome: what became of it; ``failed`` and ``error`` alone are not as expected.
        kind: one word on it: the status, or the verdict of a comparison.
        headline: what was expected and what became of it, in a few words.
        reason: the evidence; may be empty.
        seconds: wall time, 0 where it is not known.
    """

    variant: str
    problem: str
    lane: str
    outcome: Outcome
    kind: str
    headline: str
    reason: str = ""
    aspect: str = ""
    seconds: float = 0.0

    @property
    def as_expected(self) -> bool:
        """Whether a gate may be green."""
        return self.outcome in ("passed", "skipped")

    @property
    def message(self) -> str:
        """The headline with the evidence behind it."""
        return f"{self.headline}: {self.reason}" if self.reason else self.headline


def cases_of(
    verdicts: Sequence[Record], comparisons: Sequence[Record] = (), failed_timings: Sequence[Record] = ()
) -> list[Case]:
    """The test cases of some rows, in their order.

    Args:
        verdicts: rows of the verdicts.
        comparisons: rows of `gdbench compare` or of a speed gate; one without ``as_expected`` is advice, and passes.
        failed_timings: rows of proved cells that failed while they were timed, with the reason in ``note``.
    """
    return [
        *map(_of_verdict, verdicts),
        *map(_of_failed_timing, failed_timings),
        *map(_of_comparison, comparisons),
    ]


def _of_verdict(row: Record) -> Case:
    status, seconds = str(row["status"]), row.get("seconds")
    outcome: Outcome = "passed"
    if status == Status.JUDGE_ERROR or not row["as_expected"]:
        outcome = "error" if status in _NOT_THE_ANSWER else "failed"
    elif status in (Status.UNSUPPORTED, Status.UNAVAILABLE):
        outcome = "skipped"
    became = status if is_absent(row.get("cause")) else f"{status} ({row['cause']})"
    return Case(
        variant=str(row["variant"]),
        problem=str(row["problem"]),
        lane=lane(row),
        outcome=outcome,
        kind=status,
        headline=became if outcome == "skipped" else f"expected {row['expected']}, became {became}",
        reason=str(row["evidence"] or ""),
        seconds=0.0 if seconds is None or is_absent(seconds) else float(seconds),
    )


def _of_failed_timing(row: Record) -> Case:
    return Case(
        variant=str(row["variant"]),
        problem=str(row["problem"]),
        lane=lane(row),
        outcome="failed",
        kind="untimed",
        headline="proved, and failed while it was timed",
        reason=str(row["note"] or ""),
        aspect="timing",
    )


def _of_comparison(row: Record) -> Case:
    verdict = str(row["verdict"])
    outcome: Outcome = "skipped" if verdict == "inconclusive" else "passed"
    return Case(
        variant=str(row.get("variant") or row["head"]),
        problem=str(row["problem"]),
        lane=lane(row),
        outcome=outcome if row.get("as_expected", True) else "failed",
        kind=verdict,
        headline=f"{verdict} than {row['base']}" if verdict in ("slower", "faster") else verdict,
        reason="; ".join(part for part in (ratio_words(row), str(row.get("reason") or "")) if part),
        aspect=f"speed against {row['base']}",
    )


def ratio_words(row: Record) -> str:
    """Head's time over base's with its interval; empty where a comparison has none.

    >>> ratio_words({"ratio": 1.0523, "ci_low": 1.031, "ci_high": 1.0749})
    '1.052 times its time (95 %: 1.031 to 1.075)'
    >>> ratio_words({"ratio": None})
    ''
    """
    ratio, low, high = (row.get(name) for name in ("ratio", "ci_low", "ci_high"))
    if ratio is None or is_absent(ratio):
        return ""
    words = f"{ratio:.3f} times its time"
    return words if is_absent(low) or is_absent(high) else f"{words} (95 %: {low:.3f} to {high:.3f})"
