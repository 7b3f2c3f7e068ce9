"""Honest NumPy loops of the unseen set: gradient descent in unusual clothes. All of these must be proved."""

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, islice, repeat

import numpy as np
from parts_numpy import design, forward, stacked, start, unstacked

from bench import Descent, Problem


def qr_of_the_design(problem: Problem, n_iters: int) -> Descent:
    """A = Q R, and the gradient is R^T (R theta - Q^T y)."""
    a, theta = design(problem), stacked(problem)
    q, r = np.linalg.qr(a.astype(np.float64))
    goal = q.T @ problem.y
    theta = theta.astype(np.float64)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * r.T @ (r @ theta - goal)
    return unstacked(theta.astype(a.dtype), problem)


def einsum_of_one_expression(problem: Problem, n_iters: int) -> Descent:
    """A^T A theta in one einsum of three operands, and A^T y in another."""
    a, theta, size = design(problem), stacked(problem), problem.y.size
    for _ in range(n_iters):
        product = np.einsum("nd,ne,em->dm", a, a, theta, optimize=["einsum_path", (1, 2), (0, 1)])
        theta = theta - problem.lr * 2 / size * (product - np.einsum("nd,nm->dm", a, problem.y))
    return unstacked(theta, problem)


def state_with_a_remainder(problem: Problem, n_iters: int) -> Descent:
    """The rounding error of each update is carried over into the next, after Kahan."""
    a, theta = design(problem), stacked(problem)
    lost = np.zeros_like(theta)
    for _ in range(n_iters):
        step = -problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y) - lost
        new = theta + step
        lost, theta = (new - theta) - step, new
    return unstacked(theta, problem)


def complex_step(problem: Problem, n_iters: int) -> Descent:
    """Im loss(theta + i h) / h with h = 1e-30: a derivative without a difference."""
    a, theta, h = design(problem).astype(np.float64), stacked(problem).astype(np.float64), 1e-30
    for _ in range(n_iters):
        g = np.empty_like(theta)
        for index in np.ndindex(theta.shape):
            probe = theta.astype(complex)
            probe[index] += 1j * h
            g[index] = np.mean((a @ probe - problem.y) ** 2).imag / h
        theta = theta - problem.lr * g
    return unstacked(theta.astype(problem.x.dtype), problem)


def each_sample_twice(problem: Problem, n_iters: int) -> Descent:
    """The samples and their mirror image: twice as many, with the same mean."""
    a, y = design(problem), problem.y
    a, y, theta = np.vstack([a, a[::-1]]), np.vstack([y, y[::-1]]), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - y
        losses[k] = np.mean(r**2)
        theta = theta - problem.lr * 2 / y.size * a.T @ r
    return unstacked(theta, problem, losses)


def padded_with_rows_of_zeros(problem: Problem, n_iters: int) -> Descent:
    """Filled up to a multiple of sixteen rows with zeros; the count is the true one."""
    a, y, theta = design(problem), problem.y, stacked(problem)
    missing = (0, -len(a) % 16)
    a, y = np.pad(a, (missing, (0, 0))), np.pad(y, (missing, (0, 0)))
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def centred_for_the_arithmetic(problem: Problem, n_iters: int) -> Descent:
    """x = c + mean: prediction and gradient are put together from both parts, and the state is that of x."""
    x, y = problem.x, problem.y
    mean = x.mean(axis=0)
    c = x - mean
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (c @ w.T + (mean @ w.T + (0 if b is None else b)) - y)
        total = slope.sum(axis=0)
        w = w - problem.lr * (slope.T @ c + np.outer(total, mean))
        b = None if b is None else b - problem.lr * total
    return Descent(w, b)


def units_of_powers_of_two(problem: Problem, n_iters: int) -> Descent:
    """Each feature is brought near 1 by a power of two, its weight by the inverse and its rate by the square."""
    scale = 2.0 ** -np.round(np.log2(np.abs(problem.x).max(axis=0) + 1e-300))
    scale = scale.astype(problem.x.dtype)
    x, y = problem.x * scale, problem.y
    w, b = start(problem)
    w = w / scale
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        w = w - problem.lr * (slope.T @ x) / scale**2
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w * scale, b)


def features_in_another_order(problem: Problem, n_iters: int) -> Descent:
    """Features are sorted by their spread, weights with them, and put back at the end."""
    order = np.argsort(problem.x.std(axis=0))
    x, y = problem.x[:, order], problem.y
    w, b = start(problem)
    w = w[:, order]
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        w -= problem.lr * slope.T @ x
        if b is not None:
            b -= problem.lr * slope.sum(axis=0)
    result = np.empty_like(w)
    result[:, order] = w
    return Descent(result, b)


def ring_of_two_states(problem: Problem, n_iters: int) -> Descent:
    """Two states in one array, written in turn."""
    a, theta = design(problem), stacked(problem)
    ring = np.stack([theta, np.empty_like(theta)])
    for k in range(n_iters):
        old, new = ring[k % 2], ring[(k + 1) % 2]
        np.matmul(a.T, a @ old - problem.y, out=new)
        new *= -2 * problem.lr / problem.y.size
        new += old
    return unstacked(ring[n_iters % 2], problem)


def residual_by_one_product(problem: Problem, n_iters: int) -> Descent:
    """[x 1 y] [w b -1]^T is the residual."""
    a, theta = design(problem), stacked(problem)
    table = np.hstack([a, problem.y])
    minus = -np.eye(problem.y.shape[1], dtype=a.dtype)
    for _ in range(n_iters):
        r = table @ np.vstack([theta, minus])
        theta = theta - problem.lr * 2 / r.size * (table.T @ r)[: a.shape[1]]
    return unstacked(theta, problem)


def root_of_the_factor_in_the_data(problem: Problem, n_iters: int) -> Descent:
    """sqrt(2 lr / (N M)) is folded into both sides of the system, and nothing is left to multiply."""
    root = (2 * problem.lr / problem.y.size) ** 0.5
    a, y, theta = design(problem) * root, problem.y * root, stacked(problem)
    for _ in range(n_iters):
        theta = theta - a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def accumulated(problem: Problem, n_iters: int) -> Descent:
    """itertools.accumulate over a constant, of which the n-th is taken."""
    a, y = design(problem), problem.y
    states = accumulate(
        repeat(None), lambda theta, _: theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y), initial=stacked(problem)
    )
    return unstacked(next(islice(states, n_iters, None)), problem)


def threads(problem: Problem, n_iters: int) -> Descent:
    """Three threads with a share of the samples each; the shares are added in order."""
    a, y, theta = design(problem), problem.y, stacked(problem)
    shares = [s for s in np.array_split(np.arange(len(a)), 3) if len(s)]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(n_iters):
            state = theta
            parts = pool.map(lambda s: a[s].T @ (a[s] @ state - y[s]), shares)  # noqa: B023 - used up at once
            theta = theta - problem.lr * 2 / y.size * sum(parts)
    return unstacked(theta, problem)


def in_the_basis_of_the_hessian(problem: Problem, n_iters: int) -> Descent:
    """Each eigenvector's coordinate shrinks by its own factor; float64 inside."""
    a, theta = design(problem).astype(np.float64), stacked(problem).astype(np.float64)
    values, vectors = np.linalg.eigh(2 / problem.y.size * a.T @ a)
    q = vectors.T @ (2 / problem.y.size * a.T @ problem.y)
    z = vectors.T @ theta
    for _ in range(n_iters):
        z = z - problem.lr * (values[:, None] * z - q)
    return unstacked((vectors @ z if n_iters else theta).astype(problem.x.dtype), problem)
