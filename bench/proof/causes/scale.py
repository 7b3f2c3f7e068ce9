"""The gradient has the right direction and the wrong length."""

from dataclasses import replace

import numpy as np

from bench.oracle.system import System
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory

NO_GAIN = 1e-12
OTHER_RATE = 0.75
"""The learning rate of the second run, over that of the first."""


def sum_not_mean(trajectory: Trajectory) -> Match | None:
    """Test for s = N M g."""
    terms = trajectory.system.n_samples * trajectory.system.n_outputs
    return _gain(trajectory, float(terms), "the sum over the residuals, not their mean")


def mean_over_samples(trajectory: Trajectory) -> Match | None:
    """Test for s = M g."""
    outputs = trajectory.system.n_outputs
    if outputs == 1:
        return None
    return _gain(trajectory, float(outputs), f"divided by the samples alone, not by the {outputs} outputs as well")


def half(trajectory: Trajectory) -> Match | None:
    """Test for s = g/2."""
    return _gain(trajectory, 0.5, "the factor 2 of the square's derivative is missing")


def double(trajectory: Trajectory) -> Match | None:
    """Test for s = 2 g."""
    return _gain(trajectory, 2.0, "doubled, or backward or the update applied twice")


def extra_division(trajectory: Trajectory) -> Match | None:
    """Test for s = g over a number of samples, features, outputs or regressions, or over a product of them."""
    return first_of(
        _gain(trajectory, 1 / divisor, f"divided once more, by {name} = {divisor}")
        for name, divisor in divisors(trajectory.system).items()
    )


def divisors(system: System) -> dict[str, int]:
    """What a gradient is divided by once too often, by name; none of them 1."""
    n, m = system.n_samples, system.n_outputs
    d = system.n_parameters - int(system.has_bias)
    batch = int(np.prod(system.design.shape[:-2]))
    named = {"N": n, "D": d, "M": m, "N M": n * m, "N D": n * d, "D + 1": d + 1, "the number of regressions": batch}
    return {name: divisor for name, divisor in named.items() if divisor > 1}


def by_block(trajectory: Trajectory) -> Match | None:
    """Weights and bias have different constant gains."""
    if not trajectory.system.has_bias:
        return None
    weights, bias = trajectory.gain(slice(None, -1)), trajectory.gain(slice(-1, None))
    gains = np.full((trajectory.system.n_parameters, 1), weights, np.longdouble)
    gains[-1] = bias
    if not (weights > 0 and bias > 0):
        return None
    # The two gains are measured, so that a residual far under the margin is no surprise; that they differ must be.
    residual = trajectory.residual(gains * trajectory.due)
    same = trajectory.residual(np.longdouble(weights) * trajectory.due)
    if residual > MARGIN or same <= 10 * MARGIN:
        return None
    sentence = f"the weights' gradient is {weights:.4g} times the right one, the bias's {bias:.4g} times"
    return Match(residual, sentence, weights)


def rate_ignored(evidence: Evidence) -> Match | None:
    """The gain is c/lr at two learning rates: the constant c is used in place of lr."""
    gains = _gains_at_two_rates(evidence)
    if gains is None:
        return None
    first, second = gains
    if not _equal(second * OTHER_RATE, first, evidence):
        return None
    constant = first * evidence.problem.lr
    sentence = f"the learning rate is {constant:.6g} whatever is asked for"
    return Match(0.0, sentence, first, _in_one_dimension(evidence))


def rate_squared(evidence: Evidence) -> Match | None:
    """The gain is in proportion to lr at two learning rates."""
    gains = _gains_at_two_rates(evidence)
    if gains is None:
        return None
    first, second = gains
    if not _equal(second / OTHER_RATE, first, evidence):
        return None
    sentence = f"it is {first / evidence.problem.lr:.4g} lr times the right one, so that lr counts twice"
    return Match(0.0, sentence, first)


def constant(evidence: Evidence) -> Match | None:
    """One gain for every step, start and learning rate."""
    gains = _gains_at_two_rates(evidence)
    if gains is None:
        return None
    first, second = gains
    if not _equal(second, first, evidence):
        return None
    also = _in_one_dimension(evidence)
    return Match(0.0, "the same factor in every step and at every learning rate", first, also)


def _gain(trajectory: Trajectory, gain: float, meaning: str) -> Match | None:
    return fits(trajectory, np.longdouble(gain) * trajectory.due, meaning, gain)


def _gains_at_two_rates(evidence: Evidence) -> tuple[float, float] | None:
    """The constant gain at the probe's learning rate, and the gain at another one."""
    trajectory = evidence.trajectory
    (first,), residual = trajectory.fit(np.zeros_like(trajectory.due), trajectory.due)
    # No step at all is in proportion to anything.
    if residual > MARGIN or abs(first) < NO_GAIN:
        return None
    other = evidence.ask_trajectory(replace(evidence.problem, lr=OTHER_RATE * evidence.problem.lr), 2)
    if other is None:
        return None
    (second,), residual = other.fit(np.zeros_like(other.due), other.due)
    return (first, second) if residual <= MARGIN else None


def _in_one_dimension(evidence: Evidence) -> tuple[str, ...]:
    """There every constant gain goes straight to the answer."""
    return ("cheat.geometric",) if evidence.start.size == 1 else ()


def _equal(one: float, other: float, evidence: Evidence) -> bool:
    return abs(one - other) <= 1000 * evidence.dtype.unit_roundoff * abs(other)


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
MEAN_OVER_SAMPLES = Cause(
    code="scale.mean-over-samples",
    title="the gradient is the mean over the samples, summed over the outputs",
    looks_like="a division by len(x) where there are several outputs",
    fix="divide by y.size, the number of residuals: N times M",
    example="dw = 2 / len(x) * residual.T @ x",
    test=mean_over_samples,
)
EXTRA_DIVISION = Cause(
    code="scale.extra-division",
    title="the gradient is divided once too often",
    looks_like="a mean of a mean, loss / n before backward where the loss is a mean already, or a mean over features",
    fix="divide by the number of residuals once",
    example="loss = torch.nn.functional.mse_loss(prediction, y) / len(x)",
    test=extra_division,
)
LR_IGNORED = Cause(
    code="scale.lr-ignored",
    title="the learning rate is a constant, not the one that was asked for",
    looks_like="lr = 0.01 inside the function, or an optimizer left at its default",
    fix="use problem.lr",
    example="optimizer = torch.optim.SGD([w])   # lr=1e-3 by default",
    examine=rate_ignored,
)
LR_SQUARED = Cause(
    code="scale.lr-squared",
    title="the learning rate counts twice",
    looks_like="a loss or a gradient multiplied by lr before an update that multiplies by lr",
    fix="multiply by lr once, in the update",
    example="gradient = lr * (x.T @ residual); w -= lr * gradient",
    examine=rate_squared,
)
CONSTANT = Cause(
    code="scale.constant",
    title="the gradient is a constant factor off",
    looks_like="a forgotten or additional constant in the loss or in its derivative",
    fix="2 / y.size * (x.T @ residual)",
    example="dw = 1.1 * (2 / y.size) * residual.T @ x",
    examine=constant,
)
