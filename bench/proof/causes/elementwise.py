"""The slope of a loss, measured: what a residual contributes to the gradient, whatever the loss is.

Samples that have a one in one feature each and zeros elsewhere make every component of the gradient the contribution of
one residual. What the residuals of a trajectory contribute can so be asked one by one, without a guess at the loss.
"""

import numpy as np

from bench.dtypes import FloatArray
from bench.oracle.system import LongArray
from bench.problems.problem import Problem
from bench.proof.causes.cause import Match
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory

STEPS = 2
MOST_CALLS = 40
CURVED = 0.02
"""A slope this near to a plane, relatively, is that of a squared residual of other, or of rounded, numbers."""


def elementwise(evidence: Evidence) -> Match | None:
    """Every step is made of a contribution of each prediction and its target, and the contribution is no residual."""
    system = evidence.system
    if evidence.problem.x.ndim > 2 or STEPS * system.n_samples > MOST_CALLS * system.n_parameters:
        return None
    measured: list[LongArray] = []
    for problem in (evidence.problem, *evidence.near_optimum):
        trajectory = evidence.ask_trajectory(problem, STEPS)
        if trajectory is None:
            return None
        slopes = _slopes_measured(evidence, trajectory)
        if slopes is None or trajectory.residual(_gradient(trajectory, slopes)) > MARGIN:
            return None
        measured += [np.stack([*_predictions_and_targets(trajectory), slopes]).reshape(3, -1, system.n_outputs)]
    # Each output by itself: one may have a greater part in the loss than another.
    if all(map(_is_plane, np.concatenate(measured, axis=1).astype(np.float64).transpose(2, 0, 1))):
        return None
    return Match(0.0, "each residual has a part in the gradient that does not grow with it: another loss")


def _is_plane(measured: FloatArray) -> bool:
    """Whether the slopes of one output are a squared residual's: (3, K), of predictions, targets and slopes."""
    predictions, targets, slopes = measured
    plane = np.stack([predictions, targets, np.ones_like(targets)], axis=1)
    flat = plane @ np.linalg.lstsq(plane, slopes, rcond=None)[0]
    return bool(np.max(np.abs(slopes - flat)) <= CURVED * np.max(np.abs(slopes)))


def _slopes_measured(evidence: Evidence, trajectory: Trajectory) -> LongArray | None:
    """What stands in place of c r at each sample and output of the first states, (STEPS, N, M)."""
    predictions, targets = _predictions_and_targets(trajectory)
    steps, n, m = predictions.shape
    # Each output takes the samples in another order, so that no contribution can be made of a neighbour's target.
    asked, known = _staggered(predictions.reshape(-1, m), 1), _staggered(targets.reshape(-1, m), 1)
    d = trajectory.n_weights
    slopes = np.zeros_like(asked)
    for first in range(0, len(asked), d):
        problem = _one_feature_each(evidence.problem, asked[first : first + d], known[first : first + d])
        step = evidence.ask_step(problem)
        if step is None:
            return None
        slopes[first : first + d] = step[: len(slopes[first : first + d])]
    return _staggered(slopes, -1).reshape(steps, n, m)


def _staggered(values: LongArray, by: int) -> LongArray:
    return np.stack([np.roll(column, by * index) for index, column in enumerate(values.T)], axis=1)


def _predictions_and_targets(trajectory: Trajectory) -> tuple[LongArray, LongArray]:
    predictions = trajectory.system.design @ trajectory.stack[:STEPS]
    targets: LongArray = np.broadcast_to(trajectory.system.targets, predictions.shape).astype(np.longdouble)
    return predictions, targets


def _one_feature_each(problem: Problem, predictions: LongArray, targets: LongArray) -> Problem:
    """A problem whose sample i has feature i alone, that prediction and that target; of the others all is zero."""
    x, y, w0 = np.zeros_like(problem.x), np.zeros_like(problem.y), np.zeros_like(problem.w0)
    for i, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        x[i, i], y[i], w0[:, i] = 1.0, target, prediction
    return Problem(x, y, w0, None if problem.b0 is None else np.zeros_like(problem.b0), problem.lr)


def _gradient(trajectory: Trajectory, slopes: LongArray) -> LongArray:
    product: LongArray = trajectory.system.design.swapaxes(-1, -2) @ slopes
    return product
