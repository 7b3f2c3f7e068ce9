"""What a cause is: a code, its story for a reader, and the positive test that earns the name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.oracle.system import LongArray
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory


@dataclass(frozen=True, slots=True)
class Match:
    """A cause whose test holds.

    Attributes:
        residual: how well it fits, in tolerances; at most `bench.proof.trajectory.MARGIN`.
        sentence: what was seen, with the numbers.
        factor: the number that goes with the cause.
        alternatives: causes that this very evidence cannot tell from it.
    """

    residual: float
    sentence: str
    factor: float | None = None
    alternatives: tuple[str, ...] = ()


def no_test(trajectory: Trajectory) -> Match | None:  # noqa: ARG001
    """For causes that show in a single reply, before any trajectory."""
    return None


@dataclass(frozen=True, slots=True)
class Cause:
    """A fault by its name.

    Attributes:
        code: ``family.member``, from the closed list.
        title: what happened, in one clause.
        looks_like: what to look for in the code.
        fix: what to write instead.
        example: three lines or fewer that have the fault.
        test: the positive test; a small pure function of the probe's trajectory.
        examine: the positive test of a cause that one trajectory does not show; it may ask for further probes.
        same_as: causes that no trajectory can tell from this one.
    """

    code: str
    title: str
    looks_like: str
    fix: str
    example: str
    test: Callable[[Trajectory], Match | None] = no_test
    examine: Callable[[Evidence], Match | None] | None = None
    same_as: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The part of its code before the dot."""
        return self.code.partition(".")[0]

    def match(self, evidence: Evidence) -> Match | None:
        """What the cause's own test makes of the evidence."""
        return self.test(evidence.trajectory) if self.examine is None else self.examine(evidence)


def fits(
    trajectory: Trajectory, predicted: Sequence[LongArray] | LongArray, sentence: str, factor: float | None = None
) -> Match | None:
    """A match where the effective gradients are those predicted, within rounding."""
    residual = trajectory.residual(predicted)
    return Match(residual, sentence, factor) if residual <= MARGIN else None


def first_of(matches: Iterable[Match | None]) -> Match | None:
    """The first match, where there is one; later hypotheses are not computed."""
    return next((match for match in matches if match is not None), None)
