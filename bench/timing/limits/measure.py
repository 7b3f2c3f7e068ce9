"""Measuring what the processor can do, with NumPy alone: once a process, in about a second.

Every quantity is the best of many short tries. The tries of all quantities take turns, because a shared core may be
slowed for half a second at a time: a rate is then too low only where all of its tries fell into such spells.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.timing.limits.caches import KIB, Cache, caches
from bench.timing.limits.machine import Level, Limits
from bench.timing.trust import floor_ns

BUDGET_NS = 800_000_000
FEWEST_ROUNDS = 5
READ_BYTES = 2 << 20
"""What one try reads at least; calling NumPy is then under a hundredth of it."""

MATRIX = 192
"""Rows of the square matrices whose product gives the arithmetic rate: in L2, and long enough to be at full speed."""

ARITHMETIC = ("float64", "float32")
"""What NumPy multiplies at the processor's speed. Shorter dtypes it emulates, and no rate is claimed for them."""

BEYOND_CACHES = 4
FEWEST_MEMORY_BYTES, MOST_MEMORY_BYTES = 64 * KIB**2, 256 * KIB**2
"""The working set in memory. Under a cache of more than that the rate of the cache is taken, which is faster."""

Task = Callable[[], object]


@cache
def measured(threads: int = 1) -> Limits:
    """The limits of this machine's processor, measured once a process; see `measure`."""
    return measure(threads)


def measure(threads: int = 1) -> Limits:
    """The limits of this machine's processor as they are seen now.

    Args:
        threads: how many a worker may use; as many read and compute here at the same time, each its own data.
    """
    known = caches()
    sets = _working_sets(known)
    reading = [[_reading(size_bytes) for _ in range(threads)] for _, size_bytes in sets]
    multiplying = [[_multiplying(name) for _ in range(threads)] for name in ARITHMETIC]
    least_ns = _least_ns([[task for task, _ in tasks] for tasks in (*reading, *multiplying)], threads)
    rates = [
        sum(amount for _, amount in tasks) / ns for tasks, ns in zip((*reading, *multiplying), least_ns, strict=True)
    ]
    # Nothing is read faster from further away; where it seems so, the nearer level was measured in a busy moment.
    for near in reversed(range(len(sets) - 1)):
        rates[near] = max(rates[near], rates[near + 1])
    capacities = [each.capacity_bytes * (1 if each.shared else threads) for each in known]
    return Limits(
        threads=threads,
        levels=tuple(
            Level(name, capacity_bytes, rate)
            for (name, _), capacity_bytes, rate in zip(sets, [*capacities, None], rates, strict=False)
        ),
        operations_per_ns=dict(zip(ARITHMETIC, rates[len(sets) :], strict=True)),
        chain_ns=floor_ns(),
    )


def _working_sets(known: Sequence[Cache]) -> list[tuple[str, int]]:
    """Each level's name, with the bytes that are read from it: well inside it, and well outside the level before."""
    sets = [(known[0].name, known[0].capacity_bytes // 2)]
    for near, far in pairwise(known):
        sets.append((far.name, math.isqrt(near.capacity_bytes * far.capacity_bytes)))
    beyond = BEYOND_CACHES * known[-1].capacity_bytes
    return [*sets, ("memory", min(MOST_MEMORY_BYTES, max(FEWEST_MEMORY_BYTES, beyond)))]


def _reading(size_bytes: int) -> tuple[Task, int]:
    """A task that reads a working set of that size again and again, and the bytes that it reads.

    It is a scalar product of the set's two halves, which every BLAS does at the speed of its loads.
    """
    length = size_bytes // 16
    repeats = max(1, READ_BYTES // size_bytes)
    rows = np.broadcast_to(np.ones(length), (repeats, 1, length))
    return _product(rows, np.ones((length, 1))), 16 * length * repeats


def _multiplying(dtype: str) -> tuple[Task, int]:
    matrix = np.ones((MATRIX, MATRIX), dtype)
    return _product(matrix, matrix), 2 * MATRIX**3


def _product(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Task:
    out = np.empty((*left.shape[:-1], right.shape[-1]), left.dtype)
    return lambda: np.matmul(left, right, out=out)


def _least_ns(groups: Sequence[Sequence[Task]], threads: int) -> list[int]:
    """The least time that each group of tasks took, its tasks at the same time, one a thread."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only what measures needs it

    least_ns = [1 << 62] * len(groups)
    began_ns, rounds = time.perf_counter_ns(), 0
    # The threads are ours, so that caches and cores are shared as they are in a worker; NumPy lets go of Python's lock.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        while rounds < FEWEST_ROUNDS or time.perf_counter_ns() - began_ns < BUDGET_NS:
            for place, tasks in enumerate(groups):
                least_ns[place] = min(least_ns[place], _once_ns(tasks, pool))
            rounds += 1
    return least_ns


def _once_ns(tasks: Sequence[Task], pool: ThreadPoolExecutor) -> int:
    began_ns = time.perf_counter_ns()
    others = [pool.submit(task) for task in tasks[1:]]
    tasks[0]()
    for other in others:
        other.result()
    return time.perf_counter_ns() - began_ns
