"""Honest variants, and the smallest one there is."""

import numpy as np

from bench import Descent, Problem, variant


@variant("test-honest", backend="numpy")
def honest(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent, written out."""
    x, y = problem.x, problem.y
    w, b = problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()
    losses = np.empty(n_iters, x.dtype)
    scale = x.dtype.type(2 * problem.lr / y.size)
    for k in range(n_iters):
        residual = x @ w.T - y if b is None else x @ w.T + b - y
        losses[k] = np.mean(residual * residual)
        w -= scale * (residual.T @ x)
        if b is not None:
            b -= scale * residual.sum(axis=0)
    return Descent(w, b, losses)


def unregistered(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.b0)
