"""The gradient is made of the wrong things: another block's, another residual's, without the targets or the bias."""

from collections.abc import Iterator

import numpy as np

from bench.oracle.system import LongArray
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.causes.update import still
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory


def no_target(trajectory: Trajectory) -> Match | None:
    """Test for s = g + 2c A^T y: the prediction stands where the residual should."""
    if still(trajectory):
        return None
    predicted = trajectory.due + trajectory.system.linear
    return fits(trajectory, predicted, "the gradient is that of the mean squared prediction: the targets play no part")


def bias_missing(trajectory: Trajectory) -> Match | None:
    """The bias never moves, or plays no part in the prediction, or both."""
    if not trajectory.system.has_bias:
        return None
    without = _at_zero(trajectory, slice(-1, None))
    return first_of(
        (
            fits(trajectory, _still(trajectory.due, slice(-1, None)), "the bias never moves"),
            fits(trajectory, _still(without, slice(-1, None)), "the bias never moves, and no prediction uses it"),
            fits(trajectory, without, "the predictions leave the bias out"),
        )
    )


def weight_missing(trajectory: Trajectory) -> Match | None:
    """The weights never move, or play no part in the prediction, or both."""
    if not trajectory.system.has_bias:
        return None
    weights = slice(None, -1)
    without = _at_zero(trajectory, weights)
    return first_of(
        (
            fits(trajectory, _still(trajectory.due, weights), "the weights never move"),
            fits(trajectory, _still(without, weights), "the weights never move, and no prediction uses them"),
            fits(trajectory, without, "the predictions leave the weights out"),
        )
    )


def other_gradient(trajectory: Trajectory) -> Match | None:
    """A row of theta moves by other rows' gradient: the bias by the weights', the weights by the bias's, or swapped."""
    hypotheses = [*_between_blocks(trajectory), *_among_weights(trajectory), *_among_outputs(trajectory)]
    return first_of(fits(trajectory, predicted, sentence) for sentence, predicted in hypotheses)


def _between_blocks(trajectory: Trajectory) -> Iterator[tuple[str, LongArray]]:
    if not trajectory.system.has_bias:
        return
    weights, bias = trajectory.due[..., :-1, :], trajectory.due[..., -1:, :]
    by_bias = np.broadcast_to(bias, weights.shape)
    yield "the weights move by the bias's gradient", np.concatenate([by_bias, bias], axis=-2)
    sources = {
        "sum of the weights'": weights.sum(-2, keepdims=True),
        "mean of the weights'": weights.mean(-2, keepdims=True),
    }
    sources |= {f"{_ordinal(row)} weight's": weights[..., [row], :] for row in range(trajectory.n_weights)}
    for name, source in sources.items():
        yield f"the bias moves by the {name} gradient", np.concatenate([weights, source], axis=-2)
        both = np.concatenate([by_bias, source], axis=-2)
        yield f"the bias moves by the {name} gradient and the weights by the bias's", both


def _among_weights(trajectory: Trajectory) -> Iterator[tuple[str, LongArray]]:
    d = trajectory.n_weights
    orders = {"in reverse order": [*range(d)][::-1]}
    orders |= {f"{shift} further on": [(row - shift) % d for row in range(d)] for shift in range(1, d)}
    for name, order in orders.items():
        if d > 1:
            moved = trajectory.due.copy()
            moved[..., :d, :] = trajectory.due[..., order, :]
            yield f"each weight moves by the gradient of the weight {name}", moved


def _among_outputs(trajectory: Trajectory) -> Iterator[tuple[str, LongArray]]:
    m = trajectory.system.n_outputs
    orders = {"in reverse order": [*range(m)][::-1]}
    orders |= {f"{shift} further on": [(output - shift) % m for output in range(m)] for shift in range(1, m)}
    blocks = {"parameter": slice(None)}
    if trajectory.system.has_bias:
        blocks |= {"bias": slice(-1, None), "weight": slice(None, -1)}
    for name, order in orders.items():
        for what, block in blocks.items():
            if m > 1:
                moved = trajectory.due.copy()
                moved[..., block, :] = trajectory.due[..., block, :][..., order]
                yield f"each {what} moves by the gradient of that of the output {name}", moved


def reshaped(trajectory: Trajectory) -> Match | None:
    """The (D, M) gradient of the weights is reshaped to (M, D) where it should be transposed."""
    d, m = trajectory.n_weights, trajectory.system.n_outputs
    if d == 1 or m == 1:
        return None
    predicted = trajectory.due.copy()
    weights = predicted[..., :d, :]
    predicted[..., :d, :] = weights.reshape(*weights.shape[:-2], m, d).swapaxes(-1, -2)
    return fits(trajectory, predicted, f"the {d} x {m} gradient is reshaped to {m} x {d}, not transposed")


def bias_of_one_sample(trajectory: Trajectory) -> Match | None:
    """The bias moves by the residual of one sample, the weights rightly."""
    if not trajectory.system.has_bias:
        return None
    n, m = trajectory.system.n_samples, trajectory.system.n_outputs
    hypotheses = []
    for scale in dict.fromkeys((2 / m, 2.0, 2 / (n * m), 2 / n, 1.0, 1 / m)):
        for sample in (n - 1, *range(n - 1)):
            predicted = trajectory.due.copy()
            predicted[..., -1, :] = np.longdouble(scale) * trajectory.residuals[:-1, ..., sample, :]
            which = "last" if sample == n - 1 else _ordinal(sample)
            hypotheses.append((predicted, f"the bias moves by the residual of the {which} sample alone"))
    return first_of(fits(trajectory, predicted, sentence) for predicted, sentence in hypotheses)


