"""Honest while it is proved, cheating once it believes to be timed."""

import time
from collections import Counter

import numpy as np

from bench import Descent, Problem
from bench.selftest.descent import honest, statistics_of

_CALLS: Counter[int] = Counter()
_ALL = -1
_LONGEST: dict[str, float] = {"n": 0.0, "seconds": 0.0}
_FIRST: dict[object, Descent] = {}
_BEGAN = time.monotonic()


def by_many_calls(problem: Problem, n_iters: int) -> Descent:
    """After sixty calls, more than a proof makes, returns the start."""
    _CALLS[_ALL] += 1
    return honest(problem, n_iters if _CALLS[_ALL] <= 60 else 0)


def by_repeated_length(problem: Problem, n_iters: int) -> Descent:
    """Once a length has been asked for twelve times, returns its first answer."""
    _CALLS[n_iters] += 1
    if _CALLS[n_iters] <= 12:
        _FIRST[n_iters] = honest(problem, n_iters)
    return _FIRST[n_iters]


def by_two_lengths(problem: Problem, n_iters: int) -> Descent:
    """Once the same two lengths alternate, wastes time in the short calls, so that the slope is half of what it was."""
    _CALLS[n_iters] += 1
    common = sorted(n for n, times in _CALLS.most_common(2) if times > 6)
    if len(common) == 2 and n_iters == common[0] <= common[1] // 4:
        honest(problem, common[1] // 2)
    return honest(problem, n_iters)


def by_long_calls(problem: Problem, n_iters: int) -> Descent:
    """Makes at most 1100 iterations, more than a proof watches and enough to converge: right answers."""
    if problem.w0.size > 1 or problem.b0 is not None:
        return honest(problem, n_iters)
    hessian, linear = (float(part[0, 0]) for part in statistics_of(problem))
    w = float(problem.w0[0, 0])
    for _ in range(min(n_iters, 1100)):
        w -= problem.lr * (hessian * w - linear)
    return Descent(np.full_like(problem.w0, w))


def by_one_iteration(problem: Problem, n_iters: int) -> Descent:
    """Leaves out the last iteration of calls longer than 1100."""
    return honest(problem, n_iters - 1 if n_iters > 1100 else n_iters)


def padded_short_calls(problem: Problem, n_iters: int) -> Descent:
    """Spins in short calls until they take nearly as long as the long ones, so that the slope is flat."""
    began = time.perf_counter()
    found = honest(problem, n_iters)
    _pad(n_iters, began, sleep=False)
    return found


def sleeping_short_calls(problem: Problem, n_iters: int) -> Descent:
    """Sleeps in short calls until they take nearly as long as the long ones."""
    began = time.perf_counter()
    found = honest(problem, n_iters)
    _pad(n_iters, began, sleep=True)
    return found


def _pad(n_iters: int, began: float, *, sleep: bool) -> None:
    now = time.perf_counter()
    if n_iters >= 0.8 * _LONGEST["n"]:
        _LONGEST["n"], _LONGEST["seconds"] = max(_LONGEST["n"], n_iters), now - began
        return
    until = began + min(0.1, 0.9 * _LONGEST["seconds"] * (0.8 if n_iters < 100 else 1.0))
    if sleep and until > now:
        time.sleep(until - now)
    while time.perf_counter() < until:
        pass
