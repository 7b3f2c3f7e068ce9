"""Judge and workers on one processor: a hand-over there takes 10 us, and between two processors 30 to 180 us.

A virtual processor that falls idle is taken away, and comes back late and cold. Where judge and worker share one it
never falls idle. Which one is drawn anew for every launch, so that a busy one spoils a launch and not a comparison.
"""

import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


def processors() -> int:
    """How many processors this thread may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


@contextmanager
def on_one_processor(pids: Iterable[int], order: random.Random) -> Iterator[Callable[[], None] | None]:
    """Keep this thread, and all threads of some processes, on one processor at a time while the block lasts.

    Args:
        pids: the processes; they are not let go of afterwards.
        order: draws the processor, from those that this thread may use.

    Yields:
        What moves them all to the next processor; ``None`` where the system does not let its threads be placed.
    """
    try:
        allowed = os.sched_getaffinity(0)
        processors = sorted(allowed)
        order.shuffle(processors)
        os.sched_setaffinity(0, allowed)
    except (AttributeError, OSError):
        yield None
        return
    placed, turns = list(pids), itertools.cycle(processors)

    def move() -> None:
        for processor in itertools.islice(turns, len(processors)):
            # One that was taken away meanwhile is passed over; where all were, they stay where they are.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {processor})
                for pid in placed:
                    _place(pid, processor)
                return

    try:
        move()
        yield move
    finally:
        # Those that are left of them, says the kernel.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, allowed)


def _place(pid: int, processor: int) -> None:
    # A thread may end meanwhile, and so may the worker.
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread), {processor})
