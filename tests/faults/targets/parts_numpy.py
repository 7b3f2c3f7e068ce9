"""The parts of a NumPy descent that a fault leaves right: prediction, start, gradient, design; one regression."""

import numpy as np

from bench import Descent


def start(problem):
    return problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()


def forward(x, w, b):
    return x @ w.T if b is None else x @ w.T + b


def mse(y, y_pred):
    return ((y_pred - y) ** 2).mean()


def gradients(x, y, w, b):
    slope = 2 / y.size * (forward(x, w, b) - y)
    return slope.T @ x, None if b is None else slope.sum(axis=0)


def design(problem):
    """[x 1], or x where the model has no bias."""
    if problem.b0 is None:
        return problem.x
    return np.hstack([problem.x, np.ones((len(problem.x), 1), problem.x.dtype)])


def stacked(problem):
    """[w0 b0]^T, (D + 1, M)."""
    if problem.b0 is None:
        return problem.w0.T.copy()
    return np.vstack([problem.w0.T, problem.b0])


def unstacked(theta, problem, losses=None):
    if problem.b0 is None:
        return Descent(theta.T.copy(), None, losses)
    return Descent(theta[:-1].T.copy(), theta[-1].copy(), losses)
