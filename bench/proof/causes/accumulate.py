"""Gradients add up from one iteration to the next."""

import numpy as np

from bench.oracle.system import LongArray
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory

LONGEST_PERIOD = 12
FURTHER = 24


def no_zero_grad(evidence: Evidence) -> Match | None:
    """s_k = g_k + s_k-1: each update uses the sum of all gradients so far, and does so further on."""
    trajectory = evidence.trajectory
    total = np.cumsum(trajectory.due, axis=0)
    match = fits(trajectory, total, "each update uses the sum of all gradients so far, as momentum 1 would")
    return None if match is None or _zeroed_later(evidence) else match


def _zeroed_later(evidence: Evidence) -> bool:
    """Whether the state after `FURTHER` iterations is not that of gradients which were never zeroed."""
    seen = evidence.ask(evidence.problem, FURTHER)
    if seen is None:
        return False
    theta, total = evidence.start, np.zeros_like(evidence.start)
    for _ in range(FURTHER):
        total = total + evidence.system.gradient(theta)
        theta = theta - np.longdouble(evidence.problem.lr) * total
    far = np.max(np.abs(theta - evidence.start))
    return bool(np.max(np.abs(seen - theta)) > max(1e-3, 1e3 * evidence.dtype.unit_roundoff) * far)


def zeroed_sometimes(evidence: Evidence) -> Match | None:
    """The sum of the gradients since the last of every 2nd, 3rd ... iteration; not seen zeroed yet, watched longer."""
    trajectory = evidence.trajectory
    if trajectory.residual(np.cumsum(trajectory.due, axis=0)) > MARGIN:
        return _zeroed_every_few(trajectory)
    longer = evidence.ask_trajectory(evidence.problem, FURTHER)
    return None if longer is None else _zeroed_every_few(longer)


def _zeroed_every_few(trajectory: Trajectory) -> Match | None:
    return first_of(
        fits(
            trajectory,
            _since_zeroed(trajectory.due, period, first),
            f"gradients add up and are zeroed every {period} iterations only",
            float(period),
        )
        for period in range(2, min(LONGEST_PERIOD, len(trajectory.due) - 1) + 1)
        for first in range(1, period + 1)
    )


def one_block(trajectory: Trajectory) -> Match | None:
    """One block uses the sum of its gradients so far, the other its gradient."""
    if not trajectory.system.has_bias:
        return None
    g, total = trajectory.due, np.cumsum(trajectory.due, axis=0)
    weights, bias = g.copy(), g.copy()
    weights[..., :-1, :] = total[..., :-1, :]
    bias[..., -1, :] = total[..., -1, :]
    return first_of(
        fits(trajectory, predicted, f"the gradients of the {name} add up, the other's do not")
        for name, predicted in (("weights", weights), ("bias", bias))
    )


def _since_zeroed(gradients: LongArray, period: int, first: int) -> LongArray:
    """Running sums that start anew at ``first``, ``first + period``, ..."""
    sums = [gradients[0]]
    for k, gradient in enumerate(gradients[1:], start=1):
        sums.append(gradient if (k - first) % period == 0 else sums[-1] + gradient)
    return np.stack(sums)


NO_ZERO_GRAD = Cause(
    code="accumulate.no-zero-grad",
    title="gradients are never zeroed, so that they add up",
    looks_like="loss.backward() in a loop without zero_grad(), or grad += where grad = was meant",
    fix="zero the gradients once an iteration, after the update: w.grad.zero_() or optimizer.zero_grad()",
    example="loss.backward(); w -= lr * w.grad   # and w.grad.zero_() is missing",
    examine=no_zero_grad,
    same_as=("state.momentum",),
)
SOMETIMES = Cause(
    code="accumulate.sometimes",
    title="gradients add up and are zeroed only every few iterations",
    looks_like="zero_grad() behind an if k % steps, with a step in every iteration",
    fix="zero the gradients once an iteration, after the update",
    example="if k % 4 == 0: optimizer.zero_grad()",
    examine=zeroed_sometimes,
)
BLOCK = Cause(
    code="accumulate.block",
    title="the gradients of the weights or of the bias add up",
    looks_like="w.grad.zero_() without b.grad.zero_()",
    fix="zero the gradients of all parameters: optimizer.zero_grad()",
    example="loss.backward(); w.grad.zero_()   # and b.grad.zero_() is missing",
    test=one_block,
)
