"""The noise of a timing, named in words."""

import math
import statistics
from collections.abc import Sequence

from bench.timing.slope import QUEUE_SHARE

NOTED_DISPERSION = 0.05
NOTED_DRIFT = 0.05


def note(*, slopes: Sequence[float], dispersion: float, queue_share: float) -> str:
    """What a reader should know before trusting the number; empty when it was quiet.

    Args:
        slopes: ns an iteration, of the launches that agree, in the order of time.
        dispersion: IQR over median of the slopes of all launches.
        queue_share: share of the time that the worker waited for a processor.

    >>> note(slopes=[100.0, 101.0, 100.0], dispersion=0.08, queue_share=0.12)
    'launches differ by 8 %; waited 12 % of the time for a processor'
    """
    words = [
        f"launches differ by {percent(dispersion)}" if dispersion > NOTED_DISPERSION else "",
        f"waited {percent(queue_share)} of the time for a processor" if queue_share > QUEUE_SHARE else "",
        _drift(slopes),
    ]
    return "; ".join(word for word in words if word)


def left_out(slowed_ns: Sequence[float], agreeing_ns: Sequence[float], busy: int, launches: int) -> str:
    """How many launches were left out, and for which cause.

    Args:
        slowed_ns: T(n_large) of the launches that were far above the quickest.
        agreeing_ns: T(n_large) of the others.
        busy: launches in which most calls waited for a processor.
        launches: all of them.

    >>> left_out([160.0], [100.0, 100.0], busy=2, launches=5)
    '1 of 5 launches slowed by 60 % and left out; 2 of 5 waited for a processor and left out'
    """
    words = []
    if slowed_ns:
        slower = statistics.median(slowed_ns) / statistics.fmean(agreeing_ns) - 1
        words.append(f"{len(slowed_ns)} of {launches} launches slowed by {percent(slower)} and left out")
    if busy:
        words.append(f"{busy} of {launches} {'' if words else 'launches '}waited for a processor and left out")
    return "; ".join(words)


def spread(slopes: Sequence[float]) -> float:
    """IQR over median.

    >>> spread([1.0, 2.0, 3.0])
    0.5
    """
    low, middle, high = statistics.quantiles(slopes, n=4, method="inclusive")
    return (high - low) / middle if middle > 0 else 0.0


def percent(share: float) -> str:
    """A share as a whole percentage.

    >>> percent(0.081)
    '8 %'
    """
    return f"{100 * share:.0f} %"


def _drift(slopes: Sequence[float]) -> str:
    third = math.ceil(len(slopes) / 3)
    change = statistics.fmean(slopes[-third:]) / statistics.fmean(slopes[:third]) - 1
    if abs(change) <= NOTED_DRIFT:
        return ""
    return f"{'slowed' if change > 0 else 'quickened'} by {percent(abs(change))} during the run"
