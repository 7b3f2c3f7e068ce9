"""The launches of a cell together: which of them count, the trimmed mean of their slopes, and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench.timing.estimate import Estimate, students
from bench.timing.noise import left_out, percent
from bench.timing.plan import Plan
from bench.timing.slope import AGREEMENT, CLOSE_AGREEMENT, MOSTLY, Launch, Line, line, slowdowns
from bench.timing.speed import SLOWED

NO_FULL_SPEED = "no launch that counts met a processor at its full speed"

_Seen = tuple[Line, float | None]
"""A launch, and how many times as long the judge's loop took beside it as at its quickest. It is ``None`` where nobody
looked: where judge and worker do not share a processor."""

EACH_LOOK = 0.018
"""The interval is looked at after each launch, and ends them where it is narrow by chance. Where each look misses the
truth in 1.8 %, the one that ends them does in 2 % if launches differ by 1 % (sd) or less, in 5 and 15 % if they differ
by 2 and 3 %: ``python -m scripts.interval_coverage``."""


@dataclass(frozen=True, slots=True)
class Launches:
    """The launches of a cell, and what those that count say together.

    Attributes:
        launches: all of them.
        lines: of each; ``None`` where it met no quiet moment.
        usable: those that have a line.
        seen: those of them that count.
        agree: whether these agree.
    """

    launches: Sequence[Launch]
    lines: Sequence[Line | None]
    usable: Sequence[_Seen]
    seen: Sequence[_Seen]
    agree: bool

    @classmethod
    def of(cls, launches: Sequence[Launch], plan: Plan, quickest_loop_ns: float, fewest: int) -> Self:
        """See which count."""
        lines = [line(launch.samples, plan) for launch in launches]
        slowed = slowdowns([launch.samples for launch in launches], plan, quickest_loop_ns)
        usable = [(each, times) for each, times in zip(lines, slowed, strict=True) if each is not None]
        return cls(launches, lines, usable, *_counting(usable, fewest))

    @property
    def counting(self) -> list[Line]:
        """The lines of those that count."""
        return [each for each, _ in self.seen]

    @property
    def slopes_ns(self) -> list[float]:
        """Time an iteration, by each launch that counts."""
        return [each.slope_ns for each in self.counting]

    @property
    def slowdown(self) -> float:
        """How much slower than at its quickest the processor was in the launch that met it quickest.

        What shares the core slows several launches alike: that they agree does not show that they are right. One that
        is known to be right shows it of all that agree with it.
        """
        return min((times for _, times in self.seen if times is not None), default=1.0)

    @property
    def full_speed(self) -> bool:
        """Whether a launch that counts met the processor at its full speed, or nobody looked."""
        return self.slowdown <= SLOWED

    @property
    def estimate_ns(self) -> Estimate:
        """The trimmed mean of their slopes, and its interval.

        >>> seen = [(Line(slope_ns, 0.0, slope_ns), 1.0) for slope_ns in (100.0, 94.0, 101.0, 102.0, 101.0, 106.0)]
        >>> Launches([], [], seen, seen, agree=True).estimate_ns.mean
        101.0
        """
        return Estimate.of_launches(self.slopes_ns, missing=EACH_LOOK)

    def ends_ns(self) -> tuple[float, float]:
        """The interval: by Student's t, and what is known besides where they disagree, are two, or met no full speed.

        >>> seen = [(Line(slope_ns, 0.0, slope_ns), 1.8) for slope_ns in (100.0, 101.0, 102.0)]
        >>> [round(end) for end in Launches([], [], seen, seen, agree=True).ends_ns()]
        [54, 105]
        >>> seen = [(Line(slope_ns, 0.0, slope_ns), 1.25) for slope_ns in (100.0, 130.0, 160.0)]
        >>> Launches([], [], seen, seen, agree=False).ends_ns()
        (80.0, 160.0)
        """
        found = self.estimate_ns
        low_ns, high_ns = found.low, found.high
        if not self.full_speed:
            # What slows the loop slows the variant as much or less: at full speed it may take so much less.
            low_ns /= self.slowdown
        if not self.agree or len(self.seen) == 2:
            # Few that differ much bound nothing by themselves, but noise only adds, and by what the loop shows.
            low_ns = max(low_ns, min(self.slopes_ns) / max(self.slowdown, AGREEMENT))
        if not self.agree:
            high_ns = min(high_ns, max(each.slope_ns for each, _ in self.usable))
        return low_ns, high_ns

    def discarded(self) -> int:
        """The samples that say nothing: those that waited, and all of a launch that does not count."""
        counting = self.counting
        return sum(
            sum(sample.waited for sample in launch.samples) if each in counting else len(launch.samples)
            for launch, each in zip(self.launches, self.lines, strict=True)
        )

    def remarks(self) -> tuple[str, str]:
        """What was left out, and how much slower than it can be the processor was."""
        counting = self.counting
        return (
            left_out(
                slowed_ns=[each.large_ns for each, _ in self.usable if each not in counting],
                agreeing_ns=[each.large_ns for each in counting],
                busy=len(self.launches) - len(self.usable),
                launches=len(self.launches),
            ),
            ""
            if self.full_speed
            else f"{NO_FULL_SPEED}, where an iteration may take up to {percent(1 - 1 / self.slowdown)} less",
        )


def _counting(usable: Sequence[_Seen], fewest: int) -> tuple[list[_Seen], bool]:
    """The launches that count, in the order they were made, and whether they agree.

    >>> seen = [(Line(1.0, 0.0, large_ns), slowed) for large_ns, slowed in ((150.0, 1.8), (101.0, 1.1), (100.0, 1.7))]
    >>> [[line.large_ns for line, _ in _counting(seen, fewest)[0]] for fewest in (2, 3)]
    [[101.0, 100.0], [150.0, 101.0, 100.0]]
    >>> seen = [(Line(1.0, 0.0, large_ns), None) for large_ns in (100.0, 150.0, 180.0, 210.0)]
    >>> [line.large_ns for line, _ in _counting(seen, fewest=3)[0]]
    [100.0, 150.0, 180.0]
    """
    # The long call decides, not the slope: where a call is mostly set-up, slopes are too noisy to tell launches apart.
    large_ns = sorted(each.large_ns for each, _ in usable)

    def within(limit_ns: float) -> list[_Seen]:
        return [(each, times) for each, times in usable if each.large_ns <= limit_ns]

    agreeing, closely = (within(limit * min(large_ns, default=0.0)) for limit in (AGREEMENT, CLOSE_AGREEMENT))
    if len(agreeing) >= fewest:
        mostly = len(agreeing) >= MOSTLY * len(usable)
        return (agreeing if mostly or len(closely) < fewest else closely), True
    # By the launches alone no quiet speed can be told from the slowed ones. All count that are no slower than one at
    # full speed or, where there are not two of these, the quickest: noise only adds. The interval is as wide as they
    # differ.
    at_full_speed = [each.large_ns for each, times in usable if times is not None and times <= SLOWED]
    return within(max(at_full_speed if len(at_full_speed) > 1 else large_ns[:fewest], default=0.0)), False


def import_what_intervals_need() -> None:
    """Import now what the first interval would be waited for."""
    students(1)
