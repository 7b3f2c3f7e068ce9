"""Whether one loop is slower than another: the rule, and what it says."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bench.timing.clocks import Pace, holds_in_cycles
from bench.timing.estimate import Estimate
from bench.timing.pingpong import ArmFailedError, PingPong
from bench.timing.ratio import Rounds, log_ratio, typical_ns

BASE, NULL, HEAD = range(3)
"""The arms: the base, a second copy of it that must come out alike, and what is held against it."""

DEFAULT_LIMIT = 1.025
FEWEST, MOST, CONFIRMING = 8, 40, 16
"""Launches: at least and at most of each stage, and at least after an alarm."""

CLEAR = 2.0
"""So many times what two copies of the base differ by."""

BUDGET_SECONDS = 25.0
"""Of each stage: beyond it no launch is begun that is not owed to the rule."""


class Outcome(StrEnum):
    """What a comparison comes to. The list is closed."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    """No difference beyond the limit was shown."""
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two arms came to.

    Attributes:
        outcome: slower, faster, same or inconclusive; of the head.
        ratio: time an iteration of the head over that of the base; ``None`` where there is none.
        ci_low: lower end of its 95 % interval over launches.
        ci_high: upper end.
        null_ratio: the same of the second copy of the base over the first.
        base_ns_per_iter: nanoseconds an iteration of the base, in its quietest launch.
        launches: that the ratio is over.
        limit: the ratio beyond which slower is slower, above 1.
        reason: why it came to that, in words.
        seconds: wall time of it all.
        failed: the name of the arm that failed; empty where none did.
        by_harness: whether it failed by a mistake of the harness's.
        noisy: whether it is inconclusive for noise alone, so that another witness may decide.
    """

    outcome: Outcome
    reason: str
    ratio: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    null_ratio: float | None = None
    base_ns_per_iter: float | None = None
    launches: int = 0
    limit: float = DEFAULT_LIMIT
    seconds: float = 0.0
    failed: str = ""
    by_harness: bool = False
    noisy: bool = False

    @property
    def head_ns_per_iter(self) -> float | None:
        """Nanoseconds an iteration of the head."""
        return None if self.ratio is None or self.base_ns_per_iter is None else self.ratio * self.base_ns_per_iter


@dataclass(slots=True)
class Seen:
    """What the launches of one comparison brought."""

    heads: list[float] = field(default_factory=list)
    nulls: list[float] = field(default_factory=list)
    bases_ns: list[float] = field(default_factory=list)

    def add(self, rounds: Rounds) -> None:
        """Take a launch, unless its calls do not stand out from their set-up."""
        head, null = log_ratio(rounds, HEAD, BASE, NULL), log_ratio(rounds, NULL, BASE)
        base_ns = typical_ns(rounds, BASE)
        if math.isfinite(head) and math.isfinite(null) and base_ns > 0:
            self.heads.append(head)
            self.nulls.append(null)
            self.bases_ns.append(base_ns)


def compare(
    contest: PingPong,
    *,
    limit: float = DEFAULT_LIMIT,
    budget_seconds: float = BUDGET_SECONDS,
    on_launch: Callable[[int], None] | None = None,
) -> Comparison:
    """Compare the head of a contest with its base.

    At least `FEWEST` launches, and up to `MOST` while the interval still reaches across a limit and there is time.
    There is an alarm when the mean ratio lies beyond the limit and its interval on the same side of 1. Fresh launches
    confirm it: their interval must lie on that side too, and the mean of all launches beyond the limit. There are
    `CONFIRMING`, and up to `MOST` while they neither confirm it nor show a ratio within the limit, and there is time.

    Args:
        contest: base, second copy of the base, and head, in that order.
        limit: above 1; faster means its inverse.
        budget_seconds: of the launches before an alarm, and of those after it.
        on_launch: called with the number of launches so far.
    """
    began = time.monotonic()
    seen, fresh = Seen(), Seen()

    def launch(into: Seen) -> None:
        rounds = contest.launch()
        if rounds is not None:
            into.add(rounds)
        if on_launch is not None:
            on_launch(len(seen.heads) + len(fresh.heads))

    def stage(into: Seen, fewest: int, enough: Callable[[], bool]) -> None:
        start = time.monotonic()
        for number in range(MOST):
            if number >= fewest and (enough() or time.monotonic() - start > budget_seconds):
                return
            launch(into)

    try:
        stage(seen, FEWEST, lambda: _settled(seen, limit))
        if len(seen.heads) >= 2 and _alarm(Estimate.of_launches(seen.heads), limit):
            stage(fresh, CONFIRMING, lambda: _answered(seen, fresh, limit))
    except ArmFailedError as error:
        return Comparison(
            outcome=Outcome.INCONCLUSIVE,
            reason=str(error),
            limit=limit,
            seconds=time.monotonic() - began,
            failed=error.arm,
            by_harness=error.by_harness,
        )
    pace = contest.pace((BASE, NULL), HEAD)
    return decide(
        seen, fresh, limit, seconds=time.monotonic() - began, doubts=contest.doubts, pace=pace, head=contest.names[HEAD]
    )


