"""A mean and its interval by Student's t: what launches say together, in every figure that gdbench gives."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

CUT = 5
"""Of more than so many launches, one is cut off at either end, and one more for each so many more: a clock may change
by itself, and a spell of noise may spoil a launch altogether. Of five none is: three values bound little."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of some values, and half of its interval, in their unit."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float], *, missing: float = 0.05, cut: int = 0) -> Self:
        """The mean without the outermost values, and its interval.

        The interval is that of Tukey and McLaughlin, "Less vulnerable confidence and significance procedures for
        location based on a single sample", Sankhya A 25 (1963), pages 331-352: the squares are summed with each value
        that is cut put in the place of the nearest one that is not. With nothing cut it is Student's.

        Args:
            values: one a launch, at least two besides those that are cut.
            missing: the share of cases in which the interval may miss.
            cut: how many are left out at either end.

        >>> round(Estimate.of([1.0, 2.0, 3.0]).half, 3)
        2.484
        >>> found = Estimate.of([0.0, 1.0, 2.0, 3.0, 9.0], cut=1)
        >>> found.mean, round(found.half, 2)
        (2.0, 3.51)
        """
        ordered = sorted(values)
        kept = ordered[cut : len(ordered) - cut]
        put_in = [*kept, *[kept[0], kept[-1]] * cut]
        error = statistics.stdev(put_in) * math.sqrt((len(put_in) - 1) / (len(kept) * (len(kept) - 1)))
        return cls(statistics.fmean(kept), students(len(kept) - 1, missing) * error)

    @classmethod
    def of_launches(cls, values: Sequence[float], *, missing: float = 0.05) -> Self:
        """The same of launches, of which some at either end are cut off: see `CUT`.

        >>> round(Estimate.of_launches([0.01, 0.0, -0.01, 0.02, 0.0, -0.02, 0.01, 3.0]).mean, 4)
        0.005
        """
        return cls.of(values, missing=missing, cut=(len(values) - 1) // CUT)

    @property
    def low(self) -> float:
        """Its lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.mean + self.half


def students(freedom: int, missing: float = 0.05) -> float:
    """So many standard errors to each side miss the truth in that share of cases.

    >>> round(students(4), 3)
    2.776
    """
    # scipy.special holds the same quantile as scipy.stats and is imported in a third of the time.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(freedom, 1 - missing / 2))
