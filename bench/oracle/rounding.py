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

    It admits every order of summation, any wider arithmetic inside, and three ways of writing the update, whose bounds
    are worked out apart; the largest holds:

    - theta - lr g, with the gradient as A^T (A theta - y) or as H theta - q (normal equations);
    - (I - lr H) theta + lr q, where theta passes through a sum of P terms;
    - theta as one more term of the gradient's sum of N terms (gemm with beta = 1, or sample by sample).

    The oracle's own rounding, in long double, is counted in. Infinite where the dtype is too short for sums of this
    length.
    """
    unit = dtype.unit_roundoff + 2 * LONG_UNIT_ROUNDOFF
    n, p = system.n_samples, system.n_parameters
    if gamma(n + p + 6, unit) == np.inf:
        return np.full_like(sizes.theta, np.inf)
    design, design_t = system.size_of_design, system.size_of_design.swapaxes(-1, -2)
    scale = float(system.scale)
    predictions = design @ sizes.theta
    of_residual = _of_residual(system, predictions, sizes.residual, dtype)
    off, residuals = design_t @ of_residual, design_t @ (sizes.residual + of_residual)
    by_residuals = scale * (off + gamma(n + 4, unit) * residuals)
    by_normal_equations = scale * gamma(n + p + 5, unit) * (design_t @ (predictions + system.size_of_targets))
    of_gradient = np.maximum(by_residuals, by_normal_equations)
    subtracted = lr * of_gradient + gamma(3, unit) * lr * (sizes.gradient + of_gradient)
    subtracted = subtracted + unit * (sizes.theta_next + subtracted)
    affine = lr * by_normal_equations + gamma(p + 1, unit) * sizes.theta + unit * sizes.theta_next
    accumulated = lr * scale * (off + gamma(n + 5, unit) * residuals) + gamma(n, unit) * sizes.theta
    bound: FloatArray = np.maximum(np.maximum(subtracted, affine), accumulated)
    data = predictions + system.size_of_targets + of_residual
    return bound + _underflow(system, sizes.theta, data, sizes.gradient + of_gradient, lr=lr, dtype=dtype)


def _of_residual(system: System, predictions: FloatArray, residual: FloatArray, dtype: Dtype) -> FloatArray:
    """The error of A theta - y, (..., N, M): the targets may be taken off last, or be the first of the P + 1 terms."""
    unit, p = dtype.unit_roundoff + 2 * LONG_UNIT_ROUNDOFF, system.n_parameters
    last = gamma(p, unit) * predictions + gamma(2, unit) * system.size_of_targets + unit * residual
    first = gamma(p + 1, unit) * predictions + gamma(p, unit) * system.size_of_targets
    larger: FloatArray = np.maximum(last, first)
    return larger + p * dtype.eta


def of_another_basis(system: System, sizes: Sizes, lr: float, dtype: Dtype) -> FloatArray:
    """What an update in coordinates of the variant's own may add to `step_bound`, (..., P, M).

    Computed eigenvectors are those of a matrix within gamma_P |H| of H (LAPACK Users' Guide, 3rd ed., section 4.7), so
    the error of a component has the size of the whole state.
    """
    steepness = lr * system.largest_eigenvalue
    whole, whole_next = (np.sqrt(np.square(a).sum(-2, keepdims=True)) for a in (sizes.theta, sizes.theta_next))
    added = gamma(system.n_parameters, dtype.unit_roundoff) * (whole_next + (1 + 2 * steepness) * whole)
    result: FloatArray = np.broadcast_to(added, sizes.theta.shape)
    return result


def _underflow(
    system: System, theta: FloatArray, data: FloatArray, gradient: FloatArray, *, lr: float, dtype: Dtype
) -> FloatArray:
    """What the numbers near the least of the dtype add to the error of an update: eta for each product.

    lr and 2/(N M) may be multiplied into the sum, into each residual or into each entry of A beforehand, together or
    one after the other; each of these products may underflow, and what it meets afterwards magnifies that.
    """
    n, p = system.n_samples, system.n_parameters
    # lr, 1/(N M) and lr/(N M) as constants of the dtype: their relative errors are those of the whole step.
    of_constants = (1 + 2 * (1 + lr) / float(system.scale)) * gradient
    of_scaled_residuals = system.size_of_design.sum(axis=-2)[..., np.newaxis]
    of_scaled_data = data.sum(axis=-2, keepdims=True)
    of_products = (n + p + 2) * (1 + theta.sum(axis=-2, keepdims=True))
    grown = 1 + gamma(n + p + 5, dtype.unit_roundoff)
    total: FloatArray = of_constants + (1 + 2 * lr) * grown * (of_scaled_residuals + of_scaled_data + of_products)
    return dtype.eta * total


def objective_bound(
    system: System, residual: FloatArray, theta: FloatArray, astray: FloatArray, dtype: Dtype
) -> FloatArray:
    """The largest error of a reported loss at a state that is itself ``astray`` from the exact one, shape (...).

    It admits the mean of squared residuals, and the square multiplied out: term by term, or as theta^T A^T A theta
    - 2 theta^T A^T y + y^T y, whose errors have the size of the predictions and targets where the residuals vanish.

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
    moved = system.size_of_design @ astray + _of_residual(system, predictions, residual, dtype)
    largest = residual + moved
    # Sums over samples, over parameters, and over all numbers of the one or the other.
    longest = terms + system.n_samples + system.n_parameters * (system.n_outputs + 2) + 6
    multiplied_out = gamma(longest, unit)
    if multiplied_out == np.inf:
        return np.full(residual.shape[:-2], np.inf)
    rounded = np.maximum(relative * largest**2, multiplied_out * (predictions + system.size_of_targets) ** 2)
    total: FloatArray = (2 * residual * moved + moved**2 + rounded).sum(axis=(-1, -2)) / terms
    return total + terms * dtype.eta
