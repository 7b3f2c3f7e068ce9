"""NumPy loops that see other samples than the problem's, or see them, or the state, with fewer digits."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def last_sample_dropped(problem: Problem, n_iters: int) -> Descent:
    """x[:-1], and the mean is over what is left."""
    x, y = problem.x[:-1], problem.y[:-1]
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def loop_stops_one_short(problem: Problem, n_iters: int) -> Descent:
    """range(n - 1) over the samples, divided by n."""
    x, y = problem.x, problem.y
    n, m = y.shape
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, forward(x, w, b))
        slope = 2 / (n * m) * (forward(x, w, b) - y)
        dw, db = np.zeros_like(w), np.zeros(m, w.dtype)
        for i in range(n - 1):
            dw += np.outer(slope[i], x[i])
            db += slope[i]
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def header_row_skipped(problem: Problem, n_iters: int) -> Descent:
    """The first sample is taken for a header."""
    a, theta = design(problem)[1:], stacked(problem)
    y = problem.y[1:]
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def training_split(problem: Problem, n_iters: int) -> Descent:
    """The last fifth is held out, one sample at the least."""
    n = len(problem.x) - max(1, len(problem.x) // 5)
    x, y = problem.x[:n], problem.y[:n]
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * error.T @ x / y.size
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / y.size
    return Descent(w, b)


def first_sample_twice(problem: Problem, n_iters: int) -> Descent:
    """The first sample is appended again; the mean is over N + 1."""
    x, y = np.vstack([problem.x, problem.x[:1]]), np.vstack([problem.y, problem.y[:1]])
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def overlapping_chunks(problem: Problem, n_iters: int) -> Descent:
    """Two halves that share the middle sample; divided by N."""
    a, theta, y = design(problem), stacked(problem), problem.y
    middle = len(a) // 2
    for _ in range(n_iters):
        g = np.zeros_like(theta)
        for part in (slice(0, middle + 1), slice(middle, None)):
            g += 2 / y.size * a[part].T @ (a[part] @ theta - y[part])
        theta = theta - problem.lr * g
    return unstacked(theta, problem)


def batches_in_turn(problem: Problem, n_iters: int) -> Descent:
    """Batches of four samples, one an iteration."""
    x, y = problem.x, problem.y
    starts = range(0, len(x), 4) if len(x) > 4 else range(0, len(x), 2)
    size = 4 if len(x) > 4 else 2
    w, b = start(problem)
    for k in range(n_iters):
        first = starts[k % len(starts)]
        dw, db = gradients(x[first : first + size], y[first : first + size], w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def seeded_random_batches(problem: Problem, n_iters: int) -> Descent:
    """Half of the samples, drawn anew in each iteration from a seeded generator."""
    random = np.random.default_rng(0)
    a, theta, y = design(problem), stacked(problem), problem.y
    for _ in range(n_iters):
        chosen = random.choice(len(a), max(1, len(a) // 2), replace=False)
        theta = theta - problem.lr * 2 / y[chosen].size * a[chosen].T @ (a[chosen] @ theta - y[chosen])
    return unstacked(theta, problem)


def one_sample_at_a_time(problem: Problem, n_iters: int) -> Descent:
    """Sample k mod N in iteration k."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for k in range(n_iters):
        i = k % len(x)
        dw, db = gradients(x[i : i + 1], y[i : i + 1], w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def first_sample_only(problem: Problem, n_iters: int) -> Descent:
    """x[0], for ever."""
    x, y = problem.x[0], problem.y[0]
    w, b = start(problem)
    for _ in range(n_iters):
        error = w @ x - y if b is None else w @ x + b - y
        w = w - problem.lr * 2 * np.outer(error, x) / y.size
        b = None if b is None else b - problem.lr * 2 * error / y.size
    return Descent(w, b)


def sample_by_sample_epochs(problem: Problem, n_iters: int) -> Descent:
    """Each iteration walks through the samples and updates at each."""
    w, b = start(problem)
    rate = 2 * problem.lr / problem.y.size
    for _ in range(n_iters):
        for xi, yi in zip(problem.x, problem.y, strict=True):
            error = w @ xi - yi if b is None else w @ xi + b - yi
            w = w - rate * np.outer(error, xi)
            b = None if b is None else b - rate * error
    return Descent(w, b)


def z_scores(problem: Problem, n_iters: int) -> Descent:
    """x is standardised, and w is left in those units."""
    x = (problem.x - problem.x.mean(axis=0)) / problem.x.std(axis=0)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def centred_features(problem: Problem, n_iters: int) -> Descent:
    """x minus its column means."""
    x = problem.x - problem.x.mean(axis=0)
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(x, w, b))
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def min_max_scaled(problem: Problem, n_iters: int) -> Descent:
    """x is brought to 0..1 column by column."""
    low, high = problem.x.min(axis=0), problem.x.max(axis=0)
    x = (problem.x - low) / (high - low)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def single_precision_inside(problem: Problem, n_iters: int) -> Descent:
    """All in float32, brought back at the end. Right where float32 is what is asked for."""
    x, y = problem.x.astype(np.float32), problem.y.astype(np.float32)
    w = problem.w0.astype(np.float32)
    b = None if problem.b0 is None else problem.b0.astype(np.float32)
    lr = np.float32(problem.lr)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - lr * np.float32(2) * error.T @ x / np.float32(y.size)
        b = None if b is None else b - lr * np.float32(2) * error.sum(axis=0) / np.float32(y.size)
    return Descent(w.astype(problem.x.dtype), None if b is None else b.astype(problem.x.dtype))


