"""Two honest variants; the second takes its time where the environment says so."""

import os
import time

import numpy as np

from bench import Descent, Problem

PACE = "GDBENCH_TEST_SECONDS_A_CALL"


def prompt(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent on the mean of the squares."""
    x, y, lr = problem.x, problem.y, problem.lr
    w = problem.w0.copy()
    b = None if problem.b0 is None else problem.b0.copy()
    for _ in range(n_iters):
        residual = x @ w.T - y if b is None else x @ w.T + b - y
        w -= lr * 2 / y.size * (residual.T @ x)
        if b is not None:
            b -= lr * 2 / y.size * np.sum(residual, axis=0)
    return Descent(w, b)


def slow(problem: Problem, n_iters: int) -> Descent:
    """The same after a pause."""
    time.sleep(float(os.environ.get(PACE, "0")))
    return prompt(problem, n_iters)
