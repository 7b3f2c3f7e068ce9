"""Something of an earlier call, or of another start, is in the answer."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bench.oracle.memory import system_of
from bench.oracle.system import LongArray, System, stacked
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.evidence import Evidence
from bench.proof.probes import SETTLING_ITERATIONS
from bench.proof.trajectory import MARGIN

WARM_ITERATIONS = 3
AFAR = 2.0**20
FAR = 1e-3
"""A descent from any start is this much nearer to the optimum in the end than after one iteration."""


def warm_start(evidence: Evidence) -> Match | None:
    """A second equal call goes on from where the first ended."""
    first, second = (evidence.ask(evidence.problem, WARM_ITERATIONS) for _ in range(2))
    if first is None or second is None:
        return None
    if not evidence.is_descent(evidence.from_state(first), WARM_ITERATIONS, second):
        return None
    return Match(0.0, f"the second of two calls of {WARM_ITERATIONS} iterations starts where the first ended")


def buffer(evidence: Evidence) -> Match | None:
    """The first step of a call is made of that of the call before: the optimizer's buffer was kept."""
    steps = evidence.one_repeat
    return None if steps is None else first_of((_carried_on(evidence, steps), _made_again(evidence, steps)))


def _carried_on(evidence: Evidence, steps: list[LongArray]) -> Match | None:
    """s_0 of each call is g_0 and m times that of the call before."""
    g = evidence.trajectory.due[0]
    before, extra = np.stack(steps[:-1]), np.stack(steps[1:]) - g
    flat_before, flat_extra = before.astype(np.float64).ravel(), extra.astype(np.float64).ravel()
    squares = float(flat_before @ flat_before)
    m = float(flat_before @ flat_extra) / squares if squares > 0 else 0.0
    allowed = (
        10 * MARGIN * evidence.trajectory.tolerances[0] * (1 + np.abs(before / np.maximum(np.abs(g).max(), 1e-300)))
    )
    # Steps so large that the gradient is lost in their rounding carry on anything.
    drowned = float(np.max(allowed)) > 1e-3 * float(np.max(np.abs(g)))
    if drowned or abs(m) <= 1e-6 or not np.all(np.abs(extra - np.longdouble(m) * before) <= allowed):
        return None
    return Match(0.0, f"the first step of a call carries on {m:.6g} times the step of the call before", m)


def _made_again(evidence: Evidence, steps: list[LongArray]) -> Match | None:
    """Each call first makes the last update of the call before once more, in all parameters or in one block."""
    lr = np.longdouble(evidence.problem.lr)
    begun = [_start_before(evidence, evidence.start - lr * step) for step in steps]
    updates = [start - (evidence.start - lr * step) for start, step in zip(begun, steps, strict=True)]
    moved = np.stack([evidence.start - start for start in begun[1:]])
    tolerance = 10 * MARGIN * evidence.trajectory.state_tolerances[0]
    blocks = [slice(None)]
    if evidence.system.has_bias:
        blocks += [slice(None, -1), slice(-1, None)]
    for block in blocks:
        expected = np.zeros_like(moved)
        expected[..., block, :] = np.stack(updates[:-1])[..., block, :]
        # A block that does not move at all says nothing.
        if np.max(np.abs(expected)) > float(np.max(tolerance)) and np.all(np.abs(moved - expected) <= tolerance):
            return Match(0.0, "a call first makes the last update of the call before once more", 1.0)
    return None


def random_start(evidence: Evidence) -> Match | None:
    """The start that is asked for makes no difference, however far off, and in the end every call is at the optimum."""
    if evidence.settling is None:
        return None
    problem, system = evidence.settling
    begun = [evidence.ask(problem, 0) for _ in range(2)]
    ended = [evidence.ask(problem, SETTLING_ITERATIONS) for _ in range(2)]
    if all(state is not None for state in (*begun, *ended)):
        apart, left_apart = (float(np.max(np.abs(a - b))) for a, b in (begun, ended) if a is not None and b is not None)
        if apart > 0 and left_apart <= FAR * apart:
            return Match(0.0, f"every call starts elsewhere: two starts are {apart:.3g} apart, and both descend")
    optimum = np.round(system.optimum * 8) / 8
    asked = [(optimum, 1), (optimum + AFAR, 1), (optimum, SETTLING_ITERATIONS), (optimum + AFAR, SETTLING_ITERATIONS)]
    ends = [evidence.ask(evidence.from_state(start, problem), n_iters) for start, n_iters in [*asked, (optimum, 1)]]
    if any(end is None for end in ends):
        return None
    left, far, *last, again = (float(np.max(np.abs(end - optimum))) for end in ends if end is not None)
    # A call after one that has settled starts afar again: nothing is carried from call to call.
    if min(left, again) <= FAR or far > AFAR / 1000 or max(last) > FAR * min(left, far, again):
        return None
    return Match(0.0, "every call starts somewhere else, not at the start that was asked for, and descends from there")


def start_ignored(evidence: Evidence) -> Match | None:
    """Every call descends rightly from one start, and not from the one that was asked for."""
    misses = evidence.trajectory.misses
    if misses[0] <= MARGIN or np.any(misses[1:] > MARGIN):
        return None
    return first_of((_from_its_own(evidence), _from_another(evidence)))


