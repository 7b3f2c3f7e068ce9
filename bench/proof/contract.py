"""The contract of a reply: whether what a variant returned has the right shapes, dtype and device and is finite.

Judged before any mathematics, on bytes that the judge has received and that no variant can touch any more.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bench.backends import ArrayFacts, canonical_device
from bench.dtypes import Dtype, FloatArray, decode
from bench.problems.problem import Problem
from bench.proof.subject import Answer, DeviceReport, Failure
from bench.proof.verdict import Status


class Trouble(StrEnum):
    """Why a worker has no result to send. The list is closed."""

    RAISED = "raised"
    """The variant raised, or its module does not import, or its signature is not that of a variant."""
    SHAPE = "shape"
    """It returned no descent, or something in it that is no array."""
    MUTATES_INPUT = "mutates-input"
    """It tried to write to a read-only array of the problem."""
    UNSUPPORTED = "unsupported"
    """It declined the problem."""
    OUT_OF_MEMORY = "out-of-memory"
    """Memory ran out."""
    UNAVAILABLE = "unavailable"
    """A library or a device is not here."""


_BECOMES = {
    Trouble.RAISED: (Status.BROKEN, "contract.raised"),
    Trouble.SHAPE: (Status.BROKEN, "contract.shape"),
    Trouble.MUTATES_INPUT: (Status.BROKEN, "contract.mutates-input"),
    Trouble.UNSUPPORTED: (Status.UNSUPPORTED, None),
    Trouble.OUT_OF_MEMORY: (Status.OUT_OF_MEMORY, None),
    Trouble.UNAVAILABLE: (Status.UNAVAILABLE, None),
}


@dataclass(frozen=True, slots=True)
class RawArray:
    """One returned array, as it travelled.

    Attributes:
        facts: its shape, dtype and device, as the worker saw them.
        data: its little-endian bytes; empty where the facts are not those that were due.
    """

    facts: ArrayFacts
    data: bytes


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back from one call, before anything of it is believed.

    Attributes:
        w: the weights; ``None`` where the variant returned ``None``.
        b: the bias; ``None`` likewise.
        losses: the losses; ``None`` likewise.
        changed: the names of the inputs that the variant changed.
        trouble: why there is no result; ``None`` where there is one.
        text: what the worker says of the trouble.
        elapsed_ns: wall time of the call by the judge's clock.
        cpu_ns: processor time of the worker during the call.
        queue_ns: time that the worker waited for a processor during the call.
        between_ns: processor time that the worker and its helpers took since the call before.
        device: what the worker says of its device, where it was asked.
    """

    w: RawArray | None = None
    b: RawArray | None = None
    losses: RawArray | None = None
    changed: tuple[str, ...] = ()
    trouble: Trouble | None = None
    text: str = ""
    elapsed_ns: int = 0
    cpu_ns: int = 0
    queue_ns: int = 0
    between_ns: int = 0
    device: DeviceReport | None = None

    def timed(self, elapsed_ns: int, cpu_ns: int, queue_ns: int, between_ns: int = 0) -> "RawReply":
        """The same reply, with what the judge's clocks say of it."""
        return replace(self, elapsed_ns=elapsed_ns, cpu_ns=cpu_ns, queue_ns=queue_ns, between_ns=between_ns)


@dataclass(frozen=True, slots=True)
class Due:
    """The shapes that a reply must have.

    Attributes:
        w: (..., M, D).
        b: (..., M), or ``None`` where the problem has no bias.
        losses: (n_iters, ...).
    """

    w: tuple[int, ...]
    b: tuple[int, ...] | None
    losses: tuple[int, ...]

    @staticmethod
    def of(x_shape: tuple[int, ...], y_shape: tuple[int, ...], has_bias: bool, n_iters: int) -> "Due":
        """The shapes that follow from those of the data.

        >>> Due.of((7, 11, 5), (7, 11, 3), True, 4)
        Due(w=(7, 3, 5), b=(7, 3), losses=(4, 7))
        """
        batch, features, outputs = x_shape[:-2], x_shape[-1], y_shape[-1]
        return Due((*batch, outputs, features), (*batch, outputs) if has_bias else None, (n_iters, *batch))


