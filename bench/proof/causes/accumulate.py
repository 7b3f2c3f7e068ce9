"""Gradients add up from one iteration to the next."""

from itertools import accumulate

from bench.proof.causes.cause import Cause, Match
from bench.proof.trajectory import MARGIN, Trajectory


def no_zero_grad(trajectory: Trajectory) -> Match | None:
    """s_k = g_k + s_k-1: each update uses the sum of all gradients so far."""
    residual = trajectory.residual(list(accumulate(trajectory.gradients[:-1])))
    if residual > MARGIN:
        return None
    return Match(residual, "each update uses the sum of all gradients so far, as momentum 1 would")


NO_ZERO_GRAD = Cause(
    code="accumulate.no-zero-grad",
    title="gradients are never zeroed, so that they add up",
    looks_like="loss.backward() in a loop without zero_grad(), or grad += where grad = was meant",
    fix="zero the gradients once an iteration, after the update: w.grad.zero_() or optimizer.zero_grad()",
    example="loss.backward(); w -= lr * w.grad   # and w.grad.zero_() is missing",
    test=no_zero_grad,
    same_as=("state.momentum",),
)
