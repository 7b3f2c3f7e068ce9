"""Whether the machine slept: deadlines and timings are by clocks that stand still then, and what spans it is void."""

import time

NOTICED_NS = 1_000_000
"""A shorter sleep is no sleep: reading the two clocks one after the other takes a microsecond."""


def asleep_ns() -> int:
    """How long the machine has been suspended since it started; 0 where no clock tells.

    `time.perf_counter` and `time.monotonic` are CLOCK_MONOTONIC on Linux, and stand still while it sleeps, so that no
    deadline runs out meanwhile; CLOCK_BOOTTIME goes on.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is None:
        return 0
    return max(0, time.clock_gettime_ns(boot) - time.clock_gettime_ns(time.CLOCK_MONOTONIC))
