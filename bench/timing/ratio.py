"""How many times the cost of one loop another has, from calls of both that alternate."""

import math
import statistics
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Nanoseconds = npt.NDArray[np.float64]
Iterations = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rounds:
    """The calls of one launch of several arms, each round a long and a short call of every arm, in an order drawn anew.

    Attributes:
        long_ns: wall time of the long calls, (rounds, arms). Those of a round ask for the same iterations.
        short_ns: of the short calls, (rounds, arms).
        n_long: iterations of the long calls of each round, (rounds,).
        n_short: of the short ones, (rounds,).
    """

    long_ns: Nanoseconds
    short_ns: Nanoseconds
    n_long: Iterations
    n_short: Iterations


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

    >>> long, short = np.array([[1100.0, 1200.0]] * 8), np.array([[200.0, 200.0]] * 8)
    >>> launch = Rounds(long, short, np.full(8, 100), np.full(8, 10))
    >>> round(math.exp(log_ratio(launch, 1, 0)), 4)
    1.1111
    """
    long, short = np.log(rounds.long_ns), np.log(rounds.short_ns)
    # One base at a time: the mean of two skewed times is less skewed than one, and the head would seem quicker.
    rises_long = statistics.fmean(middle(long[:, head] - long[:, base]) for base in bases)
    rises_short = statistics.fmean(middle(short[:, head] - short[:, base]) for base in bases)
    # Of the base: how much of a long call a short one takes.
    share = math.exp(statistics.fmean(middle(short[:, base] - long[:, base]) for base in bases))
    rise = math.exp(rises_long) - share * math.exp(rises_short)
    return math.log(rise / (1 - share)) if rise > 0 and share < 1 else math.nan


def parts(rounds: Rounds, size: int) -> list[Rounds]:
    """One launch as several, of so many rounds each. What is left over is left out.

    >>> launch = Rounds(np.ones((14, 2)), np.ones((14, 2)), np.full(14, 100), np.full(14, 10))
    >>> [(part.long_ns.shape, part.short_ns.shape) for part in parts(launch, 6)]
    [((6, 2), (6, 2)), ((6, 2), (6, 2))]
    """
    starts = range(0, len(rounds.long_ns) - size + 1, size)
    each = [slice(start, start + size) for start in starts]
    return [
        Rounds(rounds.long_ns[part], rounds.short_ns[part], rounds.n_long[part], rounds.n_short[part]) for part in each
    ]


def middle(values: npt.NDArray[np.float64]) -> float:
    """The mean of the middle half: as robust as a median against spells, and steadier.

    >>> middle(np.array([0.0, 1.0, 2.0, 3.0, 100.0, 4.0, 5.0, -90.0]))
    2.5
    """
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def typical_ns(rounds: Rounds, arm: int) -> float:
    """Nanoseconds an iteration of one arm: the tenth percentile over its long calls, less their set-up."""
    return float(np.quantile(rounds.long_ns[:, arm] / rounds.n_long, 0.1)) * (1 - setup_share(rounds, arm))


def setup_share(rounds: Rounds, arm: int) -> float:
    """The share of set-up in a long call of one arm, 0 to 1; by the calls of a round, as `log_ratio` takes them."""
    short_over_long = middle(np.log(rounds.short_ns[:, arm] / rounds.long_ns[:, arm]))
    iterations = float(np.mean(rounds.n_short / rounds.n_long))
    return min(1.0, max(0.0, (math.exp(short_over_long) - iterations) / (1 - iterations)))
