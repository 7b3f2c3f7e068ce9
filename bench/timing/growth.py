"""How the time of an iteration grows with the size of its problem, and at which size one device overtakes another."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.dtypes import FloatArray
from bench.timing.estimate import students
from bench.timing.interval import EACH_LOOK

FEWEST_SIZES = 5
"""Three numbers are fitted; with five sizes two are left to tell how far the power may be off."""

LEAST_GROWTH = 1.2
"""Where the longest time is less than so many times the shortest, a power would be read from noise."""

POWERS = (0.1, 3.0)
"""Those looked at. Below them a power cannot be told from the fixed part; a pass over the data has no higher one."""

_GRID = 59
_LAUNCHES = 5
"""Most intervals are over so many."""


@dataclass(frozen=True, slots=True)
class Point:
    """The time of an iteration at one size, with its interval, in nanoseconds."""

    ns: float
    low_ns: float
    high_ns: float


@dataclass(frozen=True, slots=True)
class Growth:
    """An iteration takes ``fixed_ns + factor_ns * size ** power`` nanoseconds.

    Attributes:
        fixed_ns: what does not grow: launches, Python, the calls of a library.
        factor_ns: of the part that grows.
        power: of the size.
        power_low: lower end of its 95 % interval; ``None`` where it lies below all `POWERS`.
        power_high: upper end; ``None`` where it lies above them.
        misfit: the largest distance of a time from the curve, as a share of the time.
    """

    fixed_ns: float
    factor_ns: float
    power: float
    power_low: float | None
    power_high: float | None
    misfit: float


@dataclass(frozen=True, slots=True)
class Overtaking:
    """Where one device becomes faster than another.

    Between two sizes anything may happen, a cache overflow say, so that the interval is that of the measured sizes.

    Attributes:
        size: where the times are equal, by straight lines through those measured.
        before: the largest measured size at which the one that is overtaken was faster, beyond the intervals.
        after: the smallest measured size at which the other was.
    """

    size: float
    before: int
    after: int


def growth(points: Mapping[int, Point]) -> Growth | str:
    """Fit a + b n^p by least squares of the relative distances, with a and b not negative.

    The interval of the power is by profile: the powers whose best curve fits no worse than the best of all, within what
    the noise explains. That noise is the distances from the best curve, or the intervals of the times if they say more.

    Args:
        points: the time at each size.

    Returns:
        The curve, or why there is none.

    >>> times = {n: 5_000.0 + 2.0 * n for n in (10, 100, 1_000, 10_000, 100_000, 1_000_000)}
    >>> found = growth({n: Point(ns, 0.99 * ns, 1.01 * ns) for n, ns in times.items()})
    >>> round(found.fixed_ns), round(found.factor_ns, 2), round(found.power, 3)
    (5000, 2.0, 1.0)
    >>> growth({10: Point(1.0, 1.0, 1.0), 20: Point(2.0, 2.0, 2.0)})
    '2 sizes are timed, and a power needs 5'
    """
    if len(points) < FEWEST_SIZES:
        return f"{len(points)} sizes are timed, and a power needs {FEWEST_SIZES}"
    sizes = np.array(sorted(points), np.float64)
    known = [points[size] for size in sorted(points)]
    times = np.array([point.ns for point in known])
    grown = float(times.max() / times.min())
    if grown < LEAST_GROWTH:
        return f"the longest time is {grown:.2f} times the shortest, and a power needs {LEAST_GROWTH}"
    middle = math.exp(float(np.log(sizes).mean()))
    scaled = sizes / middle

    def distance(power: float) -> float:
        return _fitted(scaled, times, power)[1]

    grid = np.linspace(*POWERS, _GRID)
    power = _least_at(distance, grid)
    (fixed_ns, factor), least = _fitted(scaled, times, power)
    if not factor > 0:
        return "the times do not grow with the size"
    halves = np.array([(point.high_ns - point.low_ns) / 2 / point.ns for point in known])
    noise = max(least / (len(sizes) - 3), float(np.mean((halves / students(_LAUNCHES - 1, EACH_LOOK)) ** 2)))
    allowed = least + noise * students(len(sizes) - 3) ** 2
    curve = fixed_ns + factor * scaled**power

    def excess(power: float) -> float:
        return distance(power) - allowed

    return Growth(
        fixed_ns=fixed_ns,
        factor_ns=factor / middle**power,
        power=power,
        power_low=_end(excess, power, grid[::-1]),
        power_high=_end(excess, power, grid),
        misfit=float(np.abs(curve / times - 1).max()),
    )


def overtaking(one: Mapping[int, Point], other: Mapping[int, Point]) -> Overtaking | None:
    """Where ``other`` becomes faster than ``one``, from sizes at which both were timed.

    Returns:
        ``None`` unless there is a size from which on ``other`` is faster, and before which ``one`` is, each beyond its
        interval at some measured size.

    >>> slow = {n: Point(ns, 0.98 * ns, 1.02 * ns) for n, ns in ((10, 1.0), (1000, 100.0))}
    >>> quick = {n: Point(ns, 0.98 * ns, 1.02 * ns) for n, ns in ((10, 10.0), (1000, 10.0))}
    >>> overtaking(slow, quick)
    Overtaking(size=100.0, before=10, after=1000)
    """
    sizes = sorted(one.keys() & other.keys())
    behind = [size for size in sizes if one[size].high_ns < other[size].low_ns]
    ahead = [size for size in sizes if other[size].high_ns < one[size].low_ns]
    if not behind or not ahead or behind[-1] > ahead[0]:
        return None
    between = [size for size in sizes if behind[-1] <= size <= ahead[0]]
    leads = [one[size].ns - other[size].ns for size in between]
    crossings = [
        near + (far - near) * before / (before - after)
        for (near, before), (far, after) in pairwise(zip(between, leads, strict=True))
        if before < 0 <= after
    ]
    # Where the lead changes sign more than once, the middle of these stands for them.
    return Overtaking(size=crossings[len(crossings) // 2], before=between[0], after=between[-1])


def _fitted(sizes: FloatArray, times: FloatArray, power: float) -> tuple[tuple[float, float], float]:
    """The fixed part and the factor for a power, and the sum of the squared relative distances."""
    # Only what fits a curve needs it.
    from scipy.optimize import nnls  # noqa: PLC0415

    columns = np.stack([1 / times, sizes**power / times], axis=1)
    (fixed_ns, factor), norm = nnls(columns, np.ones(len(times)))
    return (float(fixed_ns), float(factor)), float(norm) ** 2


def _least_at(distance: Callable[[float], float], grid: FloatArray) -> float:
    """Where the distance is least: at the best of the grid, and then between its neighbours."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415

    best = int(np.argmin([distance(float(power)) for power in grid]))
    low, high = float(grid[max(0, best - 1)]), float(grid[min(len(grid) - 1, best + 1)])
    return float(minimize_scalar(distance, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)


def _end(excess: Callable[[float], float], best: float, grid: FloatArray) -> float | None:
    """The power farthest from the best, in the direction of the grid, before the fit becomes too bad."""
    from scipy.optimize import brentq  # noqa: PLC0415

    upwards = grid[-1] > grid[0]
    beyond = [float(power) for power in grid if (power > best) == upwards and power != best]
    for near, far in pairwise([best, *beyond]):
        if excess(far) > 0:
            return float(brentq(excess, near, far, xtol=1e-6))
    return None
