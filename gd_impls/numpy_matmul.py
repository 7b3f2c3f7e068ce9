"""Gradient descent in NumPy where prediction and gradient are each one matrix product, for one regression or many."""

import numpy as np

from bench import Descent, Problem, Unsupported, variant


@variant("numpy-matmul", backend="numpy", family="matmul")
def numpy_matmul(problem: Problem, n_iters: int) -> Descent:
    """The bias as one more weight, of a feature that is always 1: both gradients are one matrix product.

    With the augmented data ``a = [x 1]``, (N, D + 1), and ``theta = [w b]``, (M, D + 1)::

        r = a theta^T - y
        theta <- theta - lr * 2 / (N M) * r^T a

    A pass over the data makes the residual and another the gradient, as in every other variant: no ``a^T a``.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    if x.ndim != 2:
        raise Unsupported("one regression at a time, without a batch dimension; numpy-batched takes a whole batch")
    n_samples, n_features = x.shape
    if problem.b0 is None:
        a, theta = x, problem.w0.copy()
    else:
        a = np.hstack([x, np.ones((n_samples, 1), x.dtype)])
        theta = np.hstack([problem.w0, problem.b0[:, np.newaxis]])
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        residual = a @ theta.T - y
        losses[k] = np.mean(residual**2)
        gradient = (2 / y.size * residual).T @ a
        theta -= lr * gradient
    w = theta[:, :n_features].copy()
    b = None if problem.b0 is None else theta[:, n_features].copy()
    return Descent(w, b, losses)


@variant("numpy-batched", backend="numpy", family="batched")
def numpy_batched(problem: Problem, n_iters: int) -> Descent:
    """B independent regressions at once: ``@`` multiplies the last two dimensions and repeats over the leading ones.

    Every regression has its own data, weights, loss and gradient; the mean is over its own N M residuals::

        w[i] <- w[i] - lr * s[i]^T x[i]          s[i] = 2 (x[i] w[i]^T + b[i] - y[i]) / (N M)
        b[i] <- b[i] - lr * (sum of s[i] over the samples)

    Without a batch dimension this is numpy-analytic.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    *batch, n_samples, n_outputs = y.shape
    w = problem.w0.copy()
    b = None if problem.b0 is None else problem.b0.copy()
    losses = np.empty((n_iters, *batch), x.dtype)
    for k in range(n_iters):
        prediction = x @ w.swapaxes(-1, -2)
        if b is not None:
            prediction += b[..., np.newaxis, :]
        residual = prediction - y
        losses[k] = np.mean(residual**2, axis=(-2, -1))
        slope = 2 / (n_samples * n_outputs) * residual
        w -= lr * (slope.swapaxes(-1, -2) @ x)
        if b is not None:
            b -= lr * slope.sum(axis=-2)
    return Descent(w, b, losses)
