"""The parameters never move."""

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import Trajectory


def never(trajectory: Trajectory) -> Match | None:
    """Test for s = 0: every state is the start."""
    if not all(np.array_equal(state, trajectory.states[0]) for state in trajectory.states[1:]):
        return None
    return Match(0.0, f"after {len(trajectory.states) - 1} iterations the parameters are still at the start")


NEVER = Cause(
    code="update.never",
    title="the parameters never move",
    looks_like="an update of a detached copy, gradients zeroed before the step, an optimizer over other tensors",
    fix="update the very tensors that the loss was computed from, after backward and before the gradients are zeroed",
    example="loss.backward(); optimizer.zero_grad(); optimizer.step()",
    test=never,
)