def one_single_precision_product(problem: Problem, n_iters: int) -> Descent:
    """Only the residual passes through float32."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        residual = (a @ theta - problem.y).astype(np.float32).astype(a.dtype)
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ residual
    return unstacked(theta, problem)


def half_precision_state(problem: Problem, n_iters: int) -> Descent:
    """The state is kept in float16 between iterations."""
    w, b = start(problem)
    kept_w, kept_b = w.astype(np.float16), None if b is None else b.astype(np.float16)
    for _ in range(n_iters):
        w, b = kept_w.astype(w.dtype), None if kept_b is None else kept_b.astype(w.dtype)
        dw, db = gradients(problem.x, problem.y, w, b)
        kept_w = (w - problem.lr * dw).astype(np.float16)
        kept_b = None if b is None else (b - problem.lr * db).astype(np.float16)
    return Descent(kept_w.astype(w.dtype), None if kept_b is None else kept_b.astype(w.dtype))


def integer_weights(problem: Problem, n_iters: int) -> Descent:
    """The state is an integer array, which cuts off the digits behind the point."""
    theta = stacked(problem).astype(int)
    a = design(problem)
    for _ in range(n_iters):
        theta[:] = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta.astype(a.dtype), problem)


def integer_gradient(problem: Problem, n_iters: int) -> Descent:
    """The gradient's buffer was made with dtype=int."""
    a, theta = design(problem), stacked(problem)
    g = np.zeros(theta.shape, dtype=int)
    for _ in range(n_iters):
        g[:] = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * g
    return unstacked(theta.astype(a.dtype), problem)


def forward_differences(problem: Problem, n_iters: int) -> Descent:
    """(loss(theta + eps) - loss(theta)) / eps with eps = 1e-6."""
    a, theta, y = design(problem), stacked(problem), problem.y
    eps = 1e-6
    for _ in range(n_iters):
        here = np.mean((a @ theta - y) ** 2)
        g = np.empty_like(theta)
        for place in np.ndindex(theta.shape):
            moved = theta.copy()
            moved[place] += eps
            g[place] = (np.mean((a @ moved - y) ** 2) - here) / eps
        theta = theta - problem.lr * g
    return unstacked(theta, problem)


def central_differences(problem: Problem, n_iters: int) -> Descent:
    """(loss(theta + eps) - loss(theta - eps)) / 2 eps with eps = 1e-5: exact for a parabola but for its rounding."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    eps = 1e-5
    for _ in range(n_iters):
        slopes = []
        for p in (w, b):
            slope = None if p is None else np.empty_like(p)
            for place in () if p is None else np.ndindex(p.shape):
                kept = p[place]
                p[place] = kept + eps
                above = mse(y, forward(x, w, b))
                p[place] = kept - eps
                below = mse(y, forward(x, w, b))
                p[place] = kept
                slope[place] = (above - below) / (2 * eps)
            slopes.append(slope)
        w = w - problem.lr * slopes[0]
        b = None if b is None else b - problem.lr * slopes[1]
    return Descent(w, b)
