"""Measuring what the processor can do, with NumPy alone: in about a second, or in short spells between launches.

Every quantity is the best of many short tries. The tries of all quantities take turns, because a shared core may be
slowed for half a second at a time: a rate is then too low only where all of its tries fell into such spells.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from itertools import accumulate, cycle, pairwise
from threading import Barrier
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.judge.affinity import processors
from bench.timing.limits.caches import KIB, Cache, caches
from bench.timing.limits.machine import Level, Limits
from bench.timing.speed import PACE
from bench.timing.trust import floor_ns

BUDGET_NS = 800_000_000
"""Of tries in a row."""

SPELL_NS, SPELLS_NS = 20_000_000, 120_000_000
"""Of tries in spells between launches, and of all of them: spread over seconds, fewer find a quiet moment as well."""

FEWEST_ROUNDS = 5
READ_BYTES = 2 << 20
"""What one try reads at least; calling NumPy is then under a hundredth of it."""

PART_BYTES = 16 << 20
"""A larger working set is read in parts by turns, one a try: a short try more often meets a quiet moment."""

MATRIX = 192
"""Rows of the square matrices whose product gives the arithmetic rate: in L2, and long enough to be at full speed."""

ARITHMETIC = ("float64", "float32")
"""What NumPy multiplies at the processor's speed. Shorter dtypes it emulates, and no rate is claimed for them."""

BEYOND_CACHES, WELL_BEYOND = 4, 2
FEWEST_MEMORY_BYTES, MOST_MEMORY_BYTES = 64 * KIB**2, 256 * KIB**2
"""The working set in memory. Where the most is not well beyond the last cache, memory is not measured, and that cache
is the last level: beside one of 260 MiB, to fill 256 MiB took 0.7 s and left the cache less than half of its rate."""

Task = Callable[[], object]
Try = tuple[Task, int]
"""What is done, and how many bytes it reads or operations it makes."""


class Measurement:
    """Tries of every quantity, as many at a time as there is time for; the limits are the best of all so far."""

    def __init__(self, threads: int = 1) -> None:
        """Make ready; nothing is tried yet.

        Args:
            threads: how many a worker may use; as many read and compute here at the same time, each its own data, and
                no more than there are processors for them.
        """
        self._processors = processors()
        self._threads = threads = min(threads, self._processors)
        self._caches = caches()
        self._sets = working_sets(self._caches, threads, self._processors)
        reading = [[_reading(size_bytes) for _ in range(threads)] for size_bytes in self._sets]
        multiplying = [[_multiplying(name) for _ in range(threads)] for name in ARITHMETIC]
        self._tries = [*reading, *multiplying]
        self._rates = [0.0] * len(self._tries)
        self._rounds = self._spent_ns = 0

    @property
    def half(self) -> bool:
        """Whether half of the tries are made; the others are for quieter moments."""
        return 2 * self._spent_ns >= SPELLS_NS

    @property
    def enough(self) -> bool:
        """Whether there were tries enough, and none will be made any more."""
        return self._spent_ns >= SPELLS_NS

    def go_on(self, spell_ns: int) -> None:
        """Spend about so much more, one round of all quantities at least, and enough rounds in all."""
        if not self._tries:
            return
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only what measures needs it

        began_ns, least = time.perf_counter_ns(), self._rounds + 1
        # The threads are ours, so that caches and cores are shared as in a worker; NumPy lets go of Python's lock.
        with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(self._threads) as pool:
            while self._rounds < max(least, FEWEST_ROUNDS) or time.perf_counter_ns() - began_ns < spell_ns:
                for place, tries in enumerate(self._tries):
                    self._rates[place] = max(self._rates[place], rate_of(tries, pool))
                    PACE.look()
                self._rounds += 1
        self._spent_ns += time.perf_counter_ns() - began_ns
        if self.enough:
            # Also what they read: a hundred megabytes or more.
            self._tries.clear()

    def limits(self) -> Limits:
        """The limits of this machine's processor as they were seen so far."""
        rates = self._rates.copy()
        reading, computing = rates[: len(self._sets)], rates[len(self._sets) :]
        # Nothing is read faster from further away; where it seems so, the nearer level was measured in a busy moment.
        reading = list(accumulate(reversed(reading), max))[::-1]
        places: list[tuple[str, int | None]] = [
            (each.name, each.total_bytes(self._threads, self._processors)) for each in self._caches
        ]
        places.append(("memory", None))
        return Limits(
            threads=self._threads,
            # Memory has a rate only where it was measured.
            levels=tuple(Level(*place, rate) for place, rate in zip(places, reading, strict=False)),
            operations_per_ns=dict(zip(ARITHMETIC, computing, strict=True)),
            chain_ns=floor_ns(),
        )


