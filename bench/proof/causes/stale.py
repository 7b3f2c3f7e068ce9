"""The gradient belongs to an earlier iterate."""

import numpy as np

from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.trajectory import Trajectory


def previous_gradient(trajectory: Trajectory) -> Match | None:
    """s_k = g_k-1, the first step made with the start's gradient or not at all."""
    g = trajectory.due
    return first_of(
        fits(trajectory, np.stack([first, *g[:-1]]), "each update uses the gradient of the iterate before")
        for first in (g[0], np.zeros_like(g[0]))
    )


def first_gradient(trajectory: Trajectory) -> Match | None:
    """s_k = g_0 for ever."""
    frozen = np.broadcast_to(trajectory.due[0], trajectory.due.shape)
    return fits(trajectory, frozen, "every update uses the gradient at the start")


GRADIENT = Cause(
    code="stale.gradient",
    title="each update uses the gradient of the step before",
    looks_like="predictions or gradients computed at the end of the loop body, after which the parameters moved again",
    fix="compute prediction, loss and gradient at the present parameters, then update them",
    example="w = w - lr * gradient; gradient = new_gradient   # new_gradient was taken before the update",
    test=previous_gradient,
)
FROZEN_GRADIENT = Cause(
    code="stale.frozen-gradient",
    title="every update uses the gradient at the start",
    looks_like="the gradient or the prediction computed before the loop",
    fix="compute prediction and gradient inside the loop, at the present parameters",
    example="gradient = slope(w)\nfor _ in range(n_iters): w = w - lr * gradient",
    test=first_gradient,
)
