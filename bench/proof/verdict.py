"""What a proof says of a cell."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Everything that can become of a cell. The list is closed."""

    PROVED = "proved"
    """Every observed iterate is gradient descent's own, within the rounding error of the dtype."""
    WRONG = "wrong"
    """It ran, and it is not gradient descent; ``cause`` says what it is instead, or ``unknown``."""
    BROKEN = "broken"
    """It raised, returned the wrong shape, dtype or device, returned something not finite, or changed its inputs."""
    CRASHED = "crashed"
    """Its process died of a signal or exited."""
    TIMEOUT = "timeout"
    """It did not answer before the deadline."""
    OUT_OF_MEMORY = "out-of-memory"
    """It asked for more memory than it may have."""
    UNSUPPORTED = "unsupported"
    """Declined, by the variant or because the dtype cannot hold the problem; the reason is in ``evidence``."""
    UNAVAILABLE = "unavailable"
    """The backend, the device or the data is not on this machine."""
    VOID = "void"
    """The machine was too busy to say."""
    JUDGE_ERROR = "judge-error"
    """The harness failed, or its proof had no power; not the variant's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of the mathematics alone: what the proof of one variant on one problem found.

    Attributes:
        status: one of the closed list.
        cause: the fault's code when the status is wrong or broken.
        factor: the number that goes with the cause (the gain of the gradient, say).
        alternatives: causes that fit as well and that no probe could tell apart.
        evidence: one sentence with the numbers.
        iterate: the iterate that decided.
        error: the distance of that iterate from the exact one, in its worst component.
        bound: the rounding bound of that component.
        power: how many bounds away the nearest known wrong answer lies.
        power_problem: the same on the cell's own problem alone.
        converges_in: iterations that theory needs to bring the start within 0.05 % of its distance from the optimum.
        checked_to: the largest iterate that was observed and found exact on the cell's own problem.
    """

    status: Status
    cause: str | None = None
    factor: float | None = None
    alternatives: tuple[str, ...] = ()
    evidence: str = ""
    iterate: int | None = None
    error: float | None = None
    bound: float | None = None
    power: float | None = None
    power_problem: float | None = None
    converges_in: int | None = None
    checked_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding about one cell, with the names that identify the cell; a row of the ``verdicts`` frame.

    Attributes:
        expected: what a gate expects: ``proved``, or the cause of a known-wrong variant.
        as_expected: whether it came so.
        seconds: the wall time of the proof.
        isolation: how the variant was kept apart from the judge: ``fork`` or ``spawn`` with the mechanisms that were
            at work, or ``in-process (unproved)``.
        peak_memory_bytes: the most memory that the worker of the proof had at once; ``None`` where nobody could tell.
        peak_device_bytes: the most memory of its device that its tensors took; ``None`` on a CPU.
    """

    variant: str
    backend: str
    family: str
    problem: str
    device: str
    dtype: str
    finding: Finding
    expected: str
    as_expected: bool
    seconds: float
    isolation: str
    peak_memory_bytes: int | None = None
    peak_device_bytes: int | None = None

    @property
    def proved(self) -> bool:
        """Whether a timing may be taken."""
        return self.finding.status is Status.PROVED


class NotProvedError(ValueError):
    """A timing was asked of a cell that is not proved."""


@dataclass(frozen=True, slots=True)
class ProvedVerdict:
    """A verdict whose status is ``proved``: the only thing that a timing can be built from.

    Raises:
        NotProvedError: the verdict has another status.
    """

    verdict: Verdict

    def __post_init__(self) -> None:
        if not self.verdict.proved:
            status = self.verdict.finding.status
            raise NotProvedError(
                f"{self.verdict.variant} on {self.verdict.problem} is {status}: no number without a proof"
            )


def as_expected(finding: Finding, expect: str | None, *, required: bool) -> bool:
    """Whether a finding is what a gate expects.

    Args:
        finding: what was found of the cell.
        expect: the cause that its variant is registered with; ``None`` for one meant to be right.
        required: whether what the cell may lack was named.
    """
    match finding.status:
        case Status.PROVED:
            return expect is None
        case Status.WRONG | Status.BROKEN:
            return expect is not None and expect == finding.cause
        case Status.UNSUPPORTED:
            return True
        case Status.UNAVAILABLE:
            return not required
        case _:
            return False