@cache
def measurement(threads: int = 1) -> Measurement:
    """The measurement of this process, made once; nothing is tried yet when it is first asked for."""
    return Measurement(threads)


def measure(threads: int = 1) -> Limits:
    """The limits of this machine's processor as they are seen now, for so many threads of a worker."""
    now = Measurement(threads)
    now.go_on(BUDGET_NS)
    return now.limits()


def working_sets(known: Sequence[Cache], threads: int = 1, processors: int = 1) -> list[int]:
    """The bytes that each thread reads from each level: all together well inside it, and well outside the one before.

    Args:
        known: the caches, the nearest first.
        threads: how many read at the same time; they divide what they share.
        processors: all that they may use.

    Returns:
        One for each cache and, where `MOST_MEMORY_BYTES` lie well outside the last one, one for memory.

    >>> near, far = Cache("L1", 32 * KIB, sharers=2), Cache("L2", 2 * KIB**2, sharers=2)
    >>> [size_bytes // KIB for size_bytes in working_sets([near, far])]
    [16, 256, 65536]
    >>> [size_bytes // KIB for size_bytes in working_sets([near, far, Cache("L3", 260 * KIB**2, sharers=16)])]
    [16, 256, 23350]
    >>> shared = [near, far, Cache("L3", 32 * KIB**2, sharers=16)]
    >>> [[size_bytes // KIB for size_bytes in working_sets(shared, threads, 16)] for threads in (1, 4)]
    [[16, 256, 8192, 131072], [16, 256, 4096, 32768]]
    """
    totals = [each.total_bytes(threads, processors) for each in known]
    sets = [totals[0] // 2, *(math.isqrt(near * far) for near, far in pairwise(totals))]
    last_bytes = max(totals)
    if WELL_BEYOND * last_bytes <= MOST_MEMORY_BYTES:
        sets.append(min(MOST_MEMORY_BYTES, max(FEWEST_MEMORY_BYTES, BEYOND_CACHES * last_bytes)))
    return [size_bytes // threads for size_bytes in sets]


def _reading(size_bytes: int) -> Try:
    """A task that reads a working set of that size again and again, or its next part, and the bytes that it reads.

    It is a scalar product of two halves, which every BLAS does at the speed of its loads.
    """
    parts = math.ceil(size_bytes / PART_BYTES)
    length = size_bytes // (16 * parts)
    repeats = max(1, READ_BYTES // size_bytes)

    def part() -> Task:
        rows = np.broadcast_to(np.ones(length), (repeats, 1, length))
        return _product(rows, np.ones((length, 1)))

    by_turns = cycle([part() for _ in range(parts)])

    def read() -> object:
        return next(by_turns)()

    return read, 16 * length * repeats


def _multiplying(dtype: str) -> Try:
    matrix = np.ones((MATRIX, MATRIX), dtype)
    return _product(matrix, matrix), 2 * MATRIX**3


def _product(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Task:
    out = np.empty((*left.shape[:-1], right.shape[-1]), left.dtype)
    return lambda: np.matmul(left, right, out=out)


def rate_of(tries: Sequence[Try], pool: Executor) -> float:
    """What these do at the same time, in bytes or operations an ns.

    How long the other threads take to begin, often longer than a try, is not in it: each try is timed by itself. What
    does not overlap is seen too fast, and a limit is then too low, never too high.

    Args:
        tries: one for each thread.
        pool: has threads for all but the first, which is made in this one.
    """
    begin = Barrier(len(tries))
    others = [pool.submit(_own_rate, each, begin) for each in tries[1:]]
    return _own_rate(tries[0], begin) + sum(other.result() for other in others)


def _own_rate(one: Try, begin: Barrier) -> float:
    task, amount = one
    begin.wait()
    began_ns = time.perf_counter_ns()
    task()
    return amount / (time.perf_counter_ns() - began_ns)
