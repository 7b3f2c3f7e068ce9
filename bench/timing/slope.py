"""What one launch says: the slope and the intercept of T(n), from the quietest short and long calls."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.timing.plan import Plan

QUEUE_SHARE = 0.05
"""A call whose worker waited longer than this share of it for a processor says nothing about the variant."""

AGREEMENT, CLOSE_AGREEMENT = 1.10, 1.05
"""Launches of one program differ by 1 to 3 % (sd). One whose long call is a tenth above the quickest ran on a processor
that something else slowed. Where many did, some were slowed by less than that, and the closer limit holds."""

MOSTLY = 0.75
"""The share of the launches that must agree within a tenth for all of these to count."""

MOST_LEVELLINGS = 60
LEVELLED = 1e-9
"""Levelling ends once the slope changes by no more than this share of it."""

FLOOR = 1.02
FLOOR_TOUCHED = 3

QUIET_CALLS = 5
QUIET_SHARE = 0.2
"""The least of the calls is right as soon as a few of them were undisturbed."""

HANDOVER_NS = 150_000
"""Where judge and worker share a processor, the worker first waits for the judge to go to sleep: 20 to 150 us a call
(10th to 95th percentile), the same at every n, so that it belongs to set-up and is no reason to discard."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed call.

    Attributes:
        n: iterations asked for.
        elapsed_ns: wall time from the request to the last byte of the reply.
        cpu_ns: time that the worker and its helpers were on a processor.
        queue_ns: time that the worker waited for one.
        between_ns: time that they were on a processor before the call, when nothing was asked of them.
        beside_ns: how long `bench.timing.speed.loop_ns` took on its processor before the call, and after it; zeros
            where nobody looked.
        threads: that the worker may use.
    """

    n: int
    elapsed_ns: int
    cpu_ns: int
    queue_ns: int
    between_ns: int = 0
    beside_ns: tuple[int, int] = (0, 0)
    threads: int = 1

    @property
    def running_ns(self) -> int:
        """What the call took beside waiting for a processor; some of the waiting may be for the time after its end."""
        return max(1, self._alone_ns, self.elapsed_ns - self.queue_ns)

    @property
    def waiting_ns(self) -> int:
        """What the call waited for a processor: no more of it than it was on none."""
        return max(0, min(self.queue_ns, self.elapsed_ns - self._alone_ns))

    @property
    def _alone_ns(self) -> int:
        """On a processor, where that is known of the thread that waited: several are on processors at once."""
        return self.cpu_ns if self.threads == 1 else 0

    @property
    def waited(self) -> bool:
        """Whether the call waited too long for a processor to be used."""
        return self.waiting_ns - HANDOVER_NS > QUEUE_SHARE * self.elapsed_ns


@dataclass(frozen=True, slots=True)
class Launch:
    """The timed calls of one life of a worker.

    Attributes:
        first_call_ns: its first call, with one iteration.
        samples: the timed calls, in the order they were made.
    """

    first_call_ns: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """T(n) = setup_ns + n * slope_ns, as one launch saw it.

    Attributes:
        large_ns: T(n_large), the long call of that launch.
    """

    slope_ns: float
    setup_ns: float
    large_ns: float


def line(samples: Sequence[Sample], plan: Plan) -> Line | None:
    """The line through the least time of the short calls and the least time of the long ones.

    Noise on a shared machine only ever adds, and slows a core by half for a tenth of a second at a time; the least of
    many calls of 1 ms is the statistic that repeats (see docs/explanation-timing.md for the figures). Calls have up to
    an eighth fewer iterations than the plan's: each is levelled by the slope that is sought, before the least is taken.

    Returns:
        The line, or ``None`` where too few calls of one length did not wait for a processor: under `QUIET_CALLS`, or
        under `QUIET_SHARE` of them.

    >>> quiet = [Sample(n, 1_000 + 50 * n, 0, 0) for n in (10, 80)]
    >>> line(quiet, Plan(n_small=10, n_large=80, samples=1))
    Line(slope_ns=50.0, setup_ns=1000.0, large_ns=5000.0)
    >>> quiet = [Sample(n, 100_000 + 1_000_000 * n, 0, 0) for n in (1, 2, 3)]
    >>> round(line(quiet, Plan(n_small=1, n_large=3, samples=1)).slope_ns)
    1000000
    """
    quiet: list[list[Sample]] = []
    for calls in of_lengths(samples, plan):
        kept = [sample for sample in calls if not sample.waited]
        if not kept or len(kept) < max(min(QUIET_CALLS, len(calls)), QUIET_SHARE * len(calls)):
            return None
        quiet.append(kept)
    short, long = quiet
    slope_ns, small_ns, large_ns = 0.0, 0.0, 0.0
    # Lengths of a kind differ by less than the two kinds do: each round shrinks the error, eightfold where calls are
    # long, and by half where they have two or three iterations.
    for _ in range(MOST_LEVELLINGS):
        small_ns = min(_levelled(short, plan.n_small, slope_ns))
        large_ns = min(_levelled(long, plan.n_large, slope_ns))
        before_ns, slope_ns = slope_ns, (large_ns - small_ns) / (plan.n_large - plan.n_small)
        if abs(slope_ns - before_ns) <= LEVELLED * abs(slope_ns):
            break
    return Line(slope_ns, small_ns - plan.n_small * slope_ns, large_ns)


def of_lengths(samples: Sequence[Sample], plan: Plan) -> tuple[list[Sample], list[Sample]]:
    """The short calls and the long ones."""
    short = [sample for sample in samples if sample.n <= plan.n_small]
    return short, [sample for sample in samples if sample.n > plan.n_small]


def slowdowns(launches: Sequence[Sequence[Sample]], plan: Plan, quickest_ns: float = math.inf) -> list[float | None]:
    """How many times as long as at its quickest the loop took beside the calls of each launch that met it quickest.

    These are `FLOOR_TOUCHED` calls of each length. Up to `bench.timing.speed.SLOWED` the launch met a processor at its
    full speed; of one beside which nobody looked that is not known, and there is ``None``.

    Args:
        launches: the calls of each launch of a cell.
        plan: the cell's sampling plan.
        quickest_ns: what the loop takes at its quickest; where that is not known, what it took beside these calls.
    """
    here_ns = min((min(sample.beside_ns) for samples in launches for sample in samples), default=0)
    if here_ns == 0:
        return [None] * len(launches)
    least_ns = here_ns if math.isinf(quickest_ns) else quickest_ns
    found: list[float | None] = []
    for samples in launches:
        beside_ns = [sorted(max(sample.beside_ns) for sample in calls) for calls in of_lengths(samples, plan)]
        found.append(max((each[:FLOOR_TOUCHED][-1] for each in beside_ns if each), default=least_ns) / least_ns)
    return found


def settled(samples: Sequence[Sample], plan: Plan, quickest_ns: float) -> bool:
    """Whether a launch has seen a quiet processor, so that more samples would not change its line.

    It has when at least `FLOOR_TOUCHED` short and as many long calls lie within 2 % of the least of their kind, and the
    long call is no slower than in the quickest launch before it, within `CLOSE_AGREEMENT`.

    Args:
        samples: the calls of this launch so far.
        plan: the cell's sampling plan.
        quickest_ns: the least time of a long call in earlier launches; infinite in the first.
    """
    found = line(samples, plan)
    if found is None or found.large_ns > CLOSE_AGREEMENT * quickest_ns:
        return False
    for n, calls in zip((plan.n_small, plan.n_large), of_lengths(samples, plan), strict=True):
        elapsed = _levelled([sample for sample in calls if not sample.waited], n, found.slope_ns)
        if sum(each <= FLOOR * min(elapsed) for each in elapsed) < FLOOR_TOUCHED:
            return False
    return True


def _levelled(calls: Sequence[Sample], n: int, slope_ns: float) -> list[float]:
    """What the calls would have taken with n iterations each."""
    return [call.elapsed_ns + slope_ns * (n - call.n) for call in calls]
