"""From a trajectory that is not gradient descent's to the name of the fault."""

from dataclasses import dataclass

from bench.dtypes import Dtype
from bench.proof.causes import CAUSES, UNKNOWN
from bench.proof.sighting import Sighting
from bench.proof.trajectory import Trajectory


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


def diagnose(sighting: Sighting, dtype: Dtype) -> Diagnosis:
    """Name the fault in a probe's states after 0, 1, 2, ... iterations.

    Args:
        sighting: the probe's; where a call failed, only the states before it are used, and at least four must be there.
        dtype: the format of the states.
    """
    last = 0
    while any(n == last + 1 for n, _ in sighting.answers):
        last += 1
    if last < 3:
        return Diagnosis(UNKNOWN, None, (), f"only {last} iterations could be seen, too few to name the fault")
    trajectory = Trajectory(
        sighting.truth.system,
        sighting.truth.lr,
        dtype,
        [sighting.truth.start, *(sighting.state(n) for n in range(1, last + 1))],
    )
    fitting = [(cause, match) for cause in CAUSES if (match := cause.test(trajectory)) is not None]
    if not fitting:
        tested = ", ".join(cause.code for cause in CAUSES if not cause.code.startswith("contract."))
        return Diagnosis(UNKNOWN, None, (), f"not gradient descent, and none of {tested}")
    (cause, match), *others = fitting
    alternatives = dict.fromkeys([*(other.code for other, _ in others), *cause.same_as])
    return Diagnosis(cause.code, match.factor, tuple(alternatives), match.sentence)
