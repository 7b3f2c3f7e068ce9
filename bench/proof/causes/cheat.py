"""An answer without the descent."""

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import Trajectory

NEAR = 1e-6
"""At the optimum: within this fraction of the way there from the start."""


def closed_form(trajectory: Trajectory) -> Match | None:
    """Every state from the first update on is the optimum."""
    optimum = trajectory.system.optimum
    way = float(np.max(np.abs(trajectory.states[0] - optimum)))
    near = max(NEAR, 100 * trajectory.dtype.unit_roundoff) * way
    off = max(float(np.max(np.abs(state - optimum))) for state in trajectory.states[1:])
    if not off <= near:
        return None
    return Match(off / near, "already one iteration gives the least-squares optimum")


CLOSED_FORM = Cause(
    code="cheat.closed-form",
    title="it jumps to the optimum instead of descending",
    looks_like="np.linalg.lstsq, solve or pinv in place of the loop, or a Newton step",
    fix="make n_iters updates of w - lr * gradient",
    example="w = np.linalg.lstsq(x, y)[0].T",
    test=closed_form,
)
