"""Whether a timing can be believed: what the kernel knows of its calls, their set-up, the least time there is."""

import time
from collections.abc import Sequence
from functools import cache

import numpy as np

from bench.timing.noise import percent
from bench.timing.plan import SETUP_SHARE, Plan
from bench.timing.record import Flag
from bench.timing.slope import HANDOVER_NS, Sample, of_lengths

FLAGGED_SETUP_SHARE = 2 * SETUP_SHARE
"""The plan aims at `SETUP_SHARE`; up to twice that is the plan's own imprecision."""

FLAGGED_PROCESSORS = 1.15
FLAGGED_BETWEEN = 0.1
BETWEEN_NS = 60_000
"""A worker takes its reply apart and waits for the next request: 20 us of processor time, more with torch."""

FLAGGED_IDLE = 0.25
CHAIN = 4096
REPEATS = 200
CAUTION = 0.2
"""NumPy's running sum takes about twice as long an element as the dependent addition in it; half of that is taken."""


def flags(
    samples: Sequence[Sample], plan: Plan, *, threads: int, setup_share: float, on_cpu: bool = True
) -> dict[Flag, str]:
    """What is doubtful about the calls of a cell, each with its figures in words.

    Args:
        samples: of all its launches.
        plan: what they followed.
        threads: that the array library may use.
        setup_share: share of set-up in the largest call of the launch that had the least.
        on_cpu: whether the processor does the work; it waits for any other device.

    >>> flags([Sample(8, 10**6, 19 * 10**5, 0)], Plan(1, 8, 1), threads=1, setup_share=0.1)
    {<Flag.PROCESSORS: 'used more processors than it was given'>: 'used 1.9 processors where 1 was given'}
    """
    found: dict[Flag, str] = {}
    elapsed_ns = max(1, sum(sample.elapsed_ns for sample in samples))
    used = sum(sample.cpu_ns for sample in samples) / elapsed_ns
    if used > FLAGGED_PROCESSORS * threads:
        given = "1 was" if threads == 1 else f"{threads} were"
        found[Flag.PROCESSORS] = f"used {used:.1f} processors where {given} given"
    between = _typically_between(of_lengths(samples, plan)[1])
    # The threads of a parallel library spin for a while after their work.
    if threads == 1 and between > FLAGGED_BETWEEN:
        found[Flag.BETWEEN_CALLS] = f"worked {percent(between)} of the time of its calls before them"
    idle = max((_typically_idle(calls) for calls in of_lengths(samples, plan)), default=0.0)
    if on_cpu and idle > FLAGGED_IDLE:
        found[Flag.IDLE] = f"neither computed nor waited for a processor in {percent(idle)} of its calls"
    if setup_share > FLAGGED_SETUP_SHARE:
        found[Flag.SETUP] = f"set-up is {percent(setup_share)} of the largest call"
    return found


def impossible(highest_ns: float, floor_ns: float) -> str | None:
    """Why a slope cannot be that of iterations; ``None`` where it can.

    Args:
        highest_ns: the upper end of its interval.
        floor_ns: the least that any iteration takes.
    """
    if highest_ns >= floor_ns:
        return None
    return (
        f"impossible: {highest_ns:.2g} ns an iteration at most, where this machine needs {floor_ns:.2g} ns for any "
        "update that depends on the one before; it does not iterate"
    )


@cache
def floor_ns() -> float:
    """The least time of an iteration on this machine's processor, in nanoseconds.

    An update needs the result of the one before, so that it takes one dependent addition at the very least. The
    quickest of many running sums of numbers in the nearest cache is the measure, cut to `CAUTION` of itself.
    """
    numbers, sums = np.zeros(CHAIN), np.empty(CHAIN)
    least_ns = min(_running_sum_ns(numbers, sums) for _ in range(REPEATS))
    return CAUTION * least_ns / CHAIN


def _running_sum_ns(numbers: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", sums: object) -> int:
    began_ns = time.perf_counter_ns()
    np.cumsum(numbers, out=sums)  # type: ignore[call-overload]
    return time.perf_counter_ns() - began_ns


def _typically_between(calls: Sequence[Sample]) -> float:
    """The share of work before them in the calls that decide a timing, the quickest quarter of the long ones.

    What taking a reply apart costs is lost in a long call; in the short ones of a slow spell it is not.
    """
    shares = [max(0, call.between_ns - BETWEEN_NS) / max(1, call.elapsed_ns) for call in _quickest(calls)]
    return float(np.median(shares)) if shares else 0.0


def _typically_idle(calls: Sequence[Sample]) -> float:
    """The share of idle time in the quickest quarter of the calls: a busy machine only ever adds to it.

    Not in the least idle call: on a shared processor waiting from before a call may be counted in it.
    """
    known = _quickest([call for call in calls if call.cpu_ns > 0])
    shares = [(call.elapsed_ns - call.cpu_ns - call.queue_ns - HANDOVER_NS) / call.elapsed_ns for call in known]
    return float(np.median(shares)) if shares else 0.0


def _quickest(calls: Sequence[Sample]) -> list[Sample]:
    return sorted(calls, key=lambda call: call.elapsed_ns)[: max(1, len(calls) // 4)]
