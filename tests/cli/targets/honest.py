"""Honest variants, one to stand behind each that is not."""

from bench import Descent, Problem


def first(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent on the mean of the squares."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        w = w - problem.lr * (2 / y.size * error).T @ x
        b = None if b is None else b - problem.lr * (2 / y.size * error).sum(axis=0)
    return Descent(w, b)


second = third = fourth = first
