"""NumPy loops of the unseen set with two mistakes at once."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def doubled_and_one_less(problem: Problem, n_iters: int) -> Descent:
    """Two 2s, and range(1, n)."""
    a, theta = design(problem), stacked(problem)
    for _ in range(1, n_iters):
        theta = theta - problem.lr * 4 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def bias_frozen_and_last_sample_dropped(problem: Problem, n_iters: int) -> Descent:
    """x[:-1], and only w moves."""
    x, y = problem.x[:-1], problem.y[:-1]
    w, b = start(problem)
    for _ in range(n_iters):
        w = w - problem.lr * gradients(x, y, w, b)[0]
    return Descent(w, b)


def normed_rows_with_momentum(problem: Problem, n_iters: int) -> Descent:
    """Samples of length one, and momentum of 0.7."""
    x = problem.x / np.linalg.norm(problem.x, axis=1, keepdims=True)
    w, b = start(problem)
    vw, vb = 0, 0
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        vw = 0.7 * vw + dw
        w = w - problem.lr * vw
        if b is not None:
            vb = 0.7 * vb + db
            b = b - problem.lr * vb
    return Descent(w, b)


def uphill_with_a_falling_rate(problem: Problem, n_iters: int) -> Descent:
    """The gradient is added, and the rate is lr * 0.8^k."""
    a, theta = design(problem), stacked(problem)
    for k in range(n_iters):
        theta = theta + problem.lr * 0.8**k * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def stale_with_weight_decay(problem: Problem, n_iters: int) -> Descent:
    """The gradient of the iteration before, and a decay of 0.1 at the present state."""
    a, theta = design(problem), stacked(problem)
    g = np.zeros_like(theta)
    for _ in range(n_iters):
        new = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta, g = theta - problem.lr * (g + 0.1 * theta), new
    return unstacked(theta, problem)


def mean_over_samples_and_halved_losses(problem: Problem, n_iters: int) -> Descent:
    """2 / len(x) in the gradient, and half the loss is reported."""
    w, b = start(problem)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b)) / 2
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw * len(w)
        b = None if b is None else b - problem.lr * db * len(w)
    return Descent(w, b, losses)
