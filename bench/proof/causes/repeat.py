"""Two equal calls, two answers."""

from itertools import pairwise

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, TINY

EQUAL_CALLS = 40
SETTLED = 1e-3
CARRIED = 0.8


def nondeterministic(evidence: Evidence) -> Match | None:
    """Equal calls differ beyond the rounding bound."""
    if not evidence.unsteady or _drifts(evidence):
        return None
    apart = max(
        float(np.max(np.abs(states[0] - other)))
        for n in range(evidence.last + 1)
        for states in [evidence.sighting.states(n)]
        for other in states[1:]
    )
    return Match(0.0, f"two equal calls are {apart:.3g} apart")


def _drifts(evidence: Evidence) -> bool:
    """Whether equal calls go one way or settle: something is carried from call to call, and nothing is random."""
    states = [evidence.ask(evidence.problem, 1) for _ in range(EQUAL_CALLS)]
    changes = np.stack([after - here for here, after in pairwise(s for s in states if s is not None)])
    apart = np.abs(changes).reshape(len(changes), -1).max(axis=1).astype(np.float64)
    if np.max(apart) <= MARGIN * np.max(evidence.trajectory.state_tolerances):
        # They differed once and do so no more: what is random goes on.
        return True
    # Changes between independent answers are correlated by -1/2; what is carried on moves one way, or to and fro.
    flat = changes.reshape(len(changes), -1).astype(np.float64)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), TINY)
    onward = float(np.mean(np.sum(flat[1:] * flat[:-1], axis=1)))
    return abs(onward) > CARRIED or float(np.max(apart[-3:])) < SETTLED * float(np.max(apart))


NONDETERMINISTIC = Cause(
    code="repeat.nondeterministic",
    title="two equal calls give different answers",
    looks_like="random numbers without a seed, a race between threads, memory that was not initialised",
    fix="make the result depend on the problem and on n_iters alone",
    example="dw = dw + 1e-3 * np.random.randn(*dw.shape)",
    examine=nondeterministic,
)
