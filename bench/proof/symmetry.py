"""What gradient descent does not depend on: the order of the samples, the axes of the features, a batch around it.

A fault without a name is described by what it does depend on.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from bench.dtypes import FloatArray, rounded
from bench.oracle.system import LongArray
from bench.problems.problem import Problem
from bench.proof.evidence import Evidence

ITERATIONS = 3
APART = 1e-6
"""A difference, relative to how far the state has moved, that rounding the rotated data does not make."""


def dependences(evidence: Evidence) -> tuple[str, ...]:
    """What the variant's answer depends on, and gradient descent's does not; empty where nothing was seen.

    Args:
        evidence: of a variant that answers equal calls equally.
    """
    if evidence.last < ITERATIONS or evidence.dtype.itemsize < 8:
        return ()
    state = evidence.trajectory.states[ITERATIONS]
    asked = {
        "the order of the samples": (_permuted(evidence), state),
        "the axes of the features": (_rotated(evidence), state),
        "the other regressions of the batch": (_alone(evidence), state[:1]),
    }
    moved = float(np.max(np.abs(state - evidence.start)))
    return tuple(
        what
        for what, (other, due) in asked.items()
        if other is not None and not float(np.max(np.abs(other - due))) <= APART * moved
    )


def _permuted(evidence: Evidence) -> LongArray | None:
    problem = evidence.problem
    order = np.random.Generator(np.random.PCG64(11)).permutation(evidence.system.n_samples)
    return evidence.ask(replace(problem, x=problem.x[..., order, :], y=problem.y[..., order, :]), ITERATIONS)


def _rotated(evidence: Evidence) -> LongArray | None:
    """The state from rotated features, turned back."""
    problem, d = evidence.problem, evidence.problem.x.shape[-1]
    if d == 1:
        return None
    turn = _rotation(d)
    x, w0 = (rounded(part @ turn, evidence.dtype) for part in (problem.x, problem.w0))
    state = evidence.ask(replace(problem, x=x, w0=w0), ITERATIONS)
    if state is not None:
        state[..., :d, :] = turn @ state[..., :d, :]
    return state


def _alone(evidence: Evidence) -> LongArray | None:
    """The state of the first regression of a batch, in a batch of its own."""
    p = evidence.problem
    if p.x.ndim == 2:
        return None
    b0 = None if p.b0 is None else p.b0[:1]
    return evidence.ask(Problem(p.x[:1], p.y[:1], p.w0[:1], b0, p.lr), ITERATIONS)


@lru_cache
def _rotation(d: int) -> FloatArray:
    return np.linalg.qr(np.random.Generator(np.random.PCG64(7)).standard_normal((d, d)))[0]
