"""The speed of the processor, looked at between calls: how long a loop of the judge's own takes there."""

import math
import time

STEPS = 1_000
"""Of the loop: 25 to 40 us."""

SLOWED = 1.4
"""The loop takes up to 1.2 times as long where the clock of a processor changes by itself, and 1.7 to 2.2 times where
something else computes on the same core."""

CONFIRMED = 3
"""Looks that must have found the processor as quick: a single one may be a clock's mistake."""


def loop_ns() -> int:
    """How long the loop takes now, on the processor that this thread is on."""
    began_ns = time.perf_counter_ns()
    for _ in range(STEPS):
        pass
    return time.perf_counter_ns() - began_ns


class Pace:
    """Looks at the speed of the processor."""

    def __init__(self) -> None:
        self._quickest_ns: list[int] = []

    def look(self) -> int:
        """How long the loop takes now."""
        found_ns = loop_ns()
        self._quickest_ns = sorted([*self._quickest_ns, found_ns])[:CONFIRMED]
        return found_ns

    @property
    def quickest_ns(self) -> float:
        """What the loop takes at its quickest, as a few looks have confirmed; infinite before them."""
        return self._quickest_ns[-1] if len(self._quickest_ns) == CONFIRMED else math.inf


PACE = Pace()
"""Of this process: full speed that was seen in one session, or while the limits were measured, is known in the next."""
