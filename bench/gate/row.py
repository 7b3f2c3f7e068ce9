"""The row of a comparison: its fields, and the order they are written in."""

from dataclasses import asdict, dataclass

from bench.gate.comparison import DEFAULT_LIMIT, Outcome
from bench.runs.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What ``compare`` and ``gate --speed`` say of two sides.

    Attributes:
        base: what the head is held against: a variant, a lane, a run, or so many times the limit of the machine.
        head: what is held against it.
        variant: of the head's cell, as the next three.
        problem: of the head's cell.
        device: of the head's cell.
        dtype: of the head's cell.
        verdict: slower, faster, same or inconclusive; of the head.
        ratio: time an iteration of the head over that of the base; ``None`` where there is none.
        ci_low: lower end of its 95 % interval.
        ci_high: upper end.
        reason: why it came to that, in words.
        null_ratio: the same of a second copy of the base over the first; ``None`` where there was no such copy.
        base_ns_per_iter: nanoseconds an iteration of the base.
        head_ns_per_iter: nanoseconds an iteration of the head.
        launches: that the ratio is over; ``None`` where nothing was launched for it.
        limit: the ratio beyond which slower is slower.
        seconds: wall time of it all.
        instructions_ratio: instructions an iteration of the head over those of the base; ``None`` where not counted.
        as_expected: whether the gate asked for that; in ``compare`` whether both sides were proved and answered.
    """

    base: str
    head: str
    variant: str
    problem: str
    device: str
    dtype: str
    verdict: Outcome
    ratio: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    reason: str
    null_ratio: float | None = None
    base_ns_per_iter: float | None = None
    head_ns_per_iter: float | None = None
    launches: int | None = None
    limit: float = DEFAULT_LIMIT
    seconds: float = 0.0
    instructions_ratio: float | None = None
    as_expected: bool

    def record(self) -> Record:
        """The row as it is written."""
        return {**asdict(self), "verdict": self.verdict.value}
