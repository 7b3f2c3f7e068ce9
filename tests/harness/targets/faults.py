"""Gradient descent in NumPy with one mistake each, as people make them, and without one."""

import ctypes
import os

import numpy as np

from bench import Descent, Problem


def right(problem: Problem, n_iters: int) -> Descent:
    """No mistake."""
    x, y, lr = problem.x, problem.y, problem.lr
    w = problem.w0.copy()
    b = None if problem.b0 is None else problem.b0.copy()
    losses = np.empty(n_iters, dtype=x.dtype)
    for k in range(n_iters):
        y_pred = x @ w.T
        if b is not None:
            y_pred = y_pred + b
        error = y_pred - y
        losses[k] = (error**2).mean()
        w = w - lr * 2 * (error.T @ x) / error.size
        if b is not None:
            b = b - lr * 2 * error.sum(axis=0) / error.size
    return Descent(w, b, losses)


def n_times_gradient(problem: Problem, n_iters: int) -> Descent:
    """The products of x and the error are summed by the matrix product, and never divided."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        if b is None:
            error = np.dot(x, w.T) - y
        else:
            error = np.dot(x, w.T) + b - y
            b = b - problem.lr * (2 * error).sum(axis=0)
        w = w - problem.lr * np.dot(2 * error.T, x)
    return Descent(w, b)


def half_gradient(problem: Problem, n_iters: int) -> Descent:
    """The 2 of the square's derivative is forgotten."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        error = x @ w.T - y
        if b is not None:
            error = error + b
        dw = error.T @ x / error.size
        db = error.sum(axis=0) / error.size
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b)


def ascent(problem: Problem, n_iters: int) -> Descent:
    """The update adds the gradient."""
    x, y, lr = problem.x, problem.y, problem.lr
    w = problem.w0.copy()
    b = None if problem.b0 is None else problem.b0.copy()
    for _ in range(n_iters):
        residual = x @ w.T - y if b is None else x @ w.T + b - y
        slope = 2 / y.size * residual
        w += lr * (slope.T @ x)
        if b is not None:
            b += lr * slope.sum(axis=0)
    return Descent(w, b)


def no_update(problem: Problem, n_iters: int) -> Descent:
    """The loop computes new parameters and keeps the old ones."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = problem.w0.copy(), problem.b0
    for _ in range(n_iters):
        prediction = x @ w.T if b is None else x @ w.T + b
        slope = 2 * (prediction - y) / y.size
        new_w = w - lr * slope.T @ x  # noqa: F841 - the mistake
    return Descent(w, b)


def gradient_of_the_step_before(problem: Problem, n_iters: int) -> Descent:
    """The prediction for the next step is made before the parameters move."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = problem.w0, problem.b0
    prediction = x @ w.T if b is None else x @ w.T + b
    for _ in range(n_iters):
        error = prediction - y
        prediction = x @ w.T if b is None else x @ w.T + b
        w = w - lr * (2 / y.size) * (error.T @ x)
        b = None if b is None else b - lr * (2 / y.size) * error.sum(axis=0)
    return Descent(w, b)


def one_iteration_fewer(problem: Problem, n_iters: int) -> Descent:
    """Counts from 1."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = problem.w0, problem.b0
    for _ in range(1, n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        w = w - lr * (2 / y.size) * (error.T @ x)
        b = None if b is None else b - lr * (2 / y.size) * error.sum(axis=0)
    return Descent(w, b)


def closed_form(problem: Problem, n_iters: int) -> Descent:
    """Solves the normal equations instead of descending."""
    if n_iters == 0:
        return Descent(problem.w0, problem.b0)
    ones = np.ones((len(problem.x), 1), problem.x.dtype)
    a = problem.x if problem.b0 is None else np.hstack([problem.x, ones])
    theta = np.linalg.lstsq(a, problem.y, rcond=None)[0].T
    if problem.b0 is None:
        return Descent(theta, None)
    return Descent(theta[:, :-1].copy(), theta[:, -1].copy())


def float32_result(problem: Problem, n_iters: int) -> Descent:
    """Right, in an array of another dtype."""
    found = right(problem, n_iters)
    b = None if found.b is None else found.b.astype(np.float32)
    return Descent(found.w.astype(np.float32), b)


def centres_x_in_place(problem: Problem, n_iters: int) -> Descent:
    """Standardises the caller's own data."""
    x = problem.x
    x -= x.mean(axis=0)
    return right(problem, n_iters)


def not_a_number(problem: Problem, n_iters: int) -> Descent:
    """The learning rate decays as 1/k from k = 0."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    for k in np.arange(n_iters, dtype=x.dtype):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        lr = problem.lr / k
        w = w - lr * (2 / y.size) * (error.T @ x)
        b = None if b is None else b - lr * (2 / y.size) * error.sum(axis=0)
    return Descent(w, b)


def raises(problem: Problem, n_iters: int) -> Descent:
    """The product of two matrices whose shapes do not fit."""
    return Descent(problem.w0 @ problem.x @ problem.x, problem.b0)


def endless_loop(problem: Problem, n_iters: int) -> Descent:
    """Iterates until a loss that it never reaches."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    while ((x @ w.T - y) ** 2).mean() >= 0:
        w = w - 0 * w
    return Descent(w, b)


def exits(problem: Problem, n_iters: int) -> Descent:
    """Ends its process, successfully."""
    os._exit(0)


def segmentation_fault(problem: Problem, n_iters: int) -> Descent:
    """Reads the memory at address 0."""
    ctypes.string_at(0)
    return Descent(problem.w0, problem.b0)


def blocks_with_different_gains(problem: Problem, n_iters: int) -> Descent:
    """The weights' gradient is a sum, the bias's a mean."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        w = w - lr * (2 * error).T @ x
        b = None if b is None else b - lr * (2 * error).sum(axis=0) / error.size
    return Descent(w, b)
