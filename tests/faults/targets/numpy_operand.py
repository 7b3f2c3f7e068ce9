"""Gradient descent in NumPy with a wrong sign, or with the gradient of something else."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem, Unsupported


def error_the_other_way(problem: Problem, n_iters: int) -> Descent:
    """y - y_pred, and still minus the gradient."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = y - forward(x, w, b)
        w = w - problem.lr * 2 * error.T @ x / error.size
        b = None if b is None else b - problem.lr * 2 * error.mean(axis=0) / y.shape[1]
    return Descent(w, b)


def plus_equals(problem: Problem, n_iters: int) -> Descent:
    """theta += lr * gradient."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r**2)
        theta += problem.lr * 2 * a.T @ r / r.size
    return unstacked(theta, problem, losses)


def bias_added(problem: Problem, n_iters: int) -> Descent:
    """The bias goes uphill."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w -= problem.lr * dw
        if b is not None:
            b += problem.lr * db
    return Descent(w, b)


def weights_uphill(problem: Problem, n_iters: int) -> Descent:
    """dw is of y - y_pred, db of y_pred - y."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        y_pred = forward(x, w, b)
        dw = 2 * (y - y_pred).T @ x / y.size
        db = 2 * (y_pred - y).sum(axis=0) / y.size
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def targets_forgotten(problem: Problem, n_iters: int) -> Descent:
    """The gradient of the mean of y_pred^2."""
    x = problem.x
    w, b = start(problem)
    for _ in range(n_iters):
        y_pred = forward(x, w, b)
        w = w - problem.lr * 2 * y_pred.T @ x / y_pred.size
        b = None if b is None else b - problem.lr * 2 * y_pred.sum(axis=0) / y_pred.size
    return Descent(w, b)


def hessian_without_right_side(problem: Problem, n_iters: int) -> Descent:
    """H theta, and the A^T y is left out."""
    a, theta = design(problem), stacked(problem)
    h = 2 / problem.y.size * a.T @ a
    for _ in range(n_iters):
        theta = theta - problem.lr * h @ theta
    return unstacked(theta, problem)


def bias_by_first_weight_column(problem: Problem, n_iters: int) -> Descent:
    """b moves by the gradient of the first feature's weights."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, _ = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * dw[:, 0]
    return Descent(w, b)


def weights_by_bias_gradient(problem: Problem, n_iters: int) -> Descent:
    """Every column of w moves by db; the broadcast hides it."""
    w, b = start(problem)
    if b is None:
        raise Unsupported("written for a model with a bias")
    for _ in range(n_iters):
        _, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * db[:, np.newaxis]
        b = b - problem.lr * db
    return Descent(w, b)


def reshaped_gradient(problem: Problem, n_iters: int) -> Descent:
    """x^T error is (D, M); .reshape makes the shapes fit."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * (2 / y.size) * (x.T @ error).reshape(w.shape)
        b = None if b is None else b - problem.lr * (2 / y.size) * error.sum(axis=0)
    return Descent(w, b)


def flattened_in_fortran_order(problem: Problem, n_iters: int) -> Descent:
    """The parameters are one flat vector; the gradient is flattened in the other order."""
    x, y = problem.x, problem.y
    flat, b = problem.w0.ravel().copy(), start(problem)[1]
    for _ in range(n_iters):
        dw, db = gradients(x, y, flat.reshape(problem.w0.shape), b)
        flat -= problem.lr * dw.ravel(order="F")
        b = None if b is None else b - problem.lr * db
    return Descent(flat.reshape(problem.w0.shape), b)


def reshaped_weights_everywhere(problem: Problem, n_iters: int) -> Descent:
    """The weights are taken for (D, M) by .reshape on the way in and on the way out."""
    x, y = problem.x, problem.y
    w, b = problem.w0.reshape(x.shape[1], -1).copy(), start(problem)[1]
    for _ in range(n_iters):
        error = x @ w - y if b is None else x @ w + b - y
        w -= problem.lr * 2 * x.T @ error / error.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / error.size
    return Descent(w.reshape(problem.w0.shape), b)


def bias_not_updated(problem: Problem, n_iters: int) -> Descent:
    """Only w has an update."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, forward(x, w, b))
        dw, _ = gradients(x, y, w, b)
        w = w - problem.lr * dw
    return Descent(w, b, losses)


