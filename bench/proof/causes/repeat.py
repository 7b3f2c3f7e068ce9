"""Two equal calls, two answers."""

import numpy as np

from bench.proof.causes.cause import Cause, Match
from bench.proof.evidence import Evidence


def nondeterministic(evidence: Evidence) -> Match | None:
    """Equal calls differ beyond the rounding bound."""
    if not evidence.unsteady:
        return None
    apart = max(
        float(np.max(np.abs(states[0] - other)))
        for n in range(evidence.last + 1)
        for states in [evidence.sighting.states(n)]
        for other in states[1:]
    )
    return Match(0.0, f"two equal calls are {apart:.3g} apart")


NONDETERMINISTIC = Cause(
    code="repeat.nondeterministic",
    title="two equal calls give different answers",
    looks_like="random numbers without a seed, a race between threads, memory that was not initialised",
    fix="make the result depend on the problem and on n_iters alone",
    example="dw = dw + 1e-3 * np.random.randn(*dw.shape)",
    examine=nondeterministic,
)
