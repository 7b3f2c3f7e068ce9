"""NumPy loops with two faults at once."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def summed_and_one_more(problem: Problem, n_iters: int) -> Descent:
    """No division, and range(n_iters + 1)."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters + 1):
        theta = theta - problem.lr * 2 * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def halved_and_last_sample_dropped(problem: Problem, n_iters: int) -> Descent:
    """No 2, and x[:-1]."""
    x, y = problem.x[:-1], problem.y[:-1]
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * error.T @ x / y.size
        b = None if b is None else b - problem.lr * error.sum(axis=0) / y.size
    return Descent(w, b)


def uphill_without_bias(problem: Problem, n_iters: int) -> Descent:
    """w goes uphill and b stays."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, _ = gradients(problem.x, problem.y, w, b)
        w = w + problem.lr * dw
    return Descent(w, b)


def momentum_and_decay(problem: Problem, n_iters: int) -> Descent:
    """v = 0.8 v + g + 0.05 theta."""
    a, theta = design(problem), stacked(problem)
    v = np.zeros_like(theta)
    for _ in range(n_iters):
        v = 0.8 * v + 2 / problem.y.size * a.T @ (a @ theta - problem.y) + 0.05 * theta
        theta = theta - problem.lr * v
    return unstacked(theta, problem)


def schedule_and_rolled_targets(problem: Problem, n_iters: int) -> Descent:
    """lr * 0.9^k towards targets one sample off."""
    y = np.roll(problem.y, -1, axis=0)
    w, b = start(problem)
    for k in range(n_iters):
        dw, db = gradients(problem.x, y, w, b)
        w = w - problem.lr * 0.9**k * dw
        b = None if b is None else b - problem.lr * 0.9**k * db
    return Descent(w, b)


def single_precision_and_half(problem: Problem, n_iters: int) -> Descent:
    """float32 inside, and no 2."""
    x, y, w = (array.astype(np.float32) for array in (problem.x, problem.y, problem.w0))
    b = None if problem.b0 is None else problem.b0.astype(np.float32)
    rate = np.float32(problem.lr / y.size)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - rate * error.T @ x
        b = None if b is None else b - rate * error.sum(axis=0)
    return Descent(w.astype(problem.x.dtype), None if b is None else b.astype(problem.x.dtype))


def zero_start_and_loss_after(problem: Problem, n_iters: int) -> Descent:
    """Starts from zero, and keeps each loss after its update."""
    w = np.zeros_like(problem.w0)
    b = None if problem.b0 is None else np.zeros_like(problem.b0)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
        losses[k] = mse(problem.y, forward(problem.x, w, b))
    return Descent(w, b, losses)


def clipped_and_never_reset(problem: Problem, n_iters: int) -> Descent:
    """The gradients add up, and the sum is clipped to a norm of 1."""
    a, theta = design(problem), stacked(problem)
    total = np.zeros_like(theta)
    for _ in range(n_iters):
        total = total + 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * total / max(1.0, np.linalg.norm(total))
    return unstacked(theta, problem)


def stale_and_doubled(problem: Problem, n_iters: int) -> Descent:
    """Twice the gradient of the step before."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    y_pred = forward(x, w, b)
    for _ in range(n_iters):
        error = 2 * (y_pred - y)
        y_pred = forward(x, w, b)
        w = w - 2 * problem.lr * error.T @ x / y.size
        b = None if b is None else b - 2 * problem.lr * error.sum(axis=0) / y.size
    return Descent(w, b)


def sequential_with_a_larger_bias_rate(problem: Problem, n_iters: int) -> Descent:
    """The bias sees the new weights, and moves by a sum over the samples."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        w = w - problem.lr * 2 * (forward(x, w, b) - y).T @ x / y.size
        b = None if b is None else b - problem.lr * 2 * (forward(x, w, b) - y).sum(axis=0) / y.shape[1]
    return Descent(w, b)


def skipped_with_momentum(problem: Problem, n_iters: int) -> Descent:
    """Momentum of 0.5, and every third iteration does nothing."""
    a, theta = design(problem), stacked(problem)
    v = np.zeros_like(theta)
    for k in range(n_iters):
        if k % 3 == 2:
            continue
        v = 0.5 * v + 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * v
    return unstacked(theta, problem)


def z_scores_and_early_stop(problem: Problem, n_iters: int) -> Descent:
    """Standardised features, and a stop at a change of the loss under 1e-6."""
    x = (problem.x - problem.x.mean(axis=0)) / problem.x.std(axis=0)
    w, b = start(problem)
    before = np.inf
    for _ in range(n_iters):
        loss = mse(problem.y, forward(x, w, b))
        if before - loss < 1e-6:
            break
        before = loss
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def differences_of_a_sum(problem: Problem, n_iters: int) -> Descent:
    """Forward differences of the summed squares."""
    a, theta, y = design(problem), stacked(problem), problem.y
    for _ in range(n_iters):
        here, g = np.sum((a @ theta - y) ** 2), np.empty_like(theta)
        for place in np.ndindex(theta.shape):
            moved = theta.copy()
            moved[place] += 1e-5
            g[place] = (np.sum((a @ moved - y) ** 2) - here) / 1e-5
        theta = theta - problem.lr * g
    return unstacked(theta, problem)


def batches_with_decaying_rate(problem: Problem, n_iters: int) -> Descent:
    """Two batches in turn, and lr / (1 + k / 10)."""
    half = len(problem.x) // 2
    w, b = start(problem)
    for k in range(n_iters):
        part = slice(0, half) if k % 2 == 0 else slice(half, None)
        dw, db = gradients(problem.x[part], problem.y[part], w, b)
        lr = problem.lr / (1 + k / 10)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b)


def reshaped_without_target(problem: Problem, n_iters: int) -> Descent:
    """x^T y_pred, reshaped; the targets are forgotten."""
    x = problem.x
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / problem.y.size * forward(x, w, b)
        w = w - problem.lr * (x.T @ slope).reshape(w.shape)
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)
