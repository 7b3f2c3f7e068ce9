"""From evidence that a variant is not gradient descent to the name of its fault."""

from dataclasses import dataclass

import numpy as np

from bench.proof.causes import DIVERGING, ELSEWHERE, LOSSES, TIERS, UNKNOWN, UNSTEADY
from bench.proof.causes.cause import Cause
from bench.proof.causes.scale import LR_IGNORED
from bench.proof.evidence import Evidence
from bench.proof.symmetry import dependences

DIGITS = 12
ON_ANY_DATA = frozenset({"sign", "scale", "operand", "update", "report"})
"""Families that show on the plain probe, and cannot be the cause where it was passed."""

SHORTEST = 3
"""Fewer updates than this name nothing."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A name, earned or refused.

    Attributes:
        cause: the plainest cause whose test holds, or ``unknown``.
        factor: its number.
        alternatives: causes that fit as well, or that no trajectory can tell from it.
        sentence: what was seen.
    """

    cause: str
    factor: float | None
    alternatives: tuple[str, ...]
    sentence: str


def diagnose(evidence: Evidence) -> Diagnosis:
    """Name the fault that the evidence shows.

    The causes are tried tier by tier, from hypotheses without a free number to those with many. The first tier in
    which any fits decides: a richer hypothesis that contains a plainer one which fits says nothing new.
    """
    if evidence.departure is not None and evidence.departure.of == "loss":
        tiers = LOSSES
    elif evidence.last < SHORTEST:
        return Diagnosis(UNKNOWN, None, (), f"only {evidence.last} iterations could be seen, too few to name the fault")
    elif evidence.unsteady:
        tiers = UNSTEADY
    elif evidence.diverges:
        # Few updates, which grow: guards against divergence look like many a fault there, and none was seen elsewhere.
        tiers = DIVERGING if evidence.start.size > 1 else ()
    else:
        tiers = ELSEWHERE if evidence.trajectory.right else TIERS
    for tier in tiers:
        tried = [cause for cause in tier if not (evidence.right_before and _shows_on_any_data(cause))]
        fitting = [(cause, match) for cause in tried if (match := cause.match(evidence)) is not None]
        if fitting:
            (cause, match), *others = fitting
            also = dict.fromkeys([*(other.code for other, _ in others), *match.alternatives, *cause.same_as])
            also.pop(cause.code, None)
            # The last digits of a measured number are rounding.
            factor = None if match.factor is None else float(f"{match.factor:.{DIGITS}g}")
            return Diagnosis(cause.code, factor, tuple(also), match.sentence)
    return Diagnosis(UNKNOWN, None, (), _unexplained(evidence, tiers))


def _shows_on_any_data(cause: Cause) -> bool:
    # A rate that an earlier call has left behind is right in the first.
    return cause.family in ON_ANY_DATA and cause is not LR_IGNORED


def _unexplained(evidence: Evidence, tiers: tuple[tuple[Cause, ...], ...]) -> str:
    families = dict.fromkeys(cause.family for tier in tiers for cause in tier)
    ruled_out = f"ruled out: every cause of {', '.join(families)}" if families else "no cause is known to look so"
    if tiers is LOSSES:
        return f"the losses are not the mean squared residual of the states; {ruled_out}"
    if tiers is not TIERS:
        return f"not gradient descent; {ruled_out}"
    gains = evidence.trajectory.gains()
    low, high = float(np.min(gains)), float(np.max(gains))
    nearly = f"its gradient is {low:.4g} to {high:.4g} times the right one" if 0 < low <= high < 1.5 * low else ""
    on = dependences(evidence)
    depends = f"unlike it, this depends on {' and on '.join(on)}" if on else ""
    return "; ".join(part for part in ("not gradient descent", nearly, depends, ruled_out) if part)
