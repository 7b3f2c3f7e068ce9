"""Judge and workers on one processor: a hand-over there takes 10 us, and between two processors 30 to 180 us.

A virtual processor that falls idle is taken away, and comes back late and cold. Where judge and worker share one it
never falls idle. Which one is drawn anew for every launch, so that a busy one spoils a launch and not a comparison.
"""

import contextlib
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def on_one_processor(pids: Iterable[int], order: random.Random) -> Iterator[int | None]:
    """Keep this thread, and all threads of some processes, on one processor while the block lasts.

    Args:
        pids: the processes; they are not let go of afterwards.
        order: draws the processor, from those that this thread may use.

    Yields:
        The processor's number; ``None`` where the system does not let its threads be placed.
    """
    try:
        allowed = os.sched_getaffinity(0)
        processor = order.choice(sorted(allowed))
        os.sched_setaffinity(0, {processor})
    except (AttributeError, OSError):
        yield None
        return
    try:
        for pid in pids:
            _place(pid, processor)
        yield processor
    finally:
        os.sched_setaffinity(0, allowed)


def _place(pid: int, processor: int) -> None:
    # A thread may end meanwhile, and so may the worker.
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread), {processor})
