"""What a cause is: a code, its story for a reader, and the positive test that earns the name."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.proof.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Match:
    """A cause whose test holds.

    Attributes:
        residual: how well it fits, in tolerances; at most `bench.proof.trajectory.MARGIN`.
        sentence: what was seen, with the numbers.
        factor: the number that goes with the cause.
    """

    residual: float
    sentence: str
    factor: float | None = None


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
        same_as: causes that no trajectory can tell from this one.
    """

    code: str
    title: str
    looks_like: str
    fix: str
    example: str
    test: Callable[[Trajectory], Match | None] = no_test
    same_as: tuple[str, ...] = ()
