"""Variants that end every way there is, with an honest one between them. Bounded: no process outlives its worker."""

import os
import signal
import sys
import time

import numpy as np

from bench import Descent, Problem, Unsupported


def honest(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent on the mean of the squares."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    losses = np.empty((n_iters, *x.shape[:-2]), x.dtype)
    for k in range(n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        losses[k] = (error**2).mean()
        w = w - problem.lr * (2 / y.size * error).T @ x
        b = None if b is None else b - problem.lr * (2 / y.size * error).sum(axis=0)
    return Descent(w, b, losses)


def crashes(problem: Problem, n_iters: int) -> Descent:
    os.kill(os.getpid(), signal.SIGSEGV)
    return honest(problem, n_iters)


def crashes_late(problem: Problem, n_iters: int) -> Descent:
    if n_iters > 5:
        os.abort()
    return honest(problem, n_iters)


def hangs(problem: Problem, n_iters: int) -> Descent:
    while n_iters >= 0:
        pass
    return honest(problem, n_iters)


def sleeps(problem: Problem, n_iters: int) -> Descent:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
    return honest(problem, n_iters)


def exits(problem: Problem, n_iters: int) -> Descent:
    sys.exit(0)


def exits_at_once(problem: Problem, n_iters: int) -> Descent:
    os._exit(0)


def raises(problem: Problem, n_iters: int) -> Descent:
    raise RuntimeError("=cmd() <script>alert(1)</script> | \x1b[31mred\u202e")


def not_finite(problem: Problem, n_iters: int) -> Descent:
    return Descent(np.full_like(problem.w0, np.nan), problem.b0)


def wrong_shape(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0[0], problem.b0)


def declines(problem: Problem, n_iters: int) -> Descent:
    raise Unsupported("one feature only")


def twice(problem: Problem, n_iters: int) -> Descent:
    found = honest(Problem(problem.x, problem.y, problem.w0, problem.b0, 2 * problem.lr), n_iters)
    return Descent(found.w, found.b, found.losses)
