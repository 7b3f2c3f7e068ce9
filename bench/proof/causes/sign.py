"""The gradient has the wrong sign."""

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import MARGIN, Trajectory


def ascent(trajectory: Trajectory) -> Match | None:
    """Test for s = -g."""
    residual = trajectory.residual([-g for g in trajectory.gradients[:-1]])
    if residual > MARGIN:
        return None
    return Match(residual, "every update climbs the gradient instead of descending it")


ASCENT = Cause(
    code="sign.ascent",
    title="it climbs: the gradient is added, not subtracted",
    looks_like="w += lr * gradient, a residual of y - y_pred with the sign left as it was, or maximize=True",
    fix="w -= lr * gradient with residual = y_pred - y",
    example="w += lr * 2 * ((y_pred - y) * x).mean()",
    test=ascent,
)