def targets_altered(evidence: Evidence) -> Match | None:
    """Test for s - g the same in every step, and another one with other features: the gradient at other targets."""
    trajectory = evidence.trajectory
    if still(trajectory):
        return None
    offsets = trajectory.effective - trajectory.due
    offset = np.broadcast_to(offsets.mean(axis=0), offsets.shape)
    residual = trajectory.residual(trajectory.due + offset)
    if residual > MARGIN or trajectory.residual(trajectory.due) <= 10 * MARGIN:
        return None
    known = first_of(
        fits(trajectory, trajectory.due + trajectory.system.linear - linear, f"the targets are {name}")
        for name, linear in _altered(trajectory)
    )
    if known is not None:
        return known
    # What is added to the gradient whatever the features are comes from no target.
    doubled = evidence.excess_of_doubled_features
    if doubled is None or np.all(np.abs(doubled - offset[0]) <= 0.01 * np.abs(offset[0])):
        return None
    far = float(np.max(np.abs(offset))) / float(np.max(np.abs(trajectory.system.linear)))
    return Match(residual, f"the gradient is off by the same {far:.3g} of A^T y in every step: other targets")


def _altered(trajectory: Trajectory) -> list[tuple[str, LongArray]]:
    system, y = trajectory.system, trajectory.system.targets
    n = system.n_samples
    mean = np.broadcast_to(y.mean(axis=-2, keepdims=True), y.shape)
    targets = {
        "averaged over the samples": mean,
        "averaged over the outputs": np.broadcast_to(y.mean(axis=-1, keepdims=True), y.shape),
        "centred": y - mean,
        "negated": -y,
        "in reverse order": y[..., ::-1, :],
        "sorted": np.sort(y, axis=-2),
    }
    targets |= {f"rolled by {shift} of {n} samples": np.roll(y, shift, axis=-2) for shift in range(1, n)}
    return [
        (name, system.scale * (system.design.swapaxes(-1, -2) @ target.astype(np.longdouble)))
        for name, target in targets.items()
    ]


def _still(gradients: LongArray, block: slice) -> LongArray:
    predicted = gradients.copy()
    predicted[..., block, :] = 0
    return predicted


def _at_zero(trajectory: Trajectory, block: slice) -> LongArray:
    states = trajectory.stack[:-1].copy()
    states[..., block, :] = 0
    return trajectory.system.gradient(states)


def _ordinal(index: int) -> str:
    return ("first", "second", "third", "fourth", "fifth")[index] if index < 5 else f"{index + 1}th"


NO_TARGET = Cause(
    code="operand.no-target",
    title="the targets play no part in the gradient",
    looks_like="x.T @ prediction where x.T @ (prediction - y) was meant",
    fix="subtract y from the prediction before the gradient is taken",
    example="dw = 2 / y.size * prediction.T @ x",
    test=no_target,
)
OTHER_GRADIENT = Cause(
    code="operand.other-gradient",
    title="parameters move by another parameter's gradient",
    looks_like="gradients unpacked in the wrong order, dw used twice, features in another order in x and in w",
    fix="give each block its own gradient",
    example="w -= lr * dw; b -= lr * dw.mean(1)",
    test=other_gradient,
)
RESHAPE = Cause(
    code="operand.reshape-for-transpose",
    title="the gradient of the weights is reshaped where it should be transposed",
    looks_like="(x.T @ residual).reshape(w.shape) or .view(w.shape)",
    fix="residual.T @ x, or (x.T @ residual).T",
    example="w -= lr * (2 / y.size * x.T @ residual).reshape(w.shape)",
    test=reshaped,
)
BIAS_MISSING = Cause(
    code="operand.bias-missing",
    title="the bias is left out of the update or of the prediction",
    looks_like="an update of w alone, an optimizer given [w] only, x @ w.T without + b",
    fix="predict with x @ w.T + b, and update both w and b",
    example="w -= lr * dw   # and b stays as it was",
    test=bias_missing,
)
WEIGHT_MISSING = Cause(
    code="operand.weight-missing",
    title="the weights are left out of the update or of the prediction",
    looks_like="an update of b alone, an optimizer given [b] only",
    fix="predict with x @ w.T + b, and update both w and b",
    example="b -= lr * db   # and w stays as it was",
    test=weight_missing,
)
BIAS_LAST_SAMPLE = Cause(
    code="operand.bias-last-sample",
    title="the bias moves by the residual of one sample",
    looks_like="residual[-1] or a loop variable left over from a loop over the samples",
    fix="db = 2 / y.size * residual.sum(0)",
    example="db = 2 * residual[-1] / residual.shape[1]",
    test=bias_of_one_sample,
)
TARGETS_ALTERED = Cause(
    code="operand.targets-altered",
    title="the targets are not those of the problem",
    looks_like="y shuffled, rolled, sorted or centred apart from x, or (N, 1) - (N,) broadcast to (N, N)",
    fix="keep y in the order and the shape of the predictions: (N, M)",
    example="residual = x @ w.T - y.ravel()   # (N, 1) - (N,) gives (N, N)",
    examine=targets_altered,
)
