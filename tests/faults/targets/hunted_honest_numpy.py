"""Honest NumPy loops that were once called wrong. All of these must be proved."""

import numpy as np
from parts_numpy import design, stacked, unstacked

from bench import Descent, Problem


def loss_from_the_normal_equations(problem: Problem, n_iters: int) -> Descent:
    """theta^T A^T A theta - 2 theta^T A^T y + y^T y: what makes the update makes the loss as well."""
    a, theta, y = design(problem), stacked(problem), problem.y
    curvature, pull, rest, losses = a.T @ a, a.T @ y, (y * y).sum(), []
    for _ in range(n_iters):
        turned = curvature @ theta
        losses.append(((theta * turned).sum() - 2 * (theta * pull).sum() + rest) / y.size)
        theta = theta - problem.lr * 2 / y.size * (turned - pull)
    return unstacked(theta, problem, np.array(losses, theta.dtype))


def loss_multiplied_out(problem: Problem, n_iters: int) -> Descent:
    """The mean of f**2, less twice that of f y, and that of y**2."""
    a, theta, y, losses = design(problem), stacked(problem), problem.y, []
    for _ in range(n_iters):
        f = a @ theta
        losses.append((f * f).mean() - 2 * (f * y).mean() + (y * y).mean())
        theta = theta - problem.lr * 2 / y.size * a.T @ (f - y)
    return unstacked(theta, problem, np.array(losses, theta.dtype))


def loss_multiplied_out_sample_by_sample(problem: Problem, n_iters: int) -> Descent:
    """The mean of f**2 - 2 f y + y**2."""
    a, theta, y, losses = design(problem), stacked(problem), problem.y, []
    for _ in range(n_iters):
        f = a @ theta
        losses.append((f * f - 2 * f * y + y * y).mean())
        theta = theta - problem.lr * 2 / y.size * a.T @ (f - y)
    return unstacked(theta, problem, np.array(losses, theta.dtype))
