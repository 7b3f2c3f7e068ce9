"""What a proof talks to: anything that can be asked to run gradient descent and answers with numbers."""

from dataclasses import dataclass
from typing import Protocol

from bench.dtypes import Dtype, FloatArray
from bench.problems.problem import Problem
from bench.proof.verdict import Status


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
    """

    w: FloatArray
    b: FloatArray | None
    losses: FloatArray | None
    elapsed_ns: int = 0
    cpu_ns: int = 0
    queue_ns: int = 0
    between_ns: int = 0


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
