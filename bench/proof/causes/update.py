"""The updates: none at all, too many, too few, or one after the other where they belong together."""

from itertools import pairwise

import numpy as np

from bench.oracle.system import LongArray, stacked
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory


def never(evidence: Evidence) -> Match | None:
    """Test for s = 0: every state is the start, from other starts too, far and near, and the losses do not fall."""
    if not still(evidence.trajectory) or evidence.losses_are_right:
        return None
    for problem in (evidence.elsewhere, *evidence.near_optimum):
        state = evidence.ask(problem, 1)
        if state is not None and not np.array_equal(state, stacked(problem.w0, problem.b0)):
            return None
    sentence = f"after {evidence.last} iterations the parameters are still at the start"
    return Match(0.0, sentence, alternatives=("report.result-initial",) if evidence.losses is None else ())


def still(trajectory: Trajectory) -> bool:
    """Whether every state is the start."""
    return all(np.array_equal(state, trajectory.states[0]) for state in trajectory.states[1:])


def twice(trajectory: Trajectory) -> Match | None:
    """Every iteration makes two updates: s = g(theta) + g(theta - lr g)."""
    g = trajectory.due
    after_one = trajectory.system.gradient(trajectory.stack[:-1] - np.longdouble(trajectory.lr) * g)
    return fits(trajectory, g + after_one, "every iteration makes two updates, the second from where the first led")


def skips(evidence: Evidence) -> Match | None:
    """Some updates are made and others, in the middle or after the first, are not, wherever the descent stands."""
    trajectory = evidence.trajectory
    idle = np.array([np.array_equal(here, after) for here, after in pairwise(trajectory.states)])
    made = trajectory.misses <= MARGIN
    if not np.all(idle | made) or not np.any(idle) or not np.any(made):
        return None
    pattern = "".join("0" if rests else "1" for rests in idle)
    if pattern in ("0" + "1" * (len(pattern) - 1), "1" * pattern.count("1") + "0" * pattern.count("0")) and (
        pattern.count("1") > 1
    ):
        # All but the first, or the first few: the number of updates is wrong, no update is skipped among others.
        return None
    only_first = pattern.count("1") == 1 and pattern[0] == "1"
    if pattern[0] == "1":
        # Where an update was skipped, a call of its own makes its first one: it is k that decides, not the place.
        there = evidence.from_state(trajectory.states[int(np.argmax(idle))])
        state = evidence.ask(there, 1)
        if state is None or not evidence.is_descent(there, 1, state):
            return None
    return Match(
        float(np.max(np.where(idle, 0, trajectory.misses))),
        "only the first update is made" if only_first else f"updates are skipped, in the pattern {pattern}",
        alternatives=("count.early-stop",) if only_first else (),
    )


def sequential(trajectory: Trajectory) -> Match | None:
    """Later blocks, or rows, use the gradient at parameters of which the earlier ones have been updated already."""
    last = trajectory.system.n_parameters - 1
    rows = [slice(row, row + 1) for row in range(last + 1)]
    orders: dict[str, list[slice]] = {}
    if trajectory.system.has_bias:
        weights, bias = slice(0, last), slice(last, last + 1)
        orders["the bias is updated at the weights that were updated before"] = [weights, bias]
        orders["the weights are updated at the bias that was updated before"] = [bias, weights]
    if last > 0:
        orders["every parameter is updated at those that were updated before"] = rows
        orders["every parameter, from the last on, is updated at those that were updated before"] = rows[::-1]
    return first_of(
        fits(trajectory, _one_after_another(trajectory, blocks), sentence) for sentence, blocks in orders.items()
    )


def _one_after_another(trajectory: Trajectory, blocks: list[slice]) -> LongArray:
    moving = trajectory.stack[:-1].copy()
    used = np.zeros_like(moving)
    for block in blocks:
        used[..., block, :] = trajectory.system.gradient(moving)[..., block, :]
        moving[..., block, :] -= np.longdouble(trajectory.lr) * used[..., block, :]
    return used


NEVER = Cause(
    code="update.never",
    title="the parameters never move",
    looks_like="an update of a detached copy, gradients zeroed before the step, an optimizer over other tensors",
    fix="update the very tensors that the loss was computed from, after backward and before the gradients are zeroed",
    example="loss.backward(); optimizer.zero_grad(); optimizer.step()",
    examine=never,
)
TWICE = Cause(
    code="update.twice-per-iteration",
    title="every iteration makes two updates",
    looks_like="a training step called twice in the loop body, or a loop inside the loop",
    fix="one gradient and one update an iteration",
    example="for k in range(n_iters): step(); losses[k] = step()",
    test=twice,
)
SKIPS = Cause(
    code="update.skips",
    title="some updates are not made",
    looks_like="an update behind an if, every second iteration of a schedule, or only in the first iteration",
    fix="update in every iteration",
    example="if k % 2 == 0: w -= lr * dw",
    examine=skips,
)
SEQUENTIAL = Cause(
    code="update.sequential",
    title="parameters are updated one after the other, each at those already moved",
    looks_like="the prediction computed anew between the update of w and that of b",
    fix="compute all gradients first, then update all parameters",
    example="w -= lr * slope_w(w, b); b -= lr * slope_b(w, b)",
    test=sequential,
)