def model_without_bias(problem: Problem, n_iters: int) -> Descent:
    """y = w x; the bias is handed back as it came."""
    x, y, w = problem.x, problem.y, problem.w0
    for _ in range(n_iters):
        w = w - problem.lr * 2 * (x @ w.T - y).T @ x / y.size
    return Descent(w.copy(), start(problem)[1])


def column_of_zeros(problem: Problem, n_iters: int) -> Descent:
    """np.zeros where the column of ones should be."""
    a, theta = design(problem).copy(), stacked(problem)
    if problem.b0 is not None:
        a[:, -1] = 0
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def weights_not_updated(problem: Problem, n_iters: int) -> Descent:
    """new_w is computed and not used."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        new_w = w - problem.lr * dw  # noqa: F841 - the mistake
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def bias_gradient_overwritten(problem: Problem, n_iters: int) -> Descent:
    """db = where db += was meant, so that the last sample alone counts."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = np.zeros_like(w), 0
        for i in range(len(x)):
            error = forward(x[i : i + 1], w, b)[0] - y[i]
            dw += 2 * np.outer(error, x[i]) / y.size
            db = 2 * error / y.size
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def bias_by_last_residual(problem: Problem, n_iters: int) -> Descent:
    """error[-1] instead of its mean over the samples."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * error.T @ x / error.size
        b = None if b is None else b - problem.lr * 2 * error[-1] / y.shape[1]
    return Descent(w, b)


def absolute_error(problem: Problem, n_iters: int) -> Descent:
    """The gradient of the mean absolute error."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = np.sign(forward(x, w, b) - y) / y.size
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def huber_loss(problem: Problem, n_iters: int) -> Descent:
    """Residuals over 0.5 count with their sign only."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        r = a @ theta - problem.y
        psi = np.where(np.abs(r) <= 0.5, r, 0.5 * np.sign(r))
        theta = theta - problem.lr * 2 * a.T @ psi / r.size
    return unstacked(theta, problem)


def log_cosh_loss(problem: Problem, n_iters: int) -> Descent:
    """tanh of the residual."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = np.tanh(forward(x, w, b) - y) / y.size
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def root_mean_square(problem: Problem, n_iters: int) -> Descent:
    """Descends the root of the mean square."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        rmse = max(np.sqrt((error**2).mean()), 1e-12)
        w = w - problem.lr * error.T @ x / error.size / rmse
        b = None if b is None else b - problem.lr * error.sum(axis=0) / error.size / rmse
    return Descent(w, b)


def targets_rolled(problem: Problem, n_iters: int) -> Descent:
    """Next value's target: y is one sample ahead of x."""
    x, y = problem.x, np.roll(problem.y, 1, axis=0)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def features_shuffled_alone(problem: Problem, n_iters: int) -> Descent:
    """x is shuffled and y is not."""
    x = np.random.default_rng(0).permutation(problem.x)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def column_minus_row(problem: Problem, n_iters: int) -> Descent:
    """(N, 1) - (N,) is (N, N), output by output: every prediction is held against every target."""
    x, y = problem.x, problem.y
    m = y.shape[1]
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = np.empty_like(w), np.empty(m, w.dtype)
        for j in range(m):
            y_pred = forward(x, w, b)[:, [j]]
            error = y_pred - y[:, j]
            dw[j] = 2 * (error[:, :, np.newaxis] * x[:, np.newaxis, :]).mean(axis=(0, 1)) / m
            db[j] = 2 * error.mean() / m
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def targets_scaled_to_one(problem: Problem, n_iters: int) -> Descent:
    """y is divided by its largest value, and the answer never multiplied back."""
    y = problem.y / np.abs(problem.y).max()
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta -= problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)
