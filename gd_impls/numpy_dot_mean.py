"""The most copied gradient on the web, N times too large: kept as it is, to be told from the right one."""

import numpy as np

from bench import Descent, Problem, Unsupported, variant


@variant("numpy-dot-mean", backend="numpy", family="analytic", expect="scale.sum")
def numpy_dot_mean(problem: Problem, n_iters: int) -> Descent:
    """``np.dot(2*x, y_pred - y).mean()``: the mean of a number that np.dot has already summed.

    Meant is the mean of ``2 x_i (w x_i - y_i)`` over the N samples. np.dot adds them up to one number, and the mean
    of one number is that number; the step is N times the one that was meant::

        w <- w - lr * sum over i of 2 x_i (w x_i - y_i)
    """
    if problem.x.ndim != 2 or problem.x.shape[1] != 1 or problem.y.shape[1] != 1 or problem.b0 is not None:
        raise Unsupported("the published formula is for one feature and one output, without a bias or a batch")
    x, y, lr = problem.x[:, 0], problem.y[:, 0], problem.lr
    w = problem.w0[0].copy()
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        y_pred = w * x
        losses[k] = ((y_pred - y) ** 2).mean()
        w -= lr * np.dot(2 * x, y_pred - y).mean()
    return Descent(w[:, np.newaxis], None, losses)
