"""NumPy loops that are wrong in ways for which there is no name: the verdict must be wrong, and the cause unknown."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def lasso_penalty(problem: Problem, n_iters: int) -> Descent:
    """An L1 penalty of 0.05 on w."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * (dw + 0.05 * np.sign(w))
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def damped_newton(problem: Problem, n_iters: int) -> Descent:
    """A fifth of the Newton step."""
    a, theta = design(problem), stacked(problem)
    inverse = np.linalg.inv(2 / problem.y.size * a.T @ a)
    for _ in range(n_iters):
        theta = theta - 0.2 * inverse @ (2 / problem.y.size * a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def exact_line_search(problem: Problem, n_iters: int) -> Descent:
    """Steepest descent with the best step length."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        g = a.T @ (a @ theta - problem.y)
        curvature = np.sum((a @ g) ** 2)
        theta = theta - (np.sum(g * g) / curvature if curvature > 0 else 0.0) * g
    return unstacked(theta, problem)


def conjugate_gradients(problem: Problem, n_iters: int) -> Descent:
    """Conjugate gradients on the normal equations."""
    a, theta = design(problem), stacked(problem)
    r = a.T @ (problem.y - a @ theta)
    p = r
    for _ in range(n_iters):
        q = a.T @ (a @ p)
        length = np.sum(p * q)
        if length <= 0 or np.sum(r * r) == 0:
            break
        alpha = np.sum(r * r) / length
        theta = theta + alpha * p
        r_new = r - alpha * q
        p = r_new + np.sum(r_new * r_new) / np.sum(r * r) * p
        r = r_new
    return unstacked(theta, problem)


def averaged_iterates(problem: Problem, n_iters: int) -> Descent:
    """Returns the mean of all iterates, after Polyak."""
    w, b = start(problem)
    mean_w, mean_b = w, b
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        mean_w = mean_w + (w - mean_w) / (k + 2)
        if b is not None:
            b = b - problem.lr * db
            mean_b = mean_b + (b - mean_b) / (k + 2)
    return Descent(mean_w, mean_b)


def weights_kept_positive(problem: Problem, n_iters: int) -> Descent:
    """Projected onto w >= 0."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = np.maximum(w - problem.lr * dw, 0)
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def weighted_samples(problem: Problem, n_iters: int) -> Descent:
    """Later samples count more."""
    x, y = problem.x, problem.y
    weights = np.linspace(0.5, 1.5, len(x))[:, np.newaxis].astype(x.dtype)
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * weights * (forward(x, w, b) - y)
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def first_feature_frozen(problem: Problem, n_iters: int) -> Descent:
    """range(1, D) over the features."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        for j in range(1, x.shape[1]):
            w[:, j] -= problem.lr * slope.T @ x[:, j]
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def mean_absolute_error_reported(problem: Problem, n_iters: int) -> Descent:
    """The losses are the mean absolute error; the states are right."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = np.abs(forward(x, w, b) - y).mean()
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def rounded_to_four_places(problem: Problem, n_iters: int) -> Descent:
    """np.round(theta, 4) was for the print-out."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = np.round(theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y), 4)
    return unstacked(theta, problem)


def mean_of_chunk_means(problem: Problem, n_iters: int) -> Descent:
    """The mean over unequal chunks of the chunks' means."""
    a, theta = design(problem), stacked(problem)
    chunks = np.array_split(np.arange(len(a)), 3)
    for _ in range(n_iters):
        parts = [2 / problem.y[c].size * a[c].T @ (a[c] @ theta - problem.y[c]) for c in chunks]
        theta = theta - problem.lr * sum(parts) / len(parts)
    return unstacked(theta, problem)


def one_bias_for_all_outputs(problem: Problem, n_iters: int) -> Descent:
    """error.mean() without an axis: every output's bias moves alike. Right where there is one output."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        error = forward(x, w, b) - y
        losses[k] = mse(y, forward(x, w, b))
        w = w - problem.lr * 2 * error.T @ x / error.size
        b = None if b is None else b - problem.lr * 2 * error.mean()
    return Descent(w, b, losses)


def backtracking(problem: Problem, n_iters: int) -> Descent:
    """Halves a step of 8 lr until the loss falls enough."""
    a, theta, y = design(problem), stacked(problem), problem.y
    for _ in range(n_iters):
        loss, g = np.mean((a @ theta - y) ** 2), 2 / y.size * a.T @ (a @ theta - y)
        step = 8 * problem.lr
        while step > 1e-12 and np.mean((a @ (theta - step * g) - y) ** 2) > loss - 0.5 * step * np.sum(g * g):
            step /= 2
        theta = theta - step * g
    return unstacked(theta, problem)


def momentum_of_the_bias(problem: Problem, n_iters: int) -> Descent:
    """Momentum of 0.5 for b alone."""
    w, b = start(problem)
    velocity = 0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        if b is not None:
            velocity = 0.5 * velocity + db
            b = b - problem.lr * velocity
    return Descent(w, b)


def dead_relu(problem: Problem, n_iters: int) -> Descent:
    """A ReLU after the model: samples whose prediction is negative give no gradient."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        z = forward(x, w, b)
        slope = 2 / y.size * np.where(z > 0, z - y, 0)
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)
