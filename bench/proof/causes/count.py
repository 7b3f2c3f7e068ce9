"""The number of updates is not the number that was asked for."""

import numpy as np

from bench.oracle.system import size
from bench.proof.causes.cause import Cause, Match
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory, iterates


def one_less(evidence: Evidence) -> Match | None:
    """The state after n iterations is gradient descent's after n - 1, and the losses do not say otherwise."""
    made = evidence.trajectory.updates_made
    if made is None or evidence.losses_are_right or made != [n - 1 for n in _asked(made)]:
        return None
    alternatives = ("report.result-stale",) if evidence.losses is None else ()
    return Match(0.0, "n iterations were asked for and n - 1 updates were made", -1.0, alternatives)


def one_more(trajectory: Trajectory) -> Match | None:
    """The state after n iterations is gradient descent's after n + 1."""
    made = trajectory.updates_made
    if made is None or made != [n + 1 for n in _asked(made)]:
        return None
    return Match(0.0, "n iterations were asked for and n + 1 updates were made", 1.0)


def early_stop(evidence: Evidence) -> Match | None:
    """The state after n iterations is gradient descent's own after fewer: at most so many are made."""
    made = evidence.trajectory.updates_made
    if made is not None and 0 < max(made) < len(made):
        most = max(made)
        if most == len(made) - 1 or made != [min(n, most) for n in _asked(made)]:
            return None
        if most == 1:
            # A step from where it stopped: a descent that is stuck there has another fault.
            there = evidence.from_state(evidence.trajectory.states[1])
            state = evidence.ask(there, 1)
            if state is None or not evidence.is_descent(there, 1, state):
                return None
        also = ("update.skips",) if most == 1 else ()
        return Match(0.0, f"no more than {most} updates are made, however many are asked for", float(most), also)
    return _stopped_later(evidence)


def _stopped_later(evidence: Evidence) -> Match | None:
    far = [n for n, _ in evidence.sighting.answers if n > evidence.last]
    if not far or not evidence.trajectory.right:
        return None
    asked = max(far)
    state = evidence.sighting.state(asked)
    bound = np.maximum(evidence.sighting.truth.bound[asked], np.finfo(float).tiny)
    if not np.all(np.isfinite(bound)) or not evidence.departure:
        return None
    off = size(iterates(evidence.system, evidence.problem.lr, evidence.start, asked - 1) - state) / bound
    # Of a batch, each regression may have stopped at its own time; a break between two blocks leaves one an update
    # ahead.
    joint = off.max(axis=(-1, -2))
    if evidence.system.has_bias:
        weights, bias = off[..., :-1, :].max(axis=(-1, -2)), off[..., -1, :].max(axis=-1)
        joint[:-1] = np.minimum(joint[:-1], np.maximum(weights[:-1], bias[1:]))
        joint[1:] = np.minimum(joint[1:], np.maximum(weights[1:], bias[:-1]))
    if np.any(joint.min(axis=0) > MARGIN):
        return None
    # Ten updates at a tenth of the rate may look like one: what has stopped stands still.
    before = evidence.ask(evidence.problem, asked - 1)
    if before is None or np.any(np.abs(state - before) > 4 * evidence.dtype.unit_roundoff * np.abs(state)):
        return None
    stopped = int(np.min(joint.argmin(axis=0)))
    sentence = f"{asked} iterations were asked for and {stopped} updates were made, each of them right"
    return Match(float(np.max(joint.min(axis=0))), sentence, float(stopped))


def padded(trajectory: Trajectory) -> Match | None:
    """More updates than asked for, by no constant number: rounded up, or at least so many."""
    made = trajectory.updates_made
    if made is None or any(m < n for m, n in zip(made, _asked(made), strict=True)):
        return None
    surplus = {m - n for m, n in zip(made, _asked(made), strict=True)}
    multiple = {m / n for m, n in zip(made, _asked(made), strict=True)}
    if surplus in ({0}, {1}) or multiple == {2.0}:
        return None
    listed = ", ".join(str(m) for m in made)
    return Match(0.0, f"for 1 to {len(made)} iterations {listed} updates were made")


def _asked(made: list[int]) -> list[int]:
    return list(range(1, len(made) + 1))


ONE_LESS = Cause(
    code="count.one-less",
    title="one update fewer than asked for",
    looks_like="range(1, n_iters), a break before the last update, or a returned value from before it",
    fix="for k in range(n_iters), and return the parameters after the last update",
    example="for k in range(1, n_iters):",
    examine=one_less,
)
ONE_MORE = Cause(
    code="count.one-more",
    title="one update more than asked for",
    looks_like="range(n_iters + 1), a loop that tests its counter after the update, or an update before the loop",
    fix="for k in range(n_iters), with one update in it and none outside",
    example="for k in range(n_iters + 1):",
    test=one_more,
)
EARLY_STOP = Cause(
    code="count.early-stop",
    title="it stops before the iterations that were asked for are done",
    looks_like="a break on a tolerance or a patience, a cap on the iterations, parameters frozen after a while",
    fix="make all n_iters updates; whether that is enough is for the caller to say",
    example="if abs(loss - previous) < 1e-8: break",
    examine=early_stop,
)
PADDED = Cause(
    code="count.padded",
    title="more updates than asked for, rounded up",
    looks_like="a loop over whole blocks of iterations, an unrolled loop body, or a least number of iterations",
    fix="make exactly n_iters updates, the remainder of the blocks too",
    example="for _ in range(-(-n_iters // 10)): ten_updates()",
    test=padded,
)