def _from_another(evidence: Evidence) -> Match | None:
    """Zero iterations already return another start than was asked for, and from there every update is right."""
    begun = evidence.sighting.state(0)
    if np.array_equal(begun, evidence.start):
        return None
    states = [begun, *evidence.trajectory.states[1:]]
    if not replace(evidence.trajectory, states=states).right:
        return None
    changed = "a part of it" if np.any(begun == evidence.start) else "all of it"
    return Match(0.0, f"the start that is asked for is changed, {changed}, and every update from there is right")


def _from_its_own(evidence: Evidence) -> Match | None:
    state = evidence.ask(evidence.elsewhere, 1)
    if state is None:
        return None
    asked = stacked(evidence.elsewhere.w0, evidence.elsewhere.b0)
    began, began_elsewhere = (_start_before(evidence, one) for one in (evidence.trajectory.states[1], state))
    tolerance = 10 * MARGIN * evidence.trajectory.state_tolerances[0]
    heeded = (np.abs(began - evidence.start) <= tolerance) & (np.abs(began_elsewhere - asked) <= tolerance)
    ignored = np.abs(began - began_elsewhere) <= tolerance
    if not np.all(heeded | ignored) or np.all(heeded):
        return None
    where = "zero" if np.all(np.abs(began[~heeded]) <= tolerance[~heeded]) else "a start of its own"
    return Match(0.0, f"whatever start is asked for, {_which(evidence, heeded)} from {where}")


def _which(evidence: Evidence, heeded: npt.NDArray[np.bool_]) -> str:
    """What of the parameters descends from another start than was asked for."""
    if not np.any(heeded):
        return "it descends"
    weights, bias = heeded[..., : evidence.trajectory.n_weights, :], heeded[..., evidence.trajectory.n_weights :, :]
    if np.all(weights) and not np.any(bias):
        return "the bias descends"
    return "a part of the parameters descends" if np.any(weights) else "the weights descend"


def _start_before(evidence: Evidence, state: LongArray) -> LongArray:
    """Where one exact update leads to that state."""
    system, lr = evidence.system, np.longdouble(evidence.problem.lr)
    step = np.eye(system.n_parameters) - lr * system.hessian
    backward = np.linalg.inv(step.astype(np.float64)).astype(np.longdouble)
    start: LongArray = backward @ (state - lr * system.linear)
    # The inverse has float64's digits; once more with what is missing gives the others.
    return start + backward @ (state - lr * system.linear - step @ start)


def stale_data(evidence: Evidence) -> Match | None:
    """The descent is right on the data of an earlier call."""
    if evidence.earlier is None:
        return None
    earlier = evidence.earlier.problem
    if earlier.x.shape != evidence.problem.x.shape:
        return None
    old, new, states = system_of(earlier), evidence.system, evidence.trajectory.stack[:-1]
    rate = np.longdouble(earlier.lr) / np.longdouble(evidence.problem.lr)
    return first_of(
        fits(evidence.trajectory, predicted, f"on new data it descends on {what} of an earlier call")
        for what, predicted in (
            ("the data and the learning rate", rate * old.gradient(states)),
            ("the data", old.gradient(states)),
            ("the targets", System(new.design, old.targets, new.has_bias).gradient(states)),
            ("the features", System(old.design, new.targets, new.has_bias).gradient(states)),
            ("the features' products", old.hessian @ states - new.linear),
        )
    )


WARM_START = Cause(
    code="leak.warm-start",
    title="a call starts where the one before ended",
    looks_like="parameters kept in a global, a closure, a module or a default argument",
    fix="start from problem.w0 and problem.b0 in every call",
    example="model = torch.nn.Linear(1, 1)   # outside the function",
    examine=warm_start,
)
RANDOM_START = Cause(
    code="leak.random-start",
    title="every call starts somewhere else, at random",
    looks_like="np.random.randn, torch.nn.Linear with its own initialisation",
    fix="start from problem.w0 and problem.b0",
    example="w = np.random.randn(*problem.w0.shape)",
    examine=random_start,
)
START_IGNORED = Cause(
    code="leak.start-ignored",
    title="it starts from a start of its own",
    looks_like="w = np.zeros(...), a seeded random start, a module's own initialisation",
    fix="start from problem.w0 and problem.b0",
    example="w = np.zeros_like(problem.w0)",
    examine=start_ignored,
)
BUFFER = Cause(
    code="leak.buffer",
    title="the optimizer's state is kept from call to call",
    looks_like="an optimizer, a velocity or a .grad made once and used by every call",
    fix="make the optimizer anew in every call, or zero its state",
    example="velocity = {}   # outside the function",
    examine=buffer,
)
STALE_DATA = Cause(
    code="leak.stale-data",
    title="the data of an earlier call are used",
    looks_like="x.T @ x or the data kept in a cache by their shape or their id",
    fix="compute from problem.x and problem.y in every call",
    example="@functools.cache\ndef gram(shape): ...",
    examine=stale_data,
)
