"""Answers that are not what was due, or that change after they were given."""

import threading
import time
from typing import Any, cast

import numpy as np

from bench import Descent, Problem
from bench.selftest.descent import honest


def not_a_number(problem: Problem, n_iters: int) -> Descent:
    """Returns NaN, which no comparison holds against it."""
    found = honest(problem, n_iters)
    return Descent(np.full_like(found.w, np.nan), found.b)


def not_a_number_when_long(problem: Problem, n_iters: int) -> Descent:
    """Returns NaN from the thirteenth iteration on."""
    found = honest(problem, n_iters)
    return found if n_iters < 13 else Descent(np.full_like(found.w, np.nan), found.b)


def infinite(problem: Problem, n_iters: int) -> Descent:
    """Returns infinities."""
    found = honest(problem, n_iters)
    return Descent(np.full_like(found.w, np.inf), found.b)


def infinite_when_timed(problem: Problem, n_iters: int) -> Descent:
    """Returns infinities after sixty calls, for bounds that are infinite themselves."""
    _CALLS.append(n_iters)
    found = honest(problem, n_iters if len(_CALLS) <= 60 else 0)
    return found if len(_CALLS) <= 60 else Descent(np.full_like(found.w, np.inf), found.b)


_CALLS: list[int] = []


def losses_not_a_number(problem: Problem, n_iters: int) -> Descent:
    """Reports losses that are NaN."""
    found = honest(problem, n_iters)
    return Descent(found.w, found.b, np.full(n_iters, np.nan, found.w.dtype))


def made_up_losses(problem: Problem, n_iters: int) -> Descent:
    """Reports losses that fall nicely."""
    found = honest(problem, n_iters)
    return Descent(found.w, found.b, np.geomspace(1.0, 1e-9, n_iters).astype(found.w.dtype))


def objects(problem: Problem, n_iters: int) -> Descent:
    """Returns an array of Python objects."""
    found = honest(problem, n_iters)
    return Descent(found.w.astype(object), found.b)


def huge(problem: Problem, n_iters: int) -> Descent:
    """Returns a petabyte of one repeated number."""
    found = honest(problem, n_iters)
    return Descent(np.broadcast_to(found.w.flat[0], (2**25, 2**22)), found.b)


def one_axis_short(problem: Problem, n_iters: int) -> Descent:
    """Returns (1,) where (1, 1) was due."""
    found = honest(problem, n_iters)
    return Descent(found.w.reshape(-1), found.b)


def one_axis_long(problem: Problem, n_iters: int) -> Descent:
    """Returns (1, M, D) where (M, D) was due."""
    found = honest(problem, n_iters)
    return Descent(found.w[np.newaxis], found.b)


def predictions(problem: Problem, n_iters: int) -> Descent:
    """Returns a column of N numbers, one a sample, where the weights were due."""
    found = honest(problem, n_iters)
    return Descent((problem.x @ found.w.T)[:, 0], found.b)


def broadcast_residual(problem: Problem, n_iters: int) -> Descent:
    """Subtracts (N,) from (N, 1), so that the residual is N by N."""
    x, y = problem.x, problem.y[:, 0]
    w = problem.w0.copy()
    for _ in range(n_iters):
        residual = x @ w.T - y
        w -= 2 * problem.lr * (x.T @ residual).mean() * np.ones_like(w)
    return Descent(w, problem.b0)


def wider_dtype(problem: Problem, n_iters: int) -> Descent:
    """Returns float64 where float32 was due."""
    found = honest(problem, n_iters)
    return Descent(found.w.astype(np.float64), None if found.b is None else found.b.astype(np.float64))


def complex_numbers(problem: Problem, n_iters: int) -> Descent:
    """Returns complex numbers without an imaginary part."""
    found = honest(problem, n_iters)
    return Descent(found.w + 0j, found.b)


def lists(problem: Problem, n_iters: int) -> Descent:
    """Returns lists."""
    return Descent(honest(problem, n_iters).w.tolist(), problem.b0)


def no_descent(problem: Problem, n_iters: int) -> Descent:
    """Returns a tuple."""
    found = honest(problem, n_iters)
    return cast(Descent, (found.w, found.b))


def nothing_at_all(problem: Problem, n_iters: int) -> Descent:
    """Returns None."""
    return cast(Descent, None)


class Imitation:
    """Not a descent, but it looks like one."""

    def __init__(self, **named: Any) -> None:
        self.__dict__.update(named)

    @property
    def __class__(self) -> Any:
        """The class that `isinstance` is told."""
        return Descent

    @__class__.setter
    def __class__(self, value: Any) -> None:
        """Cannot be changed."""


def imitation(problem: Problem, n_iters: int) -> Descent:
    """Returns an object that claims to be a Descent and holds the start."""
    found = honest(problem, 0)
    return cast(Descent, Imitation(w=found.w, b=found.b, losses=None))


def changing(problem: Problem, n_iters: int) -> Descent:
    """Returns the start in a buffer that a thread overwrites with the answer, again and again, a little later."""
    buffer, found = honest(problem, 0), honest(problem, n_iters)

    def overwrite() -> None:
        for _ in range(20):
            time.sleep(0.005)
            buffer.w[...] = found.w

    threading.Thread(target=overwrite, daemon=True).start()
    return buffer


class _EvilError(Exception):
    def __str__(self) -> str:
        return "\x1b]0;owned\x07<script>alert(1)</script>=HYPERLINK(1)\n\r" + "A" * 10_000_000


def hostile_text(problem: Problem, n_iters: int) -> Descent:
    """Raises an error whose text holds escape codes, markup, a formula and ten megabytes."""
    raise _EvilError


class _SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def unprintable_error(problem: Problem, n_iters: int) -> Descent:
    """Raises an error whose text raises as well."""
    raise _SilentError
