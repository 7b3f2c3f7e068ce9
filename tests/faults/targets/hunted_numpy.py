"""NumPy loops that were once given a wrong name, or none for a mistake of the judge's."""

import numpy as np
from parts_numpy import design, stacked, unstacked

from bench import Descent, Problem


def _gradient(problem, theta):
    a = design(problem)
    return 2 / problem.y.size * a.T @ (a @ theta - problem.y)


def _objective(problem, theta):
    return np.square(design(problem) @ theta - problem.y).mean()


def stops_before_a_small_step(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * _gradient(problem, theta)
        if np.linalg.norm(step) < 1e-4:
            break
        theta = theta - step
    return unstacked(theta, problem)


def stops_after_a_small_step(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * _gradient(problem, theta)
        theta = theta - step
        if np.abs(step).max() < 1e-4:
            break
    return unstacked(theta, problem)


def stops_before_a_relatively_small_step(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * _gradient(problem, theta)
        if np.linalg.norm(step) <= 1e-3 * np.linalg.norm(theta):
            break
        theta = theta - step
    return unstacked(theta, problem)


def drops_small_steps(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * _gradient(problem, theta)
        theta = theta - np.where(np.abs(step) < 1e-5, 0, step)
    return unstacked(theta, problem)


def best_parameters_restored(problem: Problem, n_iters: int) -> Descent:
    best = theta = stacked(problem)
    least, losses = _objective(problem, theta), []
    for _ in range(n_iters):
        losses.append(_objective(problem, theta))
        theta = theta - problem.lr * _gradient(problem, theta)
        if _objective(problem, theta) < least:
            best, least = theta, _objective(problem, theta)
    return unstacked(best, problem, np.array(losses, theta.dtype))


def backtracking_by_halves(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        slope, lr = _gradient(problem, theta), problem.lr
        now = _objective(problem, theta)
        while _objective(problem, theta - lr * slope) > now * (1 + 1e-6) and lr > 1e-12:
            lr /= 2
        theta = theta - lr * slope
    return unstacked(theta, problem)


def rate_capped_by_the_curvature(problem: Problem, n_iters: int) -> Descent:
    theta, a = stacked(problem), design(problem)
    lr = min(problem.lr, 1 / np.linalg.eigvalsh(2 / problem.y.size * a.T @ a)[-1])
    for _ in range(n_iters):
        theta = theta - lr * _gradient(problem, theta)
    return unstacked(theta, problem)


def least_loss_so_far(problem: Problem, n_iters: int) -> Descent:
    theta, losses = stacked(problem), []
    for _ in range(n_iters):
        losses.append(min([_objective(problem, theta), *losses[-1:]]))
        theta = theta - problem.lr * _gradient(problem, theta)
    return unstacked(theta, problem, np.array(losses, theta.dtype))


def three_replicas_summed(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * sum(_gradient(problem, theta) for _ in range(3))
    return unstacked(theta, problem)


def fifth_of_the_rate(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - 0.2 * problem.lr * _gradient(problem, theta)
    return unstacked(theta, problem)


def losses_of_three_replicas(problem: Problem, n_iters: int) -> Descent:
    theta, losses = stacked(problem), []
    for _ in range(n_iters):
        losses.append(3 * _objective(problem, theta))
        theta = theta - problem.lr * _gradient(problem, theta)
    return unstacked(theta, problem, np.array(losses, theta.dtype))


def constant_in_the_gradient(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * (_gradient(problem, theta) + 0.01)
    return unstacked(theta, problem)


def until_converged(problem: Problem, n_iters: int) -> Descent:
    theta, a = stacked(problem), design(problem)
    curvature, pull = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(20_000 if n_iters else 0):
        slope = curvature @ theta - pull
        if np.abs(slope).max() < 1e-9:
            break
        theta = theta - problem.lr * slope
    return unstacked(theta, problem)


def mean_of_the_last_two(problem: Problem, n_iters: int) -> Descent:
    before = theta = stacked(problem)
    losses = []
    for _ in range(n_iters):
        losses.append(_objective(problem, theta))
        before, theta = theta, theta - problem.lr * _gradient(problem, theta)
    return unstacked((before + theta) / 2, problem, np.array(losses, theta.dtype))


def outputs_weighted(problem: Problem, n_iters: int) -> Descent:
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * _gradient(problem, theta) * np.arange(1, problem.y.shape[1] + 1)
    return unstacked(theta, problem)


def predictions_of_a_neighbour(problem: Problem, n_iters: int) -> Descent:
    theta, a = stacked(problem), design(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (np.roll(a, 1, 0) @ theta - problem.y)
    return unstacked(theta, problem)
