"""Learning rates: which are allowed, which is the largest that converges, and what ``auto`` means."""

import math
from typing import Literal

import numpy as np

from bench.dtypes import FloatArray
from bench.errors import UsageError
from bench.problems.problem import Problem

AUTO_FRACTION = 0.5
"""``auto`` is this share of the largest stable learning rate: safely inside, and near the fastest constant one."""

LearningRate = float | Literal["auto"]


def checked(lr: float) -> float:
    """The learning rate itself, where it is one.

    Raises:
        UsageError: it is zero, negative or not finite.

    >>> checked(0.01)
    0.01
    """
    if not (math.isfinite(lr) and lr > 0.0):
        raise UsageError(f"the learning rate {lr!r} is not a positive finite number. Give one, like 0.01, or 'auto'.")
    return float(lr)


def largest_stable(problem: Problem) -> float:
    """The learning rate below which gradient descent converges from every start, 2 / lambda_max(H).

    H = 2/(N M) [x 1]^T [x 1] is the Hessian of the mean squared residual (one block of it for every output);
    of a batch, the smallest of its members' rates counts.

    Args:
        problem: float64 NumPy arrays.

    Returns:
        The rate; infinite where the loss does not depend on the weights at all.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.3.

    >>> line = Problem(np.array([[1.0], [2.0], [3.0], [4.0]]), np.zeros((4, 1)), np.zeros((1, 1)), None, 0.01)
    >>> round(largest_stable(line), 6)
    0.133333
    """
    return _two_over_lambda_max(problem.x, n_outputs=problem.y.shape[-1], bias=problem.b0 is not None)


def resolved(lr: LearningRate, x: FloatArray, *, n_outputs: int, bias: bool) -> float:
    """The learning rate as a number: as given, or computed where it is ``auto``.

    Args:
        lr: a positive number, or ``"auto"``.
        x: features, (N, D) or (B, N, D).
        n_outputs: M.
        bias: whether the model has one.

    Raises:
        UsageError: the number is not a learning rate, or the features allow no automatic one.
    """
    if lr != "auto":
        return checked(lr)
    automatic = AUTO_FRACTION * _two_over_lambda_max(x, n_outputs=n_outputs, bias=bias)
    if not (math.isfinite(automatic) and automatic > 0.0):
        raise UsageError(
            f"no automatic learning rate exists: it came out as {automatic!r}. The features are probably all zero, "
            "or so large that their squares overflow. Rescale them, or give the learning rate as a number."
        )
    return automatic


def _two_over_lambda_max(x: FloatArray, *, n_outputs: int, bias: bool) -> float:
    n_samples = x.shape[-2]
    a = np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1) if bias else x
    scale = float(np.max(np.abs(a)))
    if scale == 0.0:
        return math.inf
    # Divided by its largest entry, so that no square overflows; the smaller of the two Gram matrices has the same
    # largest eigenvalue.
    a = a / scale
    transposed = np.swapaxes(a, -1, -2)
    gram = transposed @ a if a.shape[-1] <= n_samples else a @ transposed
    largest = float(np.max(np.linalg.eigvalsh(gram)[..., -1]))
    return float(n_samples * n_outputs / largest / scale / scale)
