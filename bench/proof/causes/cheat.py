"""An answer without the descent."""

from dataclasses import replace

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.causes.update import still
from bench.proof.evidence import Evidence
from bench.proof.probes import CRAWLING_RATE
from bench.proof.trajectory import Trajectory

THREE_PLACES = 3
NEAR = 1e-6
"""At the optimum: within this fraction of the way there from the start."""


def closed_form(evidence: Evidence) -> Match | None:
    """Every state from the first update on is the optimum, and at a very small learning rate, too."""
    trajectory = evidence.trajectory
    optimum = trajectory.system.optimum
    way = float(np.max(np.abs(trajectory.states[0] - optimum)))
    near = max(NEAR, 100 * trajectory.dtype.unit_roundoff) * way
    off = max(float(np.max(np.abs(state - optimum))) for state in trajectory.states[1:])
    if not off <= near:
        return None
    # What descends until it has converged does not get there with steps so short.
    slow = evidence.ask(replace(evidence.problem, lr=evidence.problem.lr * CRAWLING_RATE), 1)
    if slow is None or np.max(np.abs(slow - optimum)) > near:
        return None
    return Match(off / near, "already one iteration gives the least-squares optimum")


def geometric(trajectory: Trajectory) -> Match | None:
    """Every state is on the straight line from the start to the optimum, at another place each."""
    start, optimum = trajectory.stack[0], trajectory.system.optimum
    if start.size == 1:
        return None
    way = optimum - start
    length = float(np.sum(way * way))
    places = np.array([float(np.sum((state - start) * way)) / length for state in trajectory.states[1:]])
    on_line = [start + np.longdouble(place) * way for place in places]
    near = max(1e-9, 100 * trajectory.dtype.unit_roundoff) * float(np.max(np.abs(way)))
    off = max(float(np.max(np.abs(a - b))) for a, b in zip(trajectory.states[1:], on_line, strict=True))
    # Two places, the start and the optimum say, are a jump and no line.
    if off > near or len(np.unique(np.round(places, 9))) < THREE_PLACES:
        return None
    listed = ", ".join(f"{100 * place:.3g} %" for place in places[:4])
    return Match(off / near, f"it goes to the optimum in a straight line: {listed} ... of the way")


def hard_coded(evidence: Evidence) -> Match | None:
    """Another start and other targets change nothing in the answer, and the answer is not the start."""
    if still(evidence.trajectory) or not np.any(evidence.sighting.state(evidence.last)):
        # All zeros may be a result that was wiped out, not one that was written down.
        return None
    other = replace(evidence.elsewhere, y=evidence.moved_targets.y)
    answer = evidence.ask(other, evidence.last)
    if answer is None or not np.array_equal(answer, evidence.sighting.state(evidence.last)):
        return None
    return Match(0.0, "the answer is the same whatever the targets and the start: it was not computed from them")


def cached(evidence: Evidence) -> Match | None:
    """On other data, or from another start, the answer is that of an earlier call, to the last bit."""
    if still(evidence.trajectory):
        answer = evidence.ask(evidence.elsewhere, 1)
        repeated = answer is not None and np.array_equal(answer, evidence.start)
        return Match(0.0, "from another start it gives the answer to an earlier call") if repeated else None
    if evidence.earlier is None:
        return None
    seen = {n for n, _ in evidence.earlier.answers}
    common = [n for n, _ in evidence.sighting.answers if n in seen and n > 0]
    if not common or evidence.earlier.problem.x.shape != evidence.problem.x.shape:
        return None
    if not all(np.array_equal(evidence.sighting.state(n), evidence.earlier.state(n)) for n in common):
        return None
    return Match(0.0, "on new data it gives, to the last bit, the answers to earlier calls")


CLOSED_FORM = Cause(
    code="cheat.closed-form",
    title="it jumps to the optimum instead of descending",
    looks_like="np.linalg.lstsq, solve or pinv in place of the loop, or a Newton step",
    fix="make n_iters updates of w - lr * gradient",
    example="w = np.linalg.lstsq(x, y)[0].T",
    examine=closed_form,
)
GEOMETRIC = Cause(
    code="cheat.geometric",
    title="it goes to a known answer in a straight line",
    looks_like="the optimum computed first, and a part of the way to it in every iteration",
    fix="make n_iters updates of w - lr * gradient",
    example="w = optimum + 0.5 ** n_iters * (w0 - optimum)",
    test=geometric,
)
HARD_CODED = Cause(
    code="cheat.hard-coded",
    title="the answer does not depend on the problem",
    looks_like="a constant returned where a result was due",
    fix="compute the answer from x, y, w0, b0 and lr",
    example="return Descent(np.full_like(problem.w0, 2.0))",
    examine=hard_coded,
)
CACHED = Cause(
    code="cheat.cached",
    title="an earlier answer is given again",
    looks_like="functools.cache, or a dictionary of results by shape, by id or by n_iters",
    fix="compute every answer from the problem at hand",
    example="if x.shape in answers: return answers[x.shape]",
    examine=cached,
)
