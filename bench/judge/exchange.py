"""A proof's exchange with a worker, kept: what was asked, what came back, and a subject that answers from it.

docs/reference-frames.md says how it is written down. Nothing here starts a process or imports a variant.
"""

import base64
import binascii
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.backends import canonical_device
from bench.dtypes import DTYPES, Dtype, FloatArray, decode, dtype_named, encode
from bench.errors import GdbenchError, UsageError
from bench.judge.protocol import HEADER, ProtocolError, read_reply, unpack_body, unpack_header
from bench.judge.subject import Worker
from bench.problems.problem import Problem
from bench.proof.contract import Due, judge_reply
from bench.proof.subject import Failure, Reply
from bench.proof.verdict import Status
from bench.runs.exchanges import digest_of
from bench.runs.strict_json import from_json, to_json

EXCHANGE_SCHEMA = "gdbench/exchange/1"
DATA_SCHEMA = "gdbench/data/1"
MOST_BYTES = 2**25
"""An exchange whose replies are larger is not kept."""

_EXACT = DTYPES["float64"]


class UnrecordedError(GdbenchError):
    """Something is asked that was not asked when the exchange was recorded."""


@dataclass(frozen=True, slots=True)
class Question:
    """One call, as far as its answer may depend on it.

    Attributes:
        data: the digest of x and y in the dtype of the call.
        start: the bytes of w0 and of b0, which is ``None`` where the problem has no bias.
    """

    data: str
    dtype: str
    n_iters: int
    lr: float
    start: tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything that a proof asked of one cell's worker, and everything that came back.

    Attributes:
        problem: the cell's own, in float64.
        dtype: the cell's format.
        device: where the variant ran.
        computes_in: the dtypes of the variant's backend.
        iterations: that were to be watched at least; ``None`` where nothing was asked.
        calls: in their order; what came back is the bytes of the reply, or the judge's own reason why there is none.
    """

    problem: Problem
    dtype: str
    device: str
    computes_in: tuple[str, ...]
    iterations: int | None
    calls: tuple[tuple[Question, bytes | Failure], ...]


class Recorder:
    """A worker whose calls are written down.

    Args:
        worker: is asked everything that this is asked.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._calls: list[tuple[Question, bytes | Failure]] = []
        self._data = _Data()
        self._bytes = 0

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        """Ask the worker; see `bench.proof.subject.Subject`."""
        reply = self._worker.call(problem, n_iters, dtype)
        if self._bytes <= MOST_BYTES:
            frame = self._worker.last_reply
            came = frame.as_it_came() if frame is not None else reply
            assert isinstance(came, bytes | Failure)
            self._bytes += len(came) if isinstance(came, bytes) else len(came.message)
            self._calls.append((self._data.question(problem, n_iters, dtype), came))
        return reply

    def blobs(
        self, problem: Problem, dtype: str, device: str, computes_in: Sequence[str], iterations: int | None
    ) -> list[bytes]:
        """The exchange so far as it is kept: the exchange itself, and the data that it names by their digests.

        Returns:
            Nothing where the replies are larger than `MOST_BYTES`.
        """
        if self._bytes > MOST_BYTES:
            return []
        own = self._data.question(problem, 0, _EXACT)
        document = {
            "schema": EXCHANGE_SCHEMA,
            "dtype": dtype,
            "device": canonical_device(device),
            "computes_in": list(computes_in),
            "iterations": iterations,
            "problem": _question_document(own),
            "calls": [_question_document(asked) | _came_document(came) for asked, came in self._calls],
        }
        return [to_json(document).encode("ascii"), *self._data.blobs.values()]


