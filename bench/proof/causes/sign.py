"""The gradient has the wrong sign."""

import numpy as np

from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.trajectory import Trajectory


def ascent(trajectory: Trajectory) -> Match | None:
    """Test for s = -g."""
    return fits(trajectory, -trajectory.due, "every update climbs the gradient instead of descending it")


def one_block(trajectory: Trajectory) -> Match | None:
    """Test for s = -g in the weights alone, or in the bias alone."""
    if not trajectory.system.has_bias:
        return None
    bias = np.ones((trajectory.system.n_parameters, 1))
    bias[-1] = -1
    return first_of(
        fits(trajectory, signs * trajectory.due, f"the {name} climbs its gradient, the rest descends")
        for name, signs in (("bias", bias), ("weight matrix", -bias))
    )


ASCENT = Cause(
    code="sign.ascent",
    title="it climbs: the gradient is added, not subtracted",
    looks_like="w += lr * gradient, a residual of y - y_pred with the sign left as it was, or maximize=True",
    fix="w -= lr * gradient with residual = y_pred - y",
    example="w += lr * 2 * ((y_pred - y) * x).mean()",
    test=ascent,
)
BLOCK = Cause(
    code="sign.block",
    title="weights or bias climb the gradient while the other descends",
    looks_like="w -= beside b +=, or residuals of different signs in the two gradients",
    fix="subtract both: w -= lr * dw; b -= lr * db",
    example="w -= lr * dw; b += lr * db",
    test=one_block,
)
