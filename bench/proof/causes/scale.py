"""The gradient has the right direction and the wrong length."""

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import MARGIN, Trajectory


def _constant_gain(trajectory: Trajectory, gain: float, meaning: str) -> Match | None:
    residual = trajectory.residual([np.longdouble(gain) * g for g in trajectory.gradients[:-1]])
    if residual > MARGIN:
        return None
    return Match(residual, meaning, gain)


def sum_not_mean(trajectory: Trajectory) -> Match | None:
    """Test for s = N M g."""
    terms = trajectory.system.n_samples * trajectory.system.n_outputs
    return _constant_gain(trajectory, float(terms), "the sum over the residuals, not their mean")


def half(trajectory: Trajectory) -> Match | None:
    """Test for s = g/2."""
    return _constant_gain(trajectory, 0.5, "the factor 2 of the square's derivative is missing")


def double(trajectory: Trajectory) -> Match | None:
    """Test for s = 2 g."""
    return _constant_gain(trajectory, 2.0, "doubled, or backward or the update applied twice")


def by_block(trajectory: Trajectory) -> Match | None:
    """Weights and bias have different constant gains, both positive."""
    if not trajectory.system.has_bias:
        return None
    weights, bias = trajectory.gain(slice(None, -1)), trajectory.gain(slice(-1, None))
    if not (weights > 0 and bias > 0):
        return None
    gains = np.full((trajectory.system.n_parameters, 1), weights, np.longdouble)
    gains[-1] = bias
    # The two gains are measured, so that a residual far under the margin is no surprise; that they differ must be.
    residual = trajectory.residual([gains * g for g in trajectory.gradients[:-1]])
    same = trajectory.residual([np.longdouble(weights) * g for g in trajectory.gradients[:-1]])
    if residual > MARGIN or same <= 10 * MARGIN:
        return None
    sentence = f"the weights' gradient is {weights:.4g} times the right one, the bias's {bias:.4g} times"
    return Match(residual, sentence, weights)


SUM = Cause(
    code="scale.sum",
    title="the gradient is the sum over the residuals, not their mean",
    looks_like="a dot product or .sum() where the loss takes a mean; a .mean() after np.dot, which has already summed",
    fix="divide by the number of residuals: 2 / y.size * (x.T @ residual)",
    example="dw = np.dot(2 * x, y_pred - y).mean()   # dot gives one number; its mean is itself",
    test=sum_not_mean,
)
HALF = Cause(
    code="scale.half",
    title="the gradient is half as large as it should be",
    looks_like="x.T @ residual / n without the 2 that the derivative of the square brings",
    fix="2 / y.size * (x.T @ residual), or say that the objective is half the mean squared error",
    example="dw = (x * (y_pred - y)).mean()",
    test=half,
)
DOUBLE = Cause(
    code="scale.double",
    title="the gradient is twice as large as it should be",
    looks_like="backward() or the update executed twice in one iteration, or a factor 2 counted twice",
    fix="one backward and one update an iteration",
    example="loss.backward(retain_graph=True); loss.backward()",
    test=double,
)
BLOCK = Cause(
    code="scale.block",
    title="weights and bias move with different gains",
    looks_like="one gradient a sum and the other a mean, as in np.dot(...).mean() beside residual.mean()",
    fix="divide both blocks by the same number of residuals",
    example="dw = np.dot(2 * x, r).mean(); db = (2 * r).mean()",
    test=by_block,
)