class Replay:
    """A subject that answers each call with what was recorded for it, and that judges the bytes as a judge does.

    Equal calls are answered in the order in which they were.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._device = exchange.device
        self._data = _Data()
        self._answers: dict[Question, deque[bytes | Failure]] = {}
        for question, came in exchange.calls:
            self._answers.setdefault(question, deque()).append(came)

    @property
    def unused(self) -> int:
        """How many recorded answers nobody has asked for."""
        return sum(map(len, self._answers.values()))

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        """Answer from the record; see `bench.proof.subject.Subject`.

        Raises:
            UnrecordedError: this was not asked, or not so often.
        """
        question = self._data.question(problem, n_iters, dtype)
        left = self._answers.get(question)
        if not left:
            raise UnrecordedError(
                f"{n_iters} iterations in {dtype.name} of a problem with x {problem.x.shape} and lr {problem.lr:g}"
            )
        came = left.popleft()
        if isinstance(came, Failure):
            return came
        try:
            header = unpack_header(came)
            frame = unpack_body(header, memoryview(came)[HEADER.size :])
            due = Due.of(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)
            raw = read_reply(frame, due, dtype, self._device)
        except ProtocolError as error:
            what = f"what it sent during a call of {n_iters} iterations is no reply: it {error}"
            return Failure(Status.CRASHED, None, what)
        return judge_reply(raw, problem, n_iters, dtype, self._device)


def read_exchange(blob: bytes, fetch: Callable[[str], bytes], where: str) -> Exchange:
    """An exchange as it was kept.

    Args:
        blob: the exchange.
        fetch: gives the data of a digest.
        where: names the place in messages.

    Raises:
        UsageError: it is not what `Recorder.blobs` writes.
    """
    try:
        document = _document(blob, EXCHANGE_SCHEMA, where)
        dtype = dtype_named(_text(document, "dtype")).name
        iterations = document.get("iterations")
        if iterations is not None and not (type(iterations) is int and iterations > 0):
            raise _Unusable("iterations")
        asked = _question(_object(document, "problem"))
        x, y = _read_data(fetch(asked.data), where)
        if asked.dtype != _EXACT.name or x.shape[:-1] != y.shape[:-1] or x.ndim < 2:
            raise _Unusable("problem")
        due = Due.of(x.shape, y.shape, asked.start[1] is not None, 0)
        w0, b0 = (_start(data, shape) for data, shape in zip(asked.start, (due.w, due.b), strict=True))
        assert w0 is not None
        return Exchange(
            Problem(x, y, w0, b0, asked.lr),
            dtype,
            _text(document, "device"),
            tuple(dtype_named(name).name for name in _list(document, "computes_in")),
            iterations,
            tuple((_question(call), _came(call)) for call in _list(document, "calls")),
        )
    except _Unusable as error:
        raise UsageError(
            f"{where} has no usable field {error}. It was not written by this version of gdbench; prove the cell again."
        ) from None


class _Unusable(Exception):  # noqa: N818 - names a field; never leaves this module
    pass


class _Data:
    """The data that calls were made with, by digest; arrays that come again as the same objects are not read again."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self._last: tuple[FloatArray, FloatArray, str, str] | None = None

    def question(self, problem: Problem, n_iters: int, dtype: Dtype) -> Question:
        b0 = None if problem.b0 is None else encode(problem.b0, dtype)
        start = (encode(problem.w0, dtype), b0)
        return Question(self._digest(problem, dtype), dtype.name, n_iters, float(problem.lr), start)

    def _digest(self, problem: Problem, dtype: Dtype) -> str:
        last = self._last
        if last is not None and last[0] is problem.x and last[1] is problem.y and last[2] == dtype.name:
            return last[3]
        blob = to_json(
            {
                "schema": DATA_SCHEMA,
                "dtype": dtype.name,
                "x": {"shape": problem.x.shape, "bytes": _words(encode(problem.x, dtype))},
                "y": {"shape": problem.y.shape, "bytes": _words(encode(problem.y, dtype))},
            }
        ).encode("ascii")
        digest = digest_of(blob)
        self.blobs[digest] = blob
        self._last = (problem.x, problem.y, dtype.name, digest)
        return digest


def _question_document(asked: Question) -> dict[str, object]:
    w0, b0 = asked.start
    return {
        "data": asked.data,
        "dtype": asked.dtype,
        "n_iters": asked.n_iters,
        "lr": asked.lr,
        "w0": _words(w0),
        "b0": None if b0 is None else _words(b0),
    }


def _came_document(came: bytes | Failure) -> dict[str, object]:
    if isinstance(came, bytes):
        return {"reply": _words(came)}
    return {"failure": {"status": came.status.value, "cause": came.cause, "message": came.message}}


def _question(call: Any) -> Question:
    if not isinstance(call, dict):
        raise _Unusable("calls")
    n_iters, lr, b0 = call.get("n_iters"), call.get("lr"), call.get("b0")
    if type(n_iters) is not int or n_iters < 0:
        raise _Unusable("n_iters")
    if not isinstance(lr, float):
        raise _Unusable("lr")
    start = (_bytes(call, "w0"), None if b0 is None else _bytes(call, "b0"))
    return Question(_text(call, "data"), dtype_named(_text(call, "dtype")).name, n_iters, lr, start)


def _came(call: Mapping[str, Any]) -> bytes | Failure:
    if "reply" in call:
        reply = _bytes(call, "reply")
        if len(reply) < HEADER.size:
            raise _Unusable("reply")
        return reply
    failure = _object(call, "failure")
    cause = failure.get("cause")
    if failure.get("status") not in list(Status) or not (cause is None or isinstance(cause, str)):
        raise _Unusable("failure")
    return Failure(Status(failure["status"]), cause, _text(failure, "message"))


def _read_data(blob: bytes, where: str) -> tuple[FloatArray, FloatArray]:
    document = _document(blob, DATA_SCHEMA, where)
    dtype = dtype_named(_text(document, "dtype"))
    return _array(_object(document, "x"), dtype), _array(_object(document, "y"), dtype)


def _array(described: Mapping[str, Any], dtype: Dtype) -> FloatArray:
    shape = _list(described, "shape")
    if not all(type(length) is int and 0 < length < 2**31 for length in shape):
        raise _Unusable("shape")
    data = _bytes(described, "bytes")
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise _Unusable("bytes")
    return decode(data, tuple(shape), dtype)


def _start(data: bytes | None, shape: tuple[int, ...] | None) -> FloatArray | None:
    if data is None or shape is None:
        return None
    if len(data) != math.prod(shape) * _EXACT.itemsize:
        raise _Unusable("w0 or b0")
    values = decode(data, shape, _EXACT)
    if not np.isfinite(values).all():
        raise _Unusable("w0 or b0")
    return values


def _document(blob: bytes, schema: str, where: str) -> dict[str, Any]:
    try:
        document = from_json(blob.decode("ascii"), where)
    except UnicodeDecodeError:
        raise _Unusable("schema") from None
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise _Unusable("schema")
    return document


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise _Unusable(name)
    return value


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    if not isinstance(value, list):
        raise _Unusable(name)
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise _Unusable(name)
    return value


def _bytes(document: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(document, name), validate=True)
    except (binascii.Error, ValueError):
        raise _Unusable(name) from None


def _words(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