def decide(
    seen: Seen,
    fresh: Seen,
    limit: float,
    *,
    seconds: float = 0.0,
    doubts: "dict[str, str] | None" = None,
    pace: Pace | None = None,
    head: str = "",
) -> Comparison:
    """What the launches come to; see `compare`.

    Args:
        seen: the launches before an alarm.
        fresh: those after it; empty where there was none.
        limit: above 1.
        seconds: what it all took.
        doubts: of arms, by name.
        pace: the clocks of an accelerator.
        head: the name of the head.
    """
    pace = pace or Pace()
    clocks = f"; {pace.note}" if pace.note else ""
    if len(seen.heads) < FEWEST // 2:
        hidden = "the iterations do not stand out from the set-up of a call"
        slowed = "the device was slowed in most launches"
        reason = f"{slowed if pace.left_out > len(seen.heads) else hidden}{clocks}"
        return Comparison(outcome=Outcome.INCONCLUSIVE, reason=reason, limit=limit, seconds=seconds)
    every = Estimate.of_launches([*seen.heads, *fresh.heads])
    null = Estimate.of_launches([*seen.nulls, *fresh.nulls])
    outcome, reason = _outcome(Estimate.of_launches(seen.heads), fresh, every, null, limit)
    noisy = outcome is Outcome.INCONCLUSIVE and not doubts
    if doubts:
        said = "; ".join(f"{name} {doubt}" for name, doubt in doubts.items())
        # Time that is hidden makes the head no slower than it seems, but the base.
        if outcome is Outcome.SLOWER and doubts.keys() == {head}:
            reason = f"{reason}; {said}"
        else:
            outcome, reason = Outcome.INCONCLUSIVE, said
    ratio = math.exp(every.mean)
    told = outcome in (Outcome.SLOWER, Outcome.FASTER)
    if told and not holds_in_cycles(ratio, limit, pace.base_mhz, pace.head_mhz):
        outcome = Outcome.INCONCLUSIVE
        reason = (
            f"{_by(every)} in time, not in cycles: base ran at {pace.base_mhz:.0f} MHz, head at {pace.head_mhz:.0f}"
        )
    return Comparison(
        outcome=outcome,
        reason=f"{reason}{clocks}",
        ratio=ratio,
        ci_low=math.exp(every.low),
        ci_high=math.exp(every.high),
        null_ratio=math.exp(null.mean),
        base_ns_per_iter=min((*seen.bases_ns, *fresh.bases_ns)),
        launches=len(seen.heads) + len(fresh.heads),
        limit=limit,
        seconds=seconds,
        noisy=noisy,
    )


def _outcome(first: Estimate, fresh: Seen, every: Estimate, null: Estimate, limit: float) -> tuple[Outcome, str]:
    edge, by = math.log(limit), _by(every)
    apart = abs(null.mean)
    # Where less is asked about than copies differ by, the head must differ by more than they do.
    if apart > edge and (apart > math.log(DEFAULT_LIMIT) or abs(every.mean) < CLEAR * apart):
        return Outcome.INCONCLUSIVE, f"the machine is too noisy: a copy of the base came out {_by(null)}"
    if _alarm(first, limit):
        side = math.copysign(1.0, first.mean)
        if not _confirmed(fresh, every, side, limit):
            return Outcome.INCONCLUSIVE, f"{_by(first)} at first, which fresh launches do not confirm: {by} in all"
        return (Outcome.SLOWER if side > 0 else Outcome.FASTER), f"{by}, and fresh launches say so too"
    if every.half > edge:
        return Outcome.INCONCLUSIVE, f"the machine is too noisy: {by}"
    return Outcome.SAME, f"no difference beyond {100 * (limit - 1):.3g} % is shown: {by}"


def _alarm(estimate: Estimate, limit: float) -> bool:
    side = math.copysign(1.0, estimate.mean)
    return abs(estimate.mean) > math.log(limit) and _beyond(estimate, side)


def _beyond(estimate: Estimate, side: float) -> bool:
    """Whether the whole interval lies on one side of no difference."""
    return estimate.low > 0 if side > 0 else estimate.high < 0


def _confirmed(fresh: Seen, every: Estimate, side: float, limit: float) -> bool:
    """Whether fresh launches lie on the side of an alarm, and all launches beyond the limit."""
    return (
        len(fresh.heads) >= 2
        and _beyond(Estimate.of_launches(fresh.heads), side)
        and side * every.mean > math.log(limit)
    )


def _answered(seen: Seen, fresh: Seen, limit: float) -> bool:
    """Whether fresh launches confirm an alarm, or show that there is nothing beyond the limit."""
    if len(fresh.heads) < 2:
        return False
    side = math.copysign(1.0, Estimate.of_launches(seen.heads).mean)
    again = Estimate.of_launches(fresh.heads)
    refuted = (again.high if side > 0 else -again.low) < math.log(limit)
    return refuted or _confirmed(fresh, Estimate.of_launches([*seen.heads, *fresh.heads]), side, limit)


def _settled(seen: Seen, limit: float) -> bool:
    """Whether no further launch could change much: neither interval reaches across a limit."""
    if len(seen.heads) < FEWEST:
        return False
    edge = math.log(limit)
    head, null = Estimate.of_launches(seen.heads), Estimate.of_launches(seen.nulls)
    clear = all(head.high < side or head.low > side for side in (-edge, edge))
    return clear and abs(null.mean) < edge


def _by(estimate: Estimate) -> str:
    """A ratio in words.

    >>> _by(Estimate(0.05, 0.01)), _by(Estimate(-0.001, 0.004))
    ('5.1 % slower (4.1 to 6.2 %)', '0.1 % faster (0.5 faster to 0.3 % slower)')
    """
    share, low, high = (100 * (math.exp(each) - 1) for each in (estimate.mean, estimate.low, estimate.high))
    words = f"{abs(share):.1f} % {'slower' if share >= 0 else 'faster'}"
    if low < 0 < high:
        return f"{words} ({-low:.1f} faster to {high:.1f} % slower)"
    near, far = sorted((abs(low), abs(high)))
    return f"{words} ({near:.1f} to {far:.1f} %)"
