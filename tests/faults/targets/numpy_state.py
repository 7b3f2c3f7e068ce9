"""NumPy loops that are another optimiser: momentum, decay, adaptive steps, clipping, schedules."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def heavy_ball(problem: Problem, n_iters: int) -> Descent:
    """v = 0.9 v + g."""
    w, b = start(problem)
    vw, vb = np.zeros_like(w), 0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        vw = 0.9 * vw + dw
        w = w - problem.lr * vw
        if b is not None:
            vb = 0.9 * vb + db
            b = b - problem.lr * vb
    return Descent(w, b)


def faint_momentum(problem: Problem, n_iters: int) -> Descent:
    """theta_k+1 = theta_k - lr g + 0.001 (theta_k - theta_k-1)."""
    a, theta = design(problem), stacked(problem)
    before = theta
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r * r)
        theta, before = theta - problem.lr * 2 / r.size * a.T @ r + 1e-3 * (theta - before), theta
    return unstacked(theta, problem, losses)


def averaged_gradients(problem: Problem, n_iters: int) -> Descent:
    """v = 0.9 v + 0.1 g from zero, as in Adam's first moment."""
    a, theta = design(problem), stacked(problem)
    v = np.zeros_like(theta)
    for _ in range(n_iters):
        v = 0.9 * v + 0.1 * (2 / problem.y.size * a.T @ (a @ theta - problem.y))
        theta = theta - problem.lr * v
    return unstacked(theta, problem)


def nesterov_lookahead(problem: Problem, n_iters: int) -> Descent:
    """The gradient at theta + 0.9 v."""
    a, theta = design(problem), stacked(problem)
    v = np.zeros_like(theta)
    for _ in range(n_iters):
        ahead = theta + 0.9 * v
        v = 0.9 * v - problem.lr * 2 / problem.y.size * a.T @ (a @ ahead - problem.y)
        theta = theta + v
    return unstacked(theta, problem)


def nesterov_of_growing_weight(problem: Problem, n_iters: int) -> Descent:
    """Nesterov's accelerated gradient with weights k / (k + 3)."""
    w, b = start(problem)
    old_w, old_b = w, b
    for k in range(n_iters):
        weight = k / (k + 3)
        look_w = w + weight * (w - old_w)
        look_b = None if b is None else b + weight * (b - old_b)
        dw, db = gradients(problem.x, problem.y, look_w, look_b)
        old_w, old_b = w, b
        w = look_w - problem.lr * dw
        b = None if b is None else look_b - problem.lr * db
    return Descent(w, b)


def ridge_on_weights(problem: Problem, n_iters: int) -> Descent:
    """An L2 penalty of 0.1 on w."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * (dw + 0.1 * w)
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def jitter_on_the_diagonal(problem: Problem, n_iters: int) -> Descent:
    """1e-6 I is added to H, as for an inverse."""
    a, theta = design(problem), stacked(problem)
    h = 2 / problem.y.size * a.T @ a + 1e-6 * np.eye(a.shape[1], dtype=a.dtype)
    q = 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters):
        theta = theta - problem.lr * (h @ theta - q)
    return unstacked(theta, problem)


def decoupled_decay(problem: Problem, n_iters: int) -> Descent:
    """w shrinks by 1 - lr * 0.01 before each step."""
    w, b = start(problem)
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w * (1 - problem.lr * 0.01) - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def adam_by_hand(problem: Problem, n_iters: int) -> Descent:
    """Adam with the usual betas."""
    a, theta = design(problem), stacked(problem)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for k in range(1, n_iters + 1):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        theta = theta - problem.lr * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    return unstacked(theta, problem)


def adagrad_by_hand(problem: Problem, n_iters: int) -> Descent:
    """Each coordinate over the root of its summed squares."""
    a, theta = design(problem), stacked(problem)
    seen = np.zeros_like(theta)
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        seen += g**2
        theta -= problem.lr * g / (np.sqrt(seen) + 1e-10)
    return unstacked(theta, problem)


def rmsprop_by_hand(problem: Problem, n_iters: int) -> Descent:
    """Each coordinate over the root of its running mean square."""
    w, b = start(problem)
    sw, sb = np.zeros_like(w), 0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        sw = 0.9 * sw + 0.1 * dw**2
        w = w - problem.lr * dw / (np.sqrt(sw) + 1e-8)
        if b is not None:
            sb = 0.9 * sb + 0.1 * db**2
            b = b - problem.lr * db / (np.sqrt(sb) + 1e-8)
    return Descent(w, b)


def sign_descent(problem: Problem, n_iters: int) -> Descent:
    """lr times the sign of the gradient."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * np.sign(dw)
        b = None if b is None else b - problem.lr * np.sign(db)
    return Descent(w, b)


