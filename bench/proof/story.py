"""The story behind a verdict: what the fault does on this machine, measured, beside what theory says."""

from dataclasses import dataclass, replace

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.convergence import FRACTION, iterations_to_converge
from bench.oracle.memory import system_of
from bench.oracle.system import LongArray, System, stacked
from bench.oracle.truth import Propagator
from bench.problems.problem import Problem
from bench.proof.causes import cause_named
from bench.proof.causes.cause import Cause
from bench.proof.subject import Answer, Subject
from bench.proof.verdict import Verdict

ROWS = 10
LONGEST_WATCH = 200
OVER_THE_LIMIT = 1.05
DIVERGING_ITERATIONS = 60
LEAST_GRADIENT = 1e-4
"""Of the first gradient's norm: below it a step says little about its learning rate."""


@dataclass(frozen=True, slots=True)
class Iterate:
    """One iterate: what was seen, and what is exact, weights above bias, (..., P, M)."""

    n_iters: int
    observed: FloatArray
    exact: FloatArray


@dataclass(frozen=True, slots=True)
class Blowup:
    """A run just above the variant's own limit, where gradient descent is stable.

    Attributes:
        lr: the learning rate of that run.
        growth: its distance from the optimum at the end, over that of its start.
        right_growth: the same for gradient descent.
    """

    lr: float
    n_iters: int
    growth: float
    right_growth: float


@dataclass(frozen=True, slots=True)
class Story:
    """A verdict, retold with numbers.

    Attributes:
        verdict: the proof's.
        cause: the cause's own story; ``None`` when proved or unknown.
        watched: what was seen of the variant; ``None`` when it does not answer.
    """

    verdict: Verdict
    cause: Cause | None
    watched: "Watched | None"


@dataclass(frozen=True, slots=True)
class Watched:
    """What a variant does on a problem, beside what gradient descent does.

    Attributes:
        lr: the learning rate that was asked for.
        limit: the largest stable one, 2/lambda_max.
        gain: how many times too large the gradient is, where it is that.
        reached_in: iterations that the variant was seen to need to converge; ``None`` when it did not.
        right_in: iterations that gradient descent needs.
        right_in_at_gain: iterations that gradient descent needs at the learning rate that the variant really has.
        near: how near counts as converged, in the Euclidean norm.
        optimum: of the objective, weights above bias, (..., P, M).
        hessian: of the objective, for each output alike, (..., P, P).
        has_bias: whether the last row of a state is the bias.
        path: the iterates from the start on, at least `ROWS` of them unless the variant failed.
        effective: by iteration, the learning rate that the step really had: its part along the gradient, over the
            gradient; as far as there is a gradient worth the name.
        blowup: what happens between the variant's limit and gradient descent's.
    """

    lr: float
    limit: float
    gain: float | None
    reached_in: int | None
    right_in: int | None
    right_in_at_gain: int | None
    near: float
    optimum: FloatArray
    hessian: FloatArray
    has_bias: bool
    path: tuple[Iterate, ...]
    effective: tuple[float, ...]
    blowup: Blowup | None


def untold(verdict: Verdict) -> Story:
    """The story of a variant that cannot be watched: it does not answer."""
    return Story(verdict, _cause(verdict), None)


def tell(subject: Subject, problem: Problem, dtype: Dtype, verdict: Verdict) -> Story:
    """Watch the variant on a problem and say what its fault does there.

    Args:
        subject: a worker that has the variant.
        problem: the cell's own, in float64.
        dtype: the cell's.
        verdict: what the proof found.
    """
    system = system_of(problem)
    finding = verdict.finding
    right_in = iterations_to_converge(problem, system)
    scaled = finding.cause is not None and finding.cause.startswith("scale.") and finding.cause != "scale.block"
    gain = finding.factor if scaled and finding.factor is not None and finding.factor > 0 else None
    propagator = Propagator(system, problem.lr)
    start = stacked(problem.w0, problem.b0)
    far = _distance(start, system.optimum)
    path: list[Iterate] = []
    effective: list[float] = []
    reached_in = None
    before: LongArray | None = None
    for n in range(min(LONGEST_WATCH, max(ROWS, 2 * (right_in or LONGEST_WATCH))) + 1):
        state = _state(subject, problem, n, dtype)
        if state is None or (n > max(ROWS, right_in or 0) and reached_in is not None):
            break
        path.append(Iterate(n, state.astype(np.float64), propagator.after(start, n).astype(np.float64)))
        if before is not None and len(effective) == n - 1:
            effective += _effective_learning_rate(system, start, before, state)
        before = state
        if reached_in is None and _distance(state, system.optimum) <= FRACTION * far:
            reached_in = n
    gained = None if gain is None else iterations_to_converge(replace(problem, lr=gain * problem.lr), system)
    watched = Watched(
        lr=problem.lr,
        limit=system.largest_learning_rate,
        gain=gain,
        reached_in=reached_in,
        right_in=right_in,
        right_in_at_gain=gained,
        near=FRACTION * far,
        optimum=system.optimum.astype(np.float64),
        hessian=system.hessian.astype(np.float64),
        has_bias=system.has_bias,
        path=tuple(path),
        effective=tuple(effective),
        blowup=None if gain is None or gain <= 1 else _blowup(subject, problem, dtype, gain, far),
    )
    return Story(verdict, _cause(verdict), watched)


def _cause(verdict: Verdict) -> Cause | None:
    return None if verdict.finding.cause is None else cause_named(verdict.finding.cause)


def _blowup(subject: Subject, problem: Problem, dtype: Dtype, gain: float, far: float) -> Blowup | None:
    system = system_of(problem)
    lr = OVER_THE_LIMIT * system.largest_learning_rate / gain
    faster = replace(problem, lr=lr)
    state = _state(subject, faster, DIVERGING_ITERATIONS, dtype)
    if state is None or far == 0.0:
        return None
    right = Propagator(system, lr).after(stacked(problem.w0, problem.b0), DIVERGING_ITERATIONS)
    growth, right_growth = (_distance(where, system.optimum) / far for where in (state, right))
    return Blowup(lr, DIVERGING_ITERATIONS, growth, right_growth)


def _effective_learning_rate(system: System, start: LongArray, state: LongArray, after: LongArray) -> list[float]:
    """The one number, or none where the gradient is too small to tell."""
    gradient, first = system.gradient(state), system.gradient(start)
    squares = float(np.sum(gradient * gradient))
    if not squares > LEAST_GRADIENT**2 * float(np.sum(first * first)):
        return []
    return [float(np.sum((state - after) * gradient)) / squares]


def _distance(state: LongArray, optimum: LongArray) -> float:
    return float(np.linalg.norm((state - optimum).astype(np.float64)))


def _state(subject: Subject, problem: Problem, n_iters: int, dtype: Dtype) -> LongArray | None:
    reply = subject.call(problem, n_iters, dtype)
    return stacked(reply.w, reply.b) if isinstance(reply, Answer) else None
