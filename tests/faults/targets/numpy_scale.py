"""Gradient descent in NumPy with a gradient of the wrong size."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def dot_then_mean(problem: Problem, n_iters: int) -> Descent:
    """As the notebooks have it: np.dot has summed already, and the mean of one number divides by one."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for epoch in range(n_iters):
        y_pred = forward(x, w, b)
        losses[epoch] = mse(y, y_pred)
        dw = [[np.dot(2 * feature, e).mean() for feature in x.T] for e in (y_pred - y).T]
        w -= problem.lr * np.array(dw)
        if b is not None:
            b -= problem.lr * np.array([np.dot(2 * np.ones(len(y)), e).mean() for e in (y_pred - y).T])
    return Descent(w, b, losses)


def normal_equations_without_division(problem: Problem, n_iters: int) -> Descent:
    """2 A^T (A theta - y), as in the derivation for the sum of squares."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def summed_sample_by_sample(problem: Problem, n_iters: int) -> Descent:
    """Adds up the gradients of the samples and forgets to divide."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = np.zeros_like(w), np.zeros(len(w), w.dtype)
        for xi, yi in zip(x, y, strict=True):
            error = w @ xi - yi if b is None else w @ xi + b - yi
            dw += 2 * np.outer(error, xi)
            db += 2 * error
        w -= problem.lr * dw
        if b is not None:
            b -= problem.lr * db
    return Descent(w, b)


def divided_by_len_x(problem: Problem, n_iters: int) -> Descent:
    """The 2/n of the textbook, which has one output."""
    x, y = problem.x, problem.y
    n = len(x)
    w, b = start(problem)
    losses = []
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        losses.append((error**2).mean())
        w = w - problem.lr * (2 / n) * error.T @ x
        b = None if b is None else b - problem.lr * (2 / n) * error.sum(axis=0)
    return Descent(w, b, np.array(losses, x.dtype))


def mean_over_axis_0(problem: Problem, n_iters: int) -> Descent:
    """Means over the samples only."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * (2 * error[:, :, None] * x[:, None, :]).mean(axis=0)
        if b is not None:
            b = b - problem.lr * (2 * error).mean(axis=0)
    return Descent(w, b)


def one_over_2m_cost(problem: Problem, n_iters: int) -> Descent:
    """The course's cost 1/(2m) sum(h - y)^2, whose derivative has no 2."""
    x, y = problem.x, problem.y
    m = y.size
    w, b = start(problem)
    for _ in range(n_iters):
        h = forward(x, w, b)
        w = w - problem.lr * (1 / m) * (h - y).T @ x
        if b is not None:
            b = b - problem.lr * (1 / m) * np.sum(h - y, axis=0)
    return Descent(w, b)


def two_forgotten(problem: Problem, n_iters: int) -> Descent:
    """np.mean over samples and outputs, without the 2 of the square."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r * r)
        theta -= problem.lr * np.einsum("nd,nm->dm", a, r) / r.size
    return unstacked(theta, problem, losses)


def two_twice(problem: Problem, n_iters: int) -> Descent:
    """The 2 is in the gradient and in the update."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - 2 * problem.lr * dw
        b = None if b is None else b - 2 * problem.lr * db
    return Descent(w, b)


def update_pasted_twice(problem: Problem, n_iters: int) -> Descent:
    """The update stands before the losses are kept and again after."""
    x, y, lr = problem.x, problem.y, problem.lr
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        error = a @ theta - y
        gradient = a.T @ (2 / y.size * error)
        theta -= lr * gradient
        losses[k] = np.mean(error**2)
        theta -= lr * gradient
    return unstacked(theta, problem, losses)


def divided_by_n_twice(problem: Problem, n_iters: int) -> Descent:
    """Divides the mean by the number of samples once more."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw / len(x)
        b = None if b is None else b - problem.lr * db / len(x)
    return Descent(w, b)


def averaged_over_features(problem: Problem, n_iters: int) -> Descent:
    """Takes the mean over features as well, as x.mean() would."""
    x, y = problem.x, problem.y
    n, d = x.shape
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 * (a.T @ (a @ theta - y)) / (n * d * y.shape[1])
    return unstacked(theta, problem)


def divided_by_x_size(problem: Problem, n_iters: int) -> Descent:
    """x.size where y.size was meant."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * (error.T @ x) / x.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / x.size
    return Descent(w, b)


def weights_summed_bias_averaged(problem: Problem, n_iters: int) -> Descent:
    """dw by a matrix product without division, db by .mean(axis=0)."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * np.dot(2 * error.T, x)
        b = None if b is None else b - problem.lr * (2 * error).mean(axis=0)
    return Descent(w, b)


def bias_summed(problem: Problem, n_iters: int) -> Descent:
    """dw is a mean, db a sum."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        error = forward(x, w, b) - y
        losses[k] = mse(y, forward(x, w, b))
        w = w - problem.lr * 2 * error.T @ x / error.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0)
    return Descent(w, b, losses)


def learning_rate_left_at_0_01(problem: Problem, n_iters: int) -> Descent:
    """The notebook's constant stands in the update."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - 0.01 * dw
        b = None if b is None else b - 0.01 * db
    return Descent(w, b)


LEARNING_RATE = 0.05


def global_learning_rate(problem: Problem, n_iters: int) -> Descent:
    """A module constant hides the argument."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta -= LEARNING_RATE * (2 / problem.y.size * a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def learning_rate_twice(problem: Problem, n_iters: int) -> Descent:
    """The step function scales by lr, and so does its caller."""

    def step(theta):
        return problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)

    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * step(theta)
    return unstacked(theta, problem)


def divided_by_n_minus_1(problem: Problem, n_iters: int) -> Descent:
    """An unbiased mean square."""
    x, y = problem.x, problem.y
    degrees = (len(x) - 1) * y.shape[1]
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * error.T @ x / degrees
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / degrees
    return Descent(w, b)


def epsilon_in_the_denominator(problem: Problem, n_iters: int) -> Descent:
    """Guards a division that cannot fail: the gain is 1 - 1e-8 / (N M)."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        error = forward(x, w, b) - y
        losses[k] = np.mean(error**2)
        w = w - problem.lr * 2 * error.T @ x / (error.size + 1e-8)
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / (error.size + 1e-8)
    return Descent(w, b, losses)


def a_billionth_too_large(problem: Problem, n_iters: int) -> Descent:
    """The gain is 1 + 1e-9."""
    a, theta = design(problem), stacked(problem)
    rate = (1 + 1e-9) * problem.lr
    for _ in range(n_iters):
        theta = theta - rate * (2 / problem.y.size) * (a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def damped_by_a_tenth(problem: Problem, n_iters: int) -> Descent:
    """An under-relaxation of 0.9 left in."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        proposal = theta - problem.lr * (2 / problem.y.size) * (a.T @ (a @ theta - problem.y))
        theta = 0.1 * theta + 0.9 * proposal
    return unstacked(theta, problem)


def learning_rate_in_single_precision(problem: Problem, n_iters: int) -> Descent:
    """lr goes through float32 on its way."""
    lr = float(np.float32(problem.lr))
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b)
