"""Gradient descent in NumPy with the gradient of the mean squared error worked out on paper."""

import numpy as np

from bench import Descent, Problem, Unsupported, variant


@variant("numpy-analytic", backend="numpy", family="analytic")
def numpy_analytic(problem: Problem, n_iters: int) -> Descent:
    """Gradient of the mean squared error, written out by hand.

    With N samples and M outputs, the residual is ``r = x w^T + b - y`` and the objective ``sum(r^2) / (N M)``.
    Its derivative by the predictions is ``s = 2 r / (N M)``; the chain rule gives the two updates::

        w <- w - lr * s^T x
        b <- b - lr * (sum of s over the samples)
    """
    x, y, lr = problem.x, problem.y, problem.lr
    if x.ndim != 2:
        raise Unsupported("one regression at a time, without a batch dimension; numpy-batched takes a whole batch")
    w = problem.w0.copy()
    b = None if problem.b0 is None else problem.b0.copy()
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        prediction = x @ w.T if b is None else x @ w.T + b
        residual = prediction - y
        losses[k] = np.mean(residual**2)
        slope = 2 / y.size * residual
        w -= lr * (slope.T @ x)
        if b is not None:
            b -= lr * slope.sum(axis=0)
    return Descent(w, b, losses)
