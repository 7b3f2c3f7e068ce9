"""The number of updates is not the number that was asked for."""

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import MARGIN, Trajectory


def one_less(trajectory: Trajectory) -> Match | None:
    """The state after n iterations is gradient descent's after n - 1."""
    if not np.array_equal(trajectory.states[1], trajectory.states[0]):
        return None
    residual = trajectory.residual([np.zeros_like(trajectory.gradients[0]), *trajectory.gradients[1:-1]])
    if residual > MARGIN:
        return None
    return Match(residual, "n iterations were asked for and n - 1 updates were made")


ONE_LESS = Cause(
    code="count.one-less",
    title="one update fewer than asked for",
    looks_like="range(1, n_iters), a break before the last update, or a returned value from before it",
    fix="for k in range(n_iters), and return the parameters after the last update",
    example="for k in range(1, n_iters):",
    test=one_less,
    same_as=("update.skips", "report.result-stale"),
)
