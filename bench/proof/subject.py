"""What a proof talks to: anything that can be asked to run gradient descent and answers with numbers."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol, cast

from bench.dtypes import Dtype, FloatArray
from bench.problems.problem import Problem
from bench.proof.verdict import Status


class Watch(IntFlag):
    """What a worker is to look at during a call on an accelerator; the values are flags of a request."""

    NOTHING = 0
    EVENTS = 2
    """The device's time between two events, and the host's until the variant has returned."""
    COLD = 4
    """As `EVENTS`, with the L2 cache flushed before the first event."""
    KERNELS = 8
    """The time inside kernels, by the profiler; no other number is taken in such a call."""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a worker says of its device during one call. Reported, never proved; ``None`` where it cannot say.

    Attributes:
        device_ns: from the event before the call to the event after it, by the device's clock.
        host_ns: until the variant returned, before anything was waited for, by the worker's clock.
        allocated_bytes: memory of the device that the call was given, in all.
        kernel_ns: time inside kernels, which are no copies.
    """

    device_ns: int | None = None
    host_ns: int | None = None
    allocated_bytes: int | None = None
    kernel_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A well-formed reply: right shapes, right dtype, right device, every number finite.

    Attributes:
        w: the returned weights, as float64, (..., M, D).
        b: the returned bias, (..., M), or ``None``.
        losses: (n_iters, ...), or ``None`` where the variant reports none.
        elapsed_ns: wall time from the request to the last byte of the reply, by the judge's clock.
        cpu_ns: time that the worker and its helpers spent on a processor during the call, by the kernel; 0 where
            unknown.
        queue_ns: time that the worker waited for a processor during the call, by the kernel; 0 where unknown.
        between_ns: time that the worker and its helpers spent on a processor since the call before, when nothing was
            asked of them; 0 where unknown.
        device: what the worker says of its device; ``None`` where it was not asked.
    """

    w: FloatArray
    b: FloatArray | None
    losses: FloatArray | None
    elapsed_ns: int = 0
    cpu_ns: int = 0
    queue_ns: int = 0
    between_ns: int = 0
    device: DeviceReport | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that is none: the variant declined, broke its contract, raised, crashed or never answered.

    Attributes:
        status: what became of the call.
        cause: the ``contract.*`` code where the status is ``broken``.
        message: one line for the user.
    """

    status: Status
    cause: str | None
    message: str


Reply = Answer | Failure


class Subject(Protocol):
    """A variant at arm's length."""

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        """Run ``n_iters`` iterations in ``dtype``.

        Args:
            problem: float64 NumPy arrays whose values are representable in ``dtype``.
            n_iters: how many updates.
            dtype: the format in which the variant receives the data and must answer.
        """
        ...


class Watched(Protocol):
    """A subject that can say what its accelerator did.

    Attributes:
        device_id: what names the device on this machine, its UUID where it has one; ``None`` where nothing does.
    """

    device_id: str | None

    @property
    def peak_device_bytes(self) -> int | None:
        """The most memory of its device that its arrays have taken so far, by the worker's own account."""
        ...

    def watch(self, problem: Problem, n_iters: int, dtype: Dtype, watch: Watch) -> Reply:
        """As `Subject.call`, with a `DeviceReport` in the answer."""
        ...


def watched(subject: Subject) -> Watched | None:
    """The subject as one that can be watched; ``None`` where it cannot."""
    # No runtime protocol: before Python 3.12 those read every property, and this one's asks the worker.
    return cast("Watched", subject) if hasattr(subject, "watch") else None


@dataclass(frozen=True, slots=True)
class Absent:
    """A subject that could not be had: it gives every call the reason."""

    failure: Failure

    def call(self, problem: Problem, n_iters: int, dtype: object) -> Failure:  # noqa: ARG002 - a Subject
        """The failure."""
        return self.failure
