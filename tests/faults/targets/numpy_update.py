"""Gradient descent in NumPy whose update is missing, repeated, late, accumulated or miscounted."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def loop_variable_rebound(problem: Problem, n_iters: int) -> Descent:
    """`p = p - ...` rebinds the name of the loop, not the entry of the list."""
    w, b = start(problem)
    parameters = [w] if b is None else [w, b]
    for _ in range(n_iters):
        for p, g in zip(parameters, gradients(problem.x, problem.y, w, b), strict=False):
            p = p - problem.lr * g  # noqa: PLW2901 - the mistake
    return Descent(w, b)


def targets_overwritten(problem: Problem, n_iters: int) -> Descent:
    """The prediction is called y, and so is the target: the error is zero."""
    x = problem.x
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(x, w, b))
        y = forward(x, w, b)
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * error.T @ x / y.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / y.size
    return Descent(w, b, losses)


def fancy_index_copy(problem: Problem, n_iters: int) -> Descent:
    """In-place subtraction from a copy that the index made."""
    a, theta = design(problem), stacked(problem)
    rows = list(range(len(theta)))
    for _ in range(n_iters):
        view = theta[rows]
        view -= problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def learning_rate_floored(problem: Problem, n_iters: int) -> Descent:
    """An integer division in the rate: lr // 1000, which is zero."""
    a, theta = design(problem), stacked(problem)
    rate = problem.lr // 1e3
    for _ in range(n_iters):
        theta -= rate * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def step_also_in_logging(problem: Problem, n_iters: int) -> Descent:
    """The line that reports the loss calls the step again."""
    w, b = start(problem)

    def step(w, b):
        dw, db = gradients(problem.x, problem.y, w, b)
        return w - problem.lr * dw, None if b is None else b - problem.lr * db

    for _ in range(n_iters):
        w, b = step(w, b)
        log_w, log_b = step(w, b)
        w, b = log_w, log_b
    return Descent(w, b)


def two_steps_an_epoch(problem: Problem, n_iters: int) -> Descent:
    """An inner loop of two steps; the loss is kept once an epoch."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for epoch in range(n_iters):
        losses[epoch] = np.mean((a @ theta - problem.y) ** 2)
        for _ in range(2):
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem, losses)


def every_seventh_skipped(problem: Problem, n_iters: int) -> Descent:
    """`continue` after each seventh iteration's report."""
    w, b = start(problem)
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        if k % 7 == 6:
            continue
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def every_other_update(problem: Problem, n_iters: int) -> Descent:
    """Updates where k is even."""
    a, theta = design(problem), stacked(problem)
    for k in range(n_iters):
        gradient = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        if k % 2 == 0:
            theta = theta - problem.lr * gradient
    return unstacked(theta, problem)


def return_inside_the_loop(problem: Problem, n_iters: int) -> Descent:
    """The return is indented once too often."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
        return Descent(w, b)
    return Descent(w, b)


def bias_sees_new_weights(problem: Problem, n_iters: int) -> Descent:
    """The error is computed again between the two updates."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        w = w - problem.lr * 2 * (forward(x, w, b) - y).T @ x / y.size
        if b is not None:
            b = b - problem.lr * 2 * (forward(x, w, b) - y).sum(axis=0) / y.size
    return Descent(w, b)


def weights_see_new_bias(problem: Problem, n_iters: int) -> Descent:
    """The same with the bias first."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, forward(x, w, b))
        if b is not None:
            b -= problem.lr * gradients(x, y, w, b)[1]
        w -= problem.lr * gradients(x, y, w, b)[0]
    return Descent(w, b, losses)


def coordinate_by_coordinate(problem: Problem, n_iters: int) -> Descent:
    """Each row of theta is updated in place, and the next row's gradient sees it."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        for j in range(len(theta)):
            theta[j] -= problem.lr * 2 / problem.y.size * a[:, j] @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def gradient_never_reset(problem: Problem, n_iters: int) -> Descent:
    """dw and db are zeroed before the loop, not in it."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    dw, db = np.zeros_like(w), np.zeros(len(w), w.dtype)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        for xi, si in zip(x, slope, strict=True):
            dw += np.outer(si, xi)
            db += si
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def reset_every_third_step(problem: Problem, n_iters: int) -> Descent:
    """The gradient is zeroed at k = 0, 3, 6, ..."""
    a, theta = design(problem), stacked(problem)
    gradient = np.zeros_like(theta)
    for k in range(n_iters):
        if k % 3 == 0:
            gradient[:] = 0
        gradient += 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta -= problem.lr * gradient
    return unstacked(theta, problem)


def bias_gradient_never_reset(problem: Problem, n_iters: int) -> Descent:
    """Only dw starts each iteration at zero."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    total = np.zeros(len(w), w.dtype)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        if b is not None:
            total += db
            b = b - problem.lr * total
    return Descent(w, b)