def trouble_failure(trouble: Trouble, text: str) -> Failure:
    """The failure that a worker's trouble becomes."""
    status, cause = _BECOMES[trouble]
    return Failure(status, cause, text)


def judge_reply(
    raw: RawReply, problem: Problem, n_iters: int, dtype: Dtype, device: str, *, finite: bool = True
) -> Answer | Failure:
    """Check a reply against the contract, and turn its bytes into float64 arrays.

    Args:
        raw: what came back.
        problem: the problem that was sent.
        n_iters: the iterations that were asked for.
        dtype: the format that the problem was sent in, and that is due back.
        device: the device that was asked for.
        finite: whether what is not finite is refused; only a test of that switches it off.

    Returns:
        An answer with the shapes that were due, every number finite; or a failure whose message says what was due
        and what came.
    """
    if raw.trouble is not None:
        return trouble_failure(raw.trouble, raw.text)
    due = Due.of(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)
    returned = [("w", raw.w, due.w), ("b", raw.b, due.b)]
    if raw.losses is not None:
        returned.append(("losses", raw.losses, due.losses))
    fault = (
        _missing_or_misshapen(returned)
        or _wrong_dtype(returned, dtype)
        or _wrong_device(returned, device)
        or _changed_inputs(raw.changed)
    )
    if fault is not None:
        return fault
    arrays = {name: decode(array.data, array.facts.shape, dtype) for name, array, _ in returned if array is not None}
    for name, values in arrays.items():
        if finite and not np.isfinite(values).all():
            return _broken("not-finite", _not_finite(name, values))
    spent = (raw.elapsed_ns, raw.cpu_ns, raw.queue_ns, raw.between_ns)
    return Answer(arrays["w"], arrays.get("b"), arrays.get("losses"), *spent, raw.device)


_Returned = list[tuple[str, RawArray | None, tuple[int, ...] | None]]


def _missing_or_misshapen(returned: _Returned) -> Failure | None:
    for name, array, shape in returned:
        if array is None and shape is not None:
            advice = "; what takes no bias raises Unsupported" if name == "b" else ""
            return _broken("shape", f"{name} is None where {shape} was due{advice}")
        if array is not None and shape is None:
            return _broken("shape", f"{name} has shape {array.facts.shape} where None was due: the problem has no bias")
        if array is not None and array.facts.shape != shape:
            return _broken("shape", f"{name} has shape {array.facts.shape} where {shape} was due")
    return None


def _wrong_dtype(returned: _Returned, dtype: Dtype) -> Failure | None:
    for name, array, _ in returned:
        if array is not None and array.facts.dtype != dtype.name:
            return _broken("dtype", f"{name} has dtype {array.facts.dtype} where {dtype.name} was due")
    return None


def _wrong_device(returned: _Returned, device: str) -> Failure | None:
    due = canonical_device(device)
    for name, array, _ in returned:
        if array is not None and array.facts.device != due:
            return _broken("device", f"{name} is on {array.facts.device} where {due} was due")
    return None


def _changed_inputs(changed: tuple[str, ...]) -> Failure | None:
    if not changed:
        return None
    return _broken(
        "mutates-input", f"changed {', '.join(changed)} of the problem in place; inputs must stay as they are"
    )


def _not_finite(name: str, values: FloatArray) -> str:
    where = np.argwhere(~np.isfinite(values))
    first = tuple(int(index) for index in where[0])
    place = ",".join(str(index) for index in first)
    return f"{name}[{place}] is {values[first]}; {len(where)} of {values.size} numbers in {name} are not finite"


def _broken(member: str, message: str) -> Failure:
    return Failure(Status.BROKEN, f"contract.{member}", message)
