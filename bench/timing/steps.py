"""Steps in the history of a cell: from which run on its time per iteration lies on another level.

The runs of a history are few, noisy, and made minutes or months apart, so what is found is a hint and never a verdict.

The times, as logarithms, are fitted with a constant between steps: the sum over the runs of ``min(r**2, OUTLIER**2)``,
r the residual in standard deviations, plus a penalty for each step, is as small as it can be over every way of setting
steps that leaves at least `FEWEST_RUNS` runs between them. Since no run costs more than ``OUTLIER**2``, a single slow
run is cheaper than a step. The minimum is exact but for the levels, which are looked for among the times and the
midpoints between them. Nothing is random.

The bounded loss: Fearnhead and Rigaill, "Changepoint detection in the presence of outliers", Journal of the
American Statistical Association 114 (2019), 169-183. The search: Jackson et al., "An algorithm for optimal partitioning
of data on an interval", IEEE Signal Processing Letters 12 (2005), 105-108. asv fits a penalised constant as well, by
absolute residuals (Friedrich et al., 2008); Hunter (Fleming et al., 2023) and MongoDB split by E-divisive means
(Matteson and James, 2014), whose permutation test cannot find a step among six runs, however large.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.dtypes import FloatArray

FEWEST_RUNS = 3
"""Between two steps, and before the first and after the last."""

RUN_TO_RUN = 0.061
"""How much two runs of unchanged code differ (standard deviation of the ratio), at worst, on the noisy machine on which
this was measured: 5.5 to 6.1 %. A smaller change is not called a step."""

OUTLIER = 3.0
"""In standard deviations: a run that is further from its level costs no more than this."""

PENALTY = 14.0
"""Of a step, in squared standard deviations; set by simulation for `FALSE_ALARMS`."""

FALSE_ALARMS = 0.01
"""At most so many histories in which nothing has changed are given a step, where runs err independently of each other:
in simulations with errors of 3 to 12 % and 6 to 100 runs. A machine that itself changes is another matter."""

# The largest fifth of the differences between neighbours holds those across steps and outliers.
_LEFT_OUT = 0.2
# What makes the root mean square of the least four fifths of normal numbers their standard deviation.
_CONSISTENT = 1.511


@dataclass(frozen=True, slots=True)
class Step:
    """One change of level.

    Attributes:
        first: the index of the first run on the new level.
        ratio: the new level over the old one.
        ci_low: lower end of the 95 % interval of the ratio, given that there is a step here.
        ci_high: upper end.
    """

    first: int
    ratio: float
    ci_low: float
    ci_high: float


def steps(ns_per_iter: Sequence[float], ci_low: Sequence[float], ci_high: Sequence[float]) -> tuple[Step, ...]:
    """The steps of a series of timings, the earliest first.

    Args:
        ns_per_iter: time per iteration of each run, ns, in the order of time; positive, as are the others.
        ci_low: lower ends of their 95 % intervals, ns.
        ci_high: upper ends, ns.

    Returns:
        Nothing where there are fewer than twice `FEWEST_RUNS` runs.

    >>> quiet, slower = [100.0, 101.0, 99.0, 100.0], [120.0, 122.0, 121.0, 119.0]
    >>> times = [*quiet, 180.0, *quiet, *slower]
    >>> [(step.first, round(step.ratio, 2)) for step in steps(times, times, times)]
    [(9, 1.2)]
    """
    if len(ns_per_iter) < 2 * FEWEST_RUNS:
        return ()
    series = _Series.of(*(np.array(values, np.float64) for values in (ns_per_iter, ci_low, ci_high)))
    cuts = series.cheapest_cuts()
    while cuts:
        levels = [series.level(*part) for part in pairwise([0, *cuts, len(ns_per_iter)])]
        changes = [after - before for (before, _), (after, _) in pairwise(levels)]
        least = min(range(len(cuts)), key=lambda index: abs(changes[index]))
        if abs(changes[least]) >= math.log1p(RUN_TO_RUN):
            break
        del cuts[least]
    else:
        return ()
    halves = [1.96 * math.hypot(before, after) for (_, before), (_, after) in pairwise(levels)]
    return tuple(
        Step(first, math.exp(change), math.exp(change - half), math.exp(change + half))
        for first, change, half in zip(cuts, changes, halves, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Series:
    """Logarithms of times, and what each of them costs at each level.

    Attributes:
        values: log ns, of each run.
        deviations: standard deviation of each, the machine's own changes included.
        candidates: the levels that are tried.
        costs: [level, run]: the cost of all runs before this one at this level.
    """

    values: FloatArray
    deviations: FloatArray
    candidates: FloatArray
    costs: FloatArray

    @classmethod
    def of(cls, ns_per_iter: FloatArray, ci_low: FloatArray, ci_high: FloatArray) -> "_Series":
        values = np.log(ns_per_iter)
        # The interval is over launches of one run; how runs differ is not in it. Two runs are in a ratio.
        within = (np.log(ci_high) - np.log(ci_low)) / (2 * 1.96)
        deviations = np.hypot(RUN_TO_RUN / math.sqrt(2), within)
        differences = np.sort(np.abs(np.diff(values)) / np.hypot(deviations[1:], deviations[:-1]))
        kept = differences[: len(differences) - math.ceil(_LEFT_OUT * len(differences))]
        observed = _CONSISTENT * math.sqrt(float(np.mean(kept**2)))
        # Of few runs the spread is known badly, and taken for larger than it looks.
        deviations = deviations * max(1.0, observed * (1 + 3 / len(values)))
        ordered = np.sort(values)
        candidates = np.concatenate([ordered, (ordered[1:] + ordered[:-1]) / 2])
        lost = np.minimum(((values - candidates[:, None]) / deviations) ** 2, OUTLIER**2)
        costs = np.concatenate([np.zeros((len(candidates), 1)), np.cumsum(lost, axis=1)], axis=1)
        return cls(values, deviations, candidates, costs)

    def cheapest_cuts(self) -> list[int]:
        """The indices at which new levels begin."""
        end = len(self.values)
        least, begun = np.full(end + 1, np.inf), np.zeros(end + 1, np.int64)
        least[0] = -PENALTY
        for stop in range(FEWEST_RUNS, end + 1):
            starts = slice(0, stop - FEWEST_RUNS + 1)
            totals = least[starts] + PENALTY + (self.costs[:, stop, None] - self.costs[:, starts]).min(axis=0)
            begun[stop] = np.argmin(totals)
            least[stop] = totals[begun[stop]]
        cuts: list[int] = []
        while begun[end]:
            end = int(begun[end])
            cuts.insert(0, end)
        return cuts

    def level(self, start: int, stop: int) -> tuple[float, float]:
        """The mean of the runs from start to stop that are no outliers, and its standard deviation."""
        middle = self.candidates[np.argmin(self.costs[:, stop] - self.costs[:, start])]
        values, deviations = self.values[start:stop], self.deviations[start:stop]
        near = np.abs(values - middle) <= OUTLIER * deviations
        weights = deviations[near] ** -2.0
        return float(np.average(values[near], weights=weights)), float(weights.sum() ** -0.5)
