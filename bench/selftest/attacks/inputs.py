"""Inputs that are written to, by every way there is."""

import ctypes
import mmap
import sys
from typing import Any

import numpy as np

from bench import Descent, Problem
from bench.problems.problem import Array
from bench.selftest.descent import honest


def in_place(problem: Problem, n_iters: int) -> Descent:
    """Scales x in place."""
    x = problem.x
    x /= 2
    return honest(problem, n_iters)


def made_writeable(problem: Problem, n_iters: int) -> Descent:
    """Lifts the write protection of x, and scales it."""
    found = honest(problem, n_iters)
    problem.x.flags.writeable = True
    problem.x[...] /= 2
    return found


def start_in_place(problem: Problem, n_iters: int) -> Descent:
    """Descends in the array of the start itself."""
    problem.w0.flags.writeable = True
    found = honest(problem, n_iters)
    problem.w0[...] = found.w
    return Descent(problem.w0, found.b)


def by_address(problem: Problem, n_iters: int) -> Descent:
    """Overwrites y through its address."""
    found = honest(problem, n_iters)
    ctypes.memset(_address(problem.y), 1, problem.y.nbytes)
    return found


def by_remapping(problem: Problem, n_iters: int) -> Descent:
    """Makes the pages of x writeable in the memory map, and overwrites them."""
    found = honest(problem, n_iters)
    page = _address(problem.x) & -mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) != 0:
        raise PermissionError(ctypes.get_errno(), "mprotect")
    ctypes.memset(_address(problem.x), 0, problem.x.nbytes)
    return found


def borrowed(problem: Problem, n_iters: int) -> Descent:
    """Uses x as scratch space, and puts everything back before it returns."""
    found = honest(problem, n_iters)
    kept = problem.x.copy()
    ctypes.memset(_address(problem.x), 0, problem.x.nbytes)
    ctypes.memmove(_address(problem.x), kept.ctypes.data, kept.nbytes)
    return found


def pristine_too(problem: Problem, n_iters: int) -> Descent:
    """Halves x and the bytes in its caller that x is to be compared with; in the next call it doubles both."""
    pristine = _pristine()
    halved = _HALVED.setdefault(id(pristine), [pristine, False])
    x = problem.x * 2 if halved[1] else problem.x
    found = honest(Problem(x, problem.y, problem.w0, problem.b0, problem.lr), n_iters)
    factor = 2.0 if halved[1] else 0.5
    bytes_of_x = np.frombuffer(pristine, problem.x.dtype)
    bytes_of_x *= factor
    problem.x.flags.writeable = True
    problem.x[...] *= factor
    halved[1] = not halved[1]
    return found


_HALVED: dict[int, list[Any]] = {}


def _pristine() -> Any:
    frame: Any = sys._getframe()
    while frame is not None:
        pristine = getattr(frame.f_locals.get("data"), "x", None)
        if pristine is not None:
            return pristine
        frame = frame.f_back
    raise PermissionError("nothing to write to")


def torch_in_place(problem: Problem, n_iters: int) -> Descent:
    """Centres x in place, in torch, which cannot protect it."""
    problem.x.sub_(problem.x.mean())
    w = problem.w0.clone()
    return Descent(w, None if problem.b0 is None else problem.b0.clone())


def kept_for_later(problem: Problem, n_iters: int) -> Descent:
    """Keeps the arrays of the first call, and descends on those."""
    _KEPT.setdefault((problem.x.shape, problem.y.shape), problem)
    first = _KEPT[problem.x.shape, problem.y.shape]
    return honest(Problem(first.x, first.y, problem.w0, problem.b0, problem.lr), n_iters)


_KEPT: dict[object, Problem] = {}


def _address(array: Array) -> int:
    plain: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = array
    return int(plain.__array_interface__["data"][0])
