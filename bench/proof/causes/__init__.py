"""The causes, in the order of parsimony: the plainest explanation that fits comes first.

Adding a cause is one file and one line here.
"""

from bench.proof.causes.accumulate import NO_ZERO_GRAD
from bench.proof.causes.cause import Cause
from bench.proof.causes.cheat import CLOSED_FORM
from bench.proof.causes.contract import CONTRACT
from bench.proof.causes.count import ONE_LESS
from bench.proof.causes.scale import BLOCK, DOUBLE, HALF, SUM
from bench.proof.causes.sign import ASCENT
from bench.proof.causes.stale import GRADIENT
from bench.proof.causes.update import NEVER

CAUSES: tuple[Cause, ...] = (
    *CONTRACT,
    NEVER,
    CLOSED_FORM,
    ASCENT,
    SUM,
    HALF,
    DOUBLE,
    BLOCK,
    ONE_LESS,
    GRADIENT,
    NO_ZERO_GRAD,
)
UNKNOWN = "unknown"


def cause_named(code: str) -> Cause | None:
    """The cause of that code, or ``None`` where it has no story (``unknown``, or a code of a later version)."""
    return next((cause for cause in CAUSES if cause.code == code), None)