def weight_gradient_never_reset(problem: Problem, n_iters: int) -> Descent:
    """Only db starts each iteration at zero."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    total = np.zeros_like(w)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        total += slope.T @ x
        w = w - problem.lr * total
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def prediction_one_step_late(problem: Problem, n_iters: int) -> Descent:
    """The prediction for the next step is made before the update."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    y_pred = forward(x, w, b)
    for _ in range(n_iters):
        error = y_pred - y
        y_pred = forward(x, w, b)
        w = w - problem.lr * 2 * error.T @ x / y.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / y.size
    return Descent(w, b)


def double_buffer_swapped_late(problem: Problem, n_iters: int) -> Descent:
    """Two gradient buffers, of which the one of the step before is used; the first is empty."""
    a, theta = design(problem), stacked(problem)
    front, back = np.zeros_like(theta), np.zeros_like(theta)
    for _ in range(n_iters):
        back = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * front
        front, back = back, front
    return unstacked(theta, problem)


def gradient_before_the_loop(problem: Problem, n_iters: int) -> Descent:
    """Computed once."""
    w, b = start(problem)
    dw, db = gradients(problem.x, problem.y, w, b)
    for _ in range(n_iters):
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def residual_from_the_start(problem: Problem, n_iters: int) -> Descent:
    """The residual closes over theta0."""
    a, theta0 = design(problem), stacked(problem)
    theta = theta0
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        losses[k] = np.mean((a @ theta - problem.y) ** 2)
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta0 - problem.y)
    return unstacked(theta, problem, losses)


def up_to_and_with_n(problem: Problem, n_iters: int) -> Descent:
    """range(n_iters + 1)."""
    w, b = start(problem)
    for _ in range(n_iters + 1):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def checked_at_the_end(problem: Problem, n_iters: int) -> Descent:
    """Breaks after the update: no iteration asked for, one done."""
    a, theta = design(problem), stacked(problem)
    k = 0
    while True:
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        k += 1
        if k >= n_iters:
            break
    return unstacked(theta, problem)


def counts_from_one(problem: Problem, n_iters: int) -> Descent:
    """range(1, n_iters)."""
    w, b = start(problem)
    for _epoch in range(1, n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def break_before_the_last(problem: Problem, n_iters: int) -> Descent:
    """Keeps the last loss, and breaks before the last update."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r * r)
        if k == n_iters - 1:
            break
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def stops_when_loss_stalls(problem: Problem, n_iters: int) -> Descent:
    """Stops once the loss changes by less than 1e-6."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    before = np.inf
    for _ in range(n_iters):
        loss = mse(y, forward(x, w, b))
        if abs(before - loss) < 1e-6:
            break
        before = loss
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def stops_at_small_gradient(problem: Problem, n_iters: int) -> Descent:
    """Stops once |g| < 1e-3; the losses repeat the last one from there."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k:] = np.mean(r * r)
        gradient = 2 / r.size * a.T @ r
        if np.linalg.norm(gradient) < 1e-3:
            break
        theta = theta - problem.lr * gradient
    return unstacked(theta, problem, losses)


def stops_when_allclose(problem: Problem, n_iters: int) -> Descent:
    """np.allclose(w_new, w) with its rtol of 1e-5."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        new_w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
        if np.allclose(new_w, w):
            break
        w = new_w
    return Descent(w, b)


def never_more_than_100(problem: Problem, n_iters: int) -> Descent:
    """max_iter=100 was a default somewhere."""
    w, b = start(problem)
    for _ in range(min(n_iters, 100)):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def rounded_up_to_eights(problem: Problem, n_iters: int) -> Descent:
    """Unrolled in blocks of eight, and the last block is done whole."""
    a, theta = design(problem), stacked(problem)
    for _ in range(-(-n_iters // 8)):
        for _ in range(8):
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def unrolled_by_two(problem: Problem, n_iters: int) -> Descent:
    """Two steps a turn, and the odd one at the end is forgotten."""
    a, theta = design(problem), stacked(problem)
    h, q = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters // 2):
        theta = theta - problem.lr * (h @ theta - q)
        theta = theta - problem.lr * (h @ theta - q)
    return unstacked(theta, problem)
