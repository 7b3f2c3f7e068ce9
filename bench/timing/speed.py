"""The speed of the processor, looked at between calls: how long a loop of the judge's own takes there."""

import time

STEPS = 1_000
"""Of the loop: 25 to 40 us."""

SLOWED = 1.4
"""The loop takes up to 1.2 times as long where the clock of a processor changes by itself, and 1.7 to 2.2 times where
something else computes on the same core."""


def loop_ns() -> int:
    """How long the loop takes now, on the processor that this thread is on."""
    began_ns = time.perf_counter_ns()
    for _ in range(STEPS):
        pass
    return time.perf_counter_ns() - began_ns
