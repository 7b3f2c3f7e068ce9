"""How far one update may go astray by rounding: Higham's componentwise analysis of a step, for each dtype.

Source: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002, ch. 3 (inner products) and
ch. 17 (stationary iterations).
"""

from dataclasses import dataclass

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.system import LONG_UNIT_ROUNDOFF, System


def gamma(n: int, unit_roundoff: float) -> float:
    """Higham's gamma_n = n u/(1 - n u), the relative error of n roundings in a row; infinite from n u = 1 on.

    >>> gamma(3, 2.0**-8)
    0.011857707509881422
    >>> gamma(300, 2.0**-8)
    inf
    """
    product = n * unit_roundoff
    return product / (1 - product) if product < 1 else np.inf


@dataclass(frozen=True, slots=True)
class Sizes:
    """Upper bounds on the magnitudes that meet in one update.

    Attributes:
        theta: |theta_k|, (..., P, M).
        theta_next: |theta_k+1|, (..., P, M).
        residual: |A theta_k - y|, (..., N, M).
        gradient: |g_k|, (..., P, M).
    """

    theta: FloatArray
    theta_next: FloatArray
    residual: FloatArray
    gradient: FloatArray


def step_bound(system: System, sizes: Sizes, lr: float, dtype: Dtype) -> FloatArray:
    """The largest rounding error of one update, component by component, (..., P, M).

    It admits every order of summation, the gradient as A^T (A theta - y) and as H theta - q (normal equations), the
    update as theta - lr g and as (I - lr H) theta + lr q, and any wider arithmetic inside. The oracle's own rounding,
    in long double, is counted in. Infinite where the dtype is too short for sums of this length.
    """
    unit = dtype.unit_roundoff + 2 * LONG_UNIT_ROUNDOFF
    n, p, eta = system.n_samples, system.n_parameters, dtype.eta
    if gamma(n + p + 5, unit) == np.inf:
        return np.full_like(sizes.theta, np.inf)
    design, design_t = system.size_of_design, system.size_of_design.swapaxes(-1, -2)
    scale = float(system.scale)
    predictions = design @ sizes.theta
    of_residual = (
        gamma(p, unit) * predictions + gamma(2, unit) * system.size_of_targets + unit * sizes.residual + p * eta
    )
    by_residuals = scale * (design_t @ of_residual + gamma(n + 4, unit) * (design_t @ (sizes.residual + of_residual)))
    by_normal_equations = scale * gamma(n + p + 5, unit) * (design_t @ (predictions + system.size_of_targets))
    of_gradient = np.maximum(by_residuals, by_normal_equations) + n * eta
    of_lr = unit * lr + eta * (1 + 1 / scale)
    bound: FloatArray = (
        lr * of_gradient
        + (2 * unit * lr + of_lr) * (sizes.gradient + of_gradient)
        + unit * (sizes.theta_next + lr * of_gradient)
        + 3 * unit * sizes.theta
        + eta
    )
    return bound


def objective_bound(
    system: System, residual: FloatArray, theta: FloatArray, astray: FloatArray, dtype: Dtype
) -> FloatArray:
    """The largest error of a reported loss at a state that is itself ``astray`` from the exact one, shape (...).

    Args:
        system: the problem.
        residual: |A theta - y| at the exact state, (..., N, M).
        theta: |theta| of the exact state, (..., P, M).
        astray: the bound on the state's own error, (..., P, M).
        dtype: the format of the computation.
    """
    unit = dtype.unit_roundoff + 2 * LONG_UNIT_ROUNDOFF
    terms = system.n_samples * system.n_outputs
    relative = gamma(terms + 4, unit)
    if relative == np.inf or not np.all(np.isfinite(astray)):
        return np.full(residual.shape[:-2], np.inf)
    predictions = system.size_of_design @ (theta + astray)
    moved = (
        system.size_of_design @ astray
        + gamma(system.n_parameters, unit) * predictions
        + gamma(2, unit) * system.size_of_targets
        + unit * residual
        + system.n_parameters * dtype.eta
    )
    largest = residual + moved
    total: FloatArray = (2 * residual * moved + moved**2 + relative * largest**2).sum(axis=(-1, -2)) / terms
    return total + terms * dtype.eta
