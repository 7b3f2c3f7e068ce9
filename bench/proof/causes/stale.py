"""The gradient belongs to an earlier iterate."""

import numpy as np

from bench.oracle.system import LongArray
from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import MARGIN, Trajectory


def previous_gradient(trajectory: Trajectory) -> Match | None:
    """s_k = g_k-1, the first step made with the start's gradient or not at all."""
    late = trajectory.gradients[:-2]
    first: tuple[LongArray, ...] = (trajectory.gradients[0], np.zeros_like(trajectory.gradients[0]))
    residual = min(trajectory.residual([step, *late]) for step in first)
    if residual > MARGIN:
        return None
    return Match(residual, "each update uses the gradient of the iterate before")


GRADIENT = Cause(
    code="stale.gradient",
    title="each update uses the gradient of the step before",
    looks_like="predictions or gradients computed at the end of the loop body, after which the parameters moved again",
    fix="compute prediction, loss and gradient at the present parameters, then update them",
    example="w = w - lr * gradient; gradient = new_gradient   # new_gradient was taken before the update",
    test=previous_gradient,
)
