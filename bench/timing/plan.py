"""The sampling plan of a cell: how many iterations the short and the long timed calls make, and how many calls."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

SETUP_SHARE = 0.15
"""Set-up may be this share of the long call, or it would hide in the slope; a longer call meets fewer quiet moments."""

GROWTH = 16
"""The long call has this many times the iterations of the short; n grows at most this much at a time."""

JITTER = 8
"""The iterations of a call are drawn from the last eighth below the plan's, and from two numbers at least."""

MOST_REPEATS = 10
MISLED = 1.5
FEWEST_OF_LONG_CALLS = 5
MOST_SAMPLES = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much time the timing of a cell may take.

    The defaults are measured: on two shared virtual cores, calls of 1 ms repeated within 5 % in 94 % of pairs of runs,
    calls of 2 ms in 65 %, because a short call more often fits into a quiet moment.

    Attributes:
        sampling_ns: time of one launch's samples on a quiet machine.
        longest_ns: where calls are long, the number of samples is cut until a launch takes no longer than this.
        stretch: a launch may go on to this many times its samples, in search of a quiet moment.
        fewest_samples: of each n in a launch, unless calls are that long.
        target_block_ns: a long call takes at least this.
        max_block_ns: its iterations take at most this, even where set-up asks for more.
        total_seconds: launches share this; once it is over, no cell gets more of them than were asked for.
        width: half of the interval may be this share of its middle; a cell gets more launches until it is.
    """

    sampling_ns: int = 25_000_000
    longest_ns: int = 200_000_000
    stretch: int = 4
    fewest_samples: int = 8
    target_block_ns: int = 1_000_000
    max_block_ns: int = 20_000_000
    total_seconds: float = 40.0
    width: float = 0.015


@dataclass(frozen=True, slots=True)
class Plan:
    """The sampling plan of a cell, the same for all its launches.

    Attributes:
        n_small: the most iterations of a short call.
        n_large: the most iterations of a long call.
        samples: how many calls of each a launch times.
    """

    n_small: int
    n_large: int
    samples: int

    def drawn(self, most: int, source: random.Random) -> int:
        """How many iterations a call is asked for: up to an eighth fewer than ``most``, so that none can be foreseen.

        >>> Plan(18, 150, 20).drawn(150, random.Random(1))
        146
        >>> {Plan(1, 2, 20).drawn(2, random.Random(seed)) for seed in range(20)}
        {2}
        """
        least = 1 if most <= self.n_small else self.n_small + 1
        return max(least, most - source.randint(0, max(1, most // JITTER)))


def calibrate(elapsed_ns: Callable[[int], int], budget: Budget, max_n: int) -> Plan:
    """Grow n until a call is long enough, then choose the two n.

    Args:
        elapsed_ns: makes one call with that many iterations in a warm worker and returns its wall time, without what it
            waited for a processor.
        budget: how long calls may be, and how many.
        max_n: the most iterations that may be asked for, at least 2.

    >>> calibrate(lambda n: 100_000 + 6_000 * n, Budget(), max_n=10_000)
    Plan(n_small=9, n_large=150, samples=21)
    """
    single_ns = _least(elapsed_ns, 1, budget)
    n, rise_ns = 1, 0
    while rise_ns < budget.target_block_ns and n < max_n:
        n = min(max_n, _next_n(n, rise_ns, single_ns, budget))
        least_ns = _least(elapsed_ns, n, budget)
        # A longer call that is shorter shows that the single ones met no quiet moment.
        single_ns = min(single_ns, least_ns)
        rise_ns = least_ns - single_ns
    per_iteration_ns = rise_ns / (n - 1)
    return plan_for(per_iteration_ns, max(0.0, single_ns - per_iteration_ns), budget, max_n)


def _next_n(n: int, rise_ns: int, single_ns: int, budget: Budget) -> int:
    if n == 1:
        return 2 if single_ns >= budget.target_block_ns else GROWTH
    wanted = math.ceil(n * budget.target_block_ns / max(rise_ns, 1))
    return max(2 * n, min(GROWTH * n, wanted))


def refined(plan: Plan, per_iteration_ns: float, setup_ns: float, budget: Budget, max_n: int) -> Plan:
    """The plan, or a better one where its own samples show that calibration was misled by a busy moment.

    >>> refined(Plan(2, 19, 250), per_iteration_ns=6_000, setup_ns=100_000, budget=Budget(), max_n=10_000)
    Plan(n_small=9, n_large=150, samples=21)
    """
    better = plan_for(max(0.0, per_iteration_ns), max(0.0, setup_ns), budget, max_n)
    if plan.n_large / MISLED <= better.n_large <= plan.n_large * MISLED:
        return plan
    # Never much longer at once: samples from which no slope can be had ask for the longest calls there are.
    n_large = min(better.n_large, GROWTH * plan.n_large)
    return better if n_large == better.n_large else Plan(max(1, n_large // GROWTH), n_large, better.samples)


def plan_for(per_iteration_ns: float, setup_ns: float, budget: Budget, max_n: int) -> Plan:
    """The two n for iterations and a set-up of these lengths."""
    iterating_ns = max(budget.target_block_ns - setup_ns, setup_ns * (1 / SETUP_SHARE - 1))
    iterating_ns = min(iterating_ns, budget.max_block_ns)
    wanted = math.ceil(iterating_ns / per_iteration_ns) if per_iteration_ns * max_n > iterating_ns else max_n
    n_large = min(max_n, max(3, wanted))
    n_small = max(1, n_large // GROWTH)
    pair_ns = max(1.0, 2 * setup_ns + per_iteration_ns * (n_small + n_large))
    samples = min(MOST_SAMPLES, max(budget.fewest_samples, int(budget.sampling_ns / pair_ns)))
    if samples * pair_ns > budget.longest_ns:
        samples = min(samples, max(FEWEST_OF_LONG_CALLS, int(budget.longest_ns / pair_ns)))
    return Plan(n_small, n_large, samples)


def _least(elapsed_ns: Callable[[int], int], n: int, budget: Budget) -> int:
    # The first call with a new n may compile for it; short calls are repeated until one of them finds a quiet moment.
    least, spent_ns = elapsed_ns(n), 0
    for _ in range(min(MOST_REPEATS, budget.fewest_samples)):
        again = elapsed_ns(n)
        least, spent_ns = min(least, again), spent_ns + again
        if spent_ns > budget.sampling_ns / 2:
            break
    return least
