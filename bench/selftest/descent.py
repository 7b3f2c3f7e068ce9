"""The honest loops that attacks and controls are made of, and that attacks are timed against."""

import numpy as np

from bench import Descent, Problem
from bench.problems.problem import Array


def honest(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent on the mean of the squares, over the data."""
    w, b = start_of(problem)
    for _ in range(n_iters):
        step(problem, w, b)
    return Descent(w, b)


def normal_equations(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent on the Gram matrix: one pass over the data, then P x P an iteration."""
    return descend_on(problem, n_iters, *statistics_of(problem))


def start_of(problem: Problem) -> tuple[Array, Array | None]:
    """Copies of the start."""
    return problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()


def step(problem: Problem, w: Array, b: Array | None) -> None:
    """One update, in place."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.size
    residual = x @ w.T - y if b is None else x @ w.T + b - y
    w -= rate * (residual.T @ x)
    if b is not None:
        b -= rate * residual.sum(axis=0)


def statistics_of(problem: Problem) -> tuple[Array, Array]:
    """H = 2/(NM) A^T A and q = 2/(NM) A^T y, with a column of ones in A where there is a bias."""
    x = problem.x
    design = x if problem.b0 is None else np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
    scale = 2.0 / problem.y.size
    return scale * (design.T @ design), scale * (design.T @ problem.y)


def descend_on(problem: Problem, n_iters: int, hessian: Array, linear: Array) -> Descent:
    """Iterate theta - lr (H theta - q)."""
    theta = stack(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * (hessian @ theta - linear)
    return unstack(problem, theta)


def stack(problem: Problem) -> Array:
    """The start as one (P, M) matrix."""
    weights = problem.w0.T
    return weights.copy() if problem.b0 is None else np.concatenate([weights, problem.b0[np.newaxis]], axis=0)


def unstack(problem: Problem, theta: Array) -> Descent:
    """A (P, M) matrix as weights and bias."""
    if problem.b0 is None:
        return Descent(theta.T.copy())
    return Descent(theta[:-1].T.copy(), theta[-1].copy())
