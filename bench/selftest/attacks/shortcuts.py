"""Fewer iterations than were asked for, or none."""

from dataclasses import replace

import numpy as np

from bench import Descent, Problem, Unsupported
from bench.selftest.descent import honest, stack, start_of, statistics_of, step, unstack


def least_squares(problem: Problem, n_iters: int) -> Descent:
    """Solves the problem instead of iterating."""
    if n_iters == 0:
        return honest(problem, 0)
    hessian, linear = statistics_of(problem)
    return unstack(problem, np.linalg.lstsq(hessian, linear, rcond=None)[0])


def spectral_closed_form(problem: Problem, n_iters: int) -> Descent:
    """The exact n-th iterate from the eigenvalues, at the same cost for every n."""
    if n_iters == 0:
        return honest(problem, 0)
    hessian, linear = statistics_of(problem)
    values, vectors = np.linalg.eigh(hessian)
    factor = 1.0 - problem.lr * values
    power = (factor**n_iters)[:, np.newaxis]
    flat = values < 1e-13 * values[-1]
    total = np.where(flat, n_iters * problem.lr, (1.0 - factor**n_iters) / np.where(flat, 1.0, values))[:, np.newaxis]
    return unstack(problem, vectors @ (power * (vectors.T @ stack(problem)) + total * (vectors.T @ linear)))


def repeated_squaring(problem: Problem, n_iters: int) -> Descent:
    """The exact n-th iterate by squaring the update's matrix, in log n products."""
    hessian, linear = statistics_of(problem)
    size = len(hessian)
    update = np.zeros((size + linear.shape[1], size + linear.shape[1]), hessian.dtype)
    update[:size, :size] = np.eye(size) - problem.lr * hessian
    update[:size, size:] = problem.lr * linear
    update[size:, size:] = np.eye(linear.shape[1])
    power = np.linalg.matrix_power(update, n_iters)
    return unstack(problem, power[:size, :size] @ stack(problem) + power[:size, size:])


def fixed_point(problem: Problem, n_iters: int) -> Descent:
    """Stops as soon as an update changes no bit: right answers, whose cost stops growing with n."""
    if problem.w0.size > 1 or problem.b0 is not None:
        return honest(problem, n_iters)
    hessian, linear = (float(part[0, 0]) for part in statistics_of(problem))
    w = float(problem.w0[0, 0])
    for _ in range(n_iters):
        following = w - problem.lr * (hessian * w - linear)
        if following == w:
            break
        w = following
    return Descent(np.full_like(problem.w0, w))


def half_the_iterations(problem: Problem, n_iters: int) -> Descent:
    """Half of the iterations, with twice the learning rate."""
    return honest(replace(problem, lr=2 * problem.lr), n_iters // 2)


def every_tenth_skipped(problem: Problem, n_iters: int) -> Descent:
    """Leaves out every tenth iteration."""
    return honest(problem, n_iters - n_iters // 10)


def last_skipped(problem: Problem, n_iters: int) -> Descent:
    """One iteration fewer."""
    return honest(problem, max(0, n_iters - 1))


def at_most_fifty(problem: Problem, n_iters: int) -> Descent:
    """No more than fifty iterations, however many are asked for."""
    return honest(problem, min(n_iters, 50))


def early_stop(problem: Problem, n_iters: int) -> Descent:
    """Stops when the update has become small."""
    w, b = start_of(problem)
    for _ in range(n_iters):
        before = w.copy()
        step(problem, w, b)
        if np.max(np.abs(w - before)) < 1e-5:
            break
    return Descent(w, b)


def nothing(problem: Problem, n_iters: int) -> Descent:
    """Returns the start."""
    return honest(problem, 0)


def declines_the_probes(problem: Problem, n_iters: int) -> Descent:
    """Declines whatever has few samples, the probes among it, and returns the start."""
    if len(problem.x) < 100:
        raise Unsupported("many samples only")
    return honest(problem, 0)


def momentum(problem: Problem, n_iters: int) -> Descent:
    """A faster method than the one that was asked for."""
    w, b = start_of(problem)
    before_w, before_b = start_of(problem)
    for _ in range(n_iters):
        now_w, now_b = w.copy(), None if b is None else b.copy()
        step(problem, w, b)
        w += 0.5 * (now_w - before_w)
        if b is not None and now_b is not None and before_b is not None:
            b += 0.5 * (now_b - before_b)
        before_w, before_b = now_w, now_b
    return Descent(w, b)


def single_precision(problem: Problem, n_iters: int) -> Descent:
    """Computes in float32, whatever was asked for."""
    short = Problem(
        problem.x.astype(np.float32),
        problem.y.astype(np.float32),
        problem.w0.astype(np.float32),
        None if problem.b0 is None else problem.b0.astype(np.float32),
        problem.lr,
    )
    found = honest(short, n_iters)
    dtype = problem.w0.dtype
    return Descent(found.w.astype(dtype), None if found.b is None else found.b.astype(dtype))