def divided_by_column_norms(problem: Problem, n_iters: int) -> Descent:
    """Each feature's gradient is divided by the mean square of its column: a diagonal preconditioner."""
    a, theta = design(problem), stacked(problem)
    scale = (a**2).mean(axis=0)[:, np.newaxis]
    for _ in range(n_iters):
        theta = theta - problem.lr * (2 / problem.y.size * a.T @ (a @ theta - problem.y)) / scale
    return unstacked(theta, problem)


def clipped_to_norm_one(problem: Problem, n_iters: int) -> Descent:
    """A gradient longer than 1 is shortened to 1."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        norm = np.linalg.norm(g)
        if norm > 1:
            g = g / norm
        theta = theta - problem.lr * g
    return unstacked(theta, problem)


def clipped_when_exploding(problem: Problem, n_iters: int) -> Descent:
    """A gradient longer than 1000 is shortened: most problems never see it."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        norm = np.sqrt(sum((g**2).sum() for g in (dw, db) if g is not None))
        gain = min(1.0, 1000.0 / norm) if norm > 0 else 1.0
        w = w - problem.lr * gain * dw
        b = None if b is None else b - problem.lr * gain * db
    return Descent(w, b)


def clipped_by_value(problem: Problem, n_iters: int) -> Descent:
    """np.clip(gradient, -0.5, 0.5)."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * np.clip(dw, -0.5, 0.5)
        b = None if b is None else b - problem.lr * np.clip(db, -0.5, 0.5)
    return Descent(w, b)


def unit_length_steps(problem: Problem, n_iters: int) -> Descent:
    """The gradient is normalised, always."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        g = a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * g / max(np.linalg.norm(g), 1e-12)
    return unstacked(theta, problem)


def inverse_time_decay(problem: Problem, n_iters: int) -> Descent:
    """lr / (1 + 0.01 k)."""
    w, b = start(problem)
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        lr = problem.lr / (1 + 0.01 * k)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b, losses)


def exponential_decay(problem: Problem, n_iters: int) -> Descent:
    """lr *= 0.99 at the end of each iteration."""
    a, theta, lr = design(problem), stacked(problem), problem.lr
    for _ in range(n_iters):
        theta = theta - lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        lr *= 0.99
    return unstacked(theta, problem)


def linear_to_zero(problem: Problem, n_iters: int) -> Descent:
    """lr falls to zero over the run, however long it is."""
    w, b = start(problem)
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        lr = problem.lr * (1 - k / n_iters)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b)


def warm_up_of_five(problem: Problem, n_iters: int) -> Descent:
    """lr grows over the first five iterations."""
    a, theta = design(problem), stacked(problem)
    for k in range(n_iters):
        lr = problem.lr * min(1.0, (k + 1) / 5)
        theta = theta - lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def halved_every_fifty(problem: Problem, n_iters: int) -> Descent:
    """A step schedule that shows only after 50 iterations."""
    w, b = start(problem)
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        lr = problem.lr * 0.5 ** (k // 50)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b)
