"""How many times the cost of one loop another has, from calls of both that alternate."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.timing.interval import half_width

Nanoseconds = npt.NDArray[np.float64]

SHORT_EVERY = 3
"""Every so many rounds have short calls too: set-up is a smaller part of a call, and needs fewer of them."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """The calls of one launch of several arms, each round one call of every arm, in an order drawn anew.

    Attributes:
        long_ns: wall time of the long calls, (rounds, arms). All calls of a round ask for the same iterations.
        short_ns: of the short calls, (rounds / `SHORT_EVERY`, arms).
        n_long: iterations of the long calls on average.
        n_short: of the short ones.
    """

    long_ns: Nanoseconds
    short_ns: Nanoseconds
    n_long: float
    n_short: float


def log_ratio(rounds: Rounds, head: int, *bases: int) -> float:
    """The logarithm of how many times the time an iteration of one arm is that of others.

    Calls of a round are made within milliseconds of each other and meet the same spell of a shared processor, so that
    the ratio within a round repeats where no time does. What a spell that begins between two calls does to a ratio
    is cut off with the outer quarters. Set-up is taken out by the short calls, as in the slope of T(n):

        time an iteration ~ T(n_long) - T(n_short)

    Args:
        rounds: one launch.
        head: the arm in question.
        bases: the arms that it is compared with; copies of one program, of which the mean logarithm is taken.

    Returns:
        ``nan`` where the long calls do not stand out from the short ones.

    >>> long, short = np.array([[1100.0, 1200.0]] * 8), np.array([[200.0, 200.0]] * 3)
    >>> round(math.exp(log_ratio(Rounds(long, short, 100, 10), 1, 0)), 4)
    1.1111
    """
    long, short = np.log(rounds.long_ns), np.log(rounds.short_ns)
    # One base at a time: the mean of two skewed times is less skewed than one, and the head would seem quicker.
    rises_long = statistics.fmean(middle(long[:, head] - long[:, base]) for base in bases)
    rises_short = statistics.fmean(middle(short[:, head] - short[:, base]) for base in bases)
    # Of the base: how much of a long call a short one takes, in rounds that have both.
    share = math.exp(statistics.fmean(middle(short[:, base] - long[::SHORT_EVERY, base]) for base in bases))
    rise = math.exp(rises_long) - share * math.exp(rises_short)
    return math.log(rise / (1 - share)) if rise > 0 and share < 1 else math.nan


def middle(values: npt.NDArray[np.float64]) -> float:
    """The mean of the middle half: as robust as a median against spells, and steadier.

    >>> middle(np.array([0.0, 1.0, 2.0, 3.0, 100.0, 4.0, 5.0, -90.0]))
    2.5
    """
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def typical_ns(rounds: Rounds, arm: int) -> float:
    """Nanoseconds an iteration of one arm, from the tenth percentile of its long calls and of its short ones."""
    long_ns, short_ns = _quick_ns(rounds, arm)
    return (long_ns - short_ns) / (rounds.n_long - rounds.n_short)


def setup_share(rounds: Rounds, arm: int) -> float:
    """The share of set-up in a long call of one arm, 0 to 1."""
    long_ns, short_ns = _quick_ns(rounds, arm)
    return min(1.0, max(0.0, (short_ns - rounds.n_short * typical_ns(rounds, arm)) / long_ns))


def _quick_ns(rounds: Rounds, arm: int) -> tuple[float, float]:
    long_ns, short_ns = (float(np.quantile(times[:, arm], 0.1)) for times in (rounds.long_ns, rounds.short_ns))
    return long_ns, short_ns


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean logarithm of a ratio over launches, with its 95 % t-interval."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """From one value a launch, two at least."""
        return cls(statistics.fmean(values), half_width(values))

    @property
    def low(self) -> float:
        """Its lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.mean + self.half
