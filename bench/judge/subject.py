"""A worker with a variant in it, as the proof and the timing see it: problems in, checked answers out."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from bench.backends import Backend
from bench.dtypes import Dtype, FloatArray, encode
from bench.errors import UsageError
from bench.judge.device_lock import DeviceLock
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.judge.process import WorkerProcess
from bench.judge.protocol import HAS_BIAS, Frame, Kind, ProtocolError, due_blocks, pack, pack_row, read_reply
from bench.judge.segment import SealedSegment
from bench.problems.problem import ChangedProblem, Problem
from bench.proof.contract import Due, judge_reply
from bench.proof.subject import Answer, Failure, Watch
from bench.proof.verdict import Status


@dataclass(frozen=True, slots=True)
class _Rows:
    """The row of x and the row of y that a call changes, each with the byte where it starts; and as they were."""

    changed: list[tuple[int, bytes]]
    base: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One call made ready, for any worker that holds its data: nothing is left to compute between two calls.

    Attributes:
        problem: what the variant is to solve.
        n_iters: how many updates.
        dtype: the format of data and answer.
        due: the shapes of the answer.
        start: the bytes of w0 and b0.
        rows: what is changed in the data of the base; ``None`` where nothing is.
        row_block: the same for a worker whose data are not in a segment.
        limits: the most bytes of each block of the reply.
        during: what the worker is doing meanwhile, for messages.
        watch: what the worker looks at besides.
    """

    problem: Problem
    n_iters: int
    dtype: Dtype
    due: Due
    start: tuple[bytes, ...]
    rows: _Rows | None
    row_block: bytes
    limits: tuple[int, int, int]
    during: str
    watch: Watch

    @classmethod
    def of(cls, problem: Problem, n_iters: int, dtype: Dtype, watch: Watch = Watch.NOTHING) -> Self:
        """Make a call ready.

        Raises:
            UsageError: the start does not fit the data, or ``n_iters`` is negative.
        """
        due = Due.of(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)
        _check_start(problem, due)
        rows, row_block = None, b""
        if isinstance(problem, ChangedProblem):
            rows = _Rows(_rows(problem, problem, dtype), _rows(problem, problem.base, dtype))
            (_, x), (_, y) = rows.changed
            row_block = pack_row(problem.row, x, y)
        start = (encode(problem.w0, dtype), b"" if problem.b0 is None else encode(problem.b0, dtype))
        limits = due_blocks(due, dtype.itemsize)
        return cls(problem, n_iters, dtype, due, start, rows, row_block, limits, f"call of {n_iters} iterations", watch)

    @property
    def base(self) -> Problem:
        """The problem whose data the worker is to hold."""
        return self.problem.base if isinstance(self.problem, ChangedProblem) else self.problem

    @property
    def flags(self) -> int:
        """The flags of the request's header."""
        return int(self.watch) | (HAS_BIAS if self.problem.b0 is not None else 0)

    @property
    def lr(self) -> float:
        """The learning rate."""
        return float(self.problem.lr)


class Worker:
    """One launch of a variant. A context manager: leaving it kills the process and all that it started.

    After a crash or a time-out each further call answers with the failure that ended the process.

    Attributes:
        device_id: what names its device on this machine, by the worker's own account; ``None`` where nothing does.
        last_reply: what the last call was answered with, as it came; ``None`` where no frame of an answer came.
    """

    def __init__(
        self,
        process: WorkerProcess,
        backend: Backend,
        device: str,
        isolation: str,
        *,
        call_seconds: float,
        data_seconds: float,
        mechanisms: Mechanisms = ALL,
        device_id: str | None = None,
        lock: DeviceLock | None = None,
    ) -> None:
        self._lock = lock
        self.device_id = device_id
        self._process = process
        self._backend = backend
        self._device = device
        self._call_seconds = call_seconds
        self._data_seconds = data_seconds
        self._mechanisms = mechanisms
        self._held: tuple[FloatArray, FloatArray, str] | None = None
        self._segment: SealedSegment | None = None
        self._spent_before_ns: int | None = None
        self.isolation = isolation
        self.last_reply: Frame | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def directory(self) -> Path:
        """Where it runs, and what only it may write to; removed when it ends."""
        return self._process.directory

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that the worker has had at once so far; ``None`` where nobody could tell."""
        return self._process.peak_bytes

    @property
    def peak_device_bytes(self) -> int | None:
        """The most memory of its device that its arrays have taken, by the worker's own account; ``None`` on a CPU."""
        if self._device == "cpu" or self._process.ended is not None:
            return None
        said = self._process.ask(Kind.MEMORY, None, self._data_seconds, "count of the device's memory")
        return said if type(said) is int and 0 <= said < 1 << 62 else None

    def close(self) -> None:
        """Kill the process group and reap it."""
        self._process.close()
        self._unseal()
        if self._lock is not None:
            self._lock.release()

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Answer | Failure:
        """Run ``n_iters`` iterations in ``dtype``, and check the reply against the contract.

        The data are sent once: while ``problem.x`` and ``problem.y`` are the same objects and ``dtype`` stays, only
        the start travels. So these two arrays must not be written to between calls. Of a `ChangedProblem` it is the
        base that is sent once, and the changed row is written into the sealed segment, or travels with the start.

        Args:
            problem: float64 NumPy arrays whose values are representable in ``dtype``.
            n_iters: how many updates, 0 or more.
            dtype: the format in which the variant receives the data and must answer.

        Raises:
            UsageError: the start does not fit the data, or ``n_iters`` is negative.
        """
        return self.watch(problem, n_iters, dtype, Watch.NOTHING)

    def watch(self, problem: Problem, n_iters: int, dtype: Dtype, watch: Watch) -> Answer | Failure:
        """As `call`; the worker looks besides at what its accelerator does, and says so in the answer."""
        request = Request.of(problem, n_iters, dtype, watch)
        if self._process.ended is None:
            failure = self.hold(request)
            if failure is not None:
                return failure
        meter = self._process.meter
        # Where the worker shares this processor it may still wait to end its last reply. What it waits until now is
        # booked when it next runs: in the call to come, which it is no part of.
        os.sched_yield()
        helpers_before = meter.helpers_ns()
        cpu_before, queue_before = meter.read()
        sent = self.send(request)
        cpu_after, queue_after = meter.read()
        helpers_after = meter.helpers_ns()
        began_ns, ended_ns = cpu_before + helpers_before, cpu_after + helpers_after
        between_ns = 0 if self._spent_before_ns is None else began_ns - self._spent_before_ns
        self._spent_before_ns = ended_ns
        return self.answer(request, sent, ended_ns - began_ns, queue_after - queue_before, between_ns)

    def hold(self, request: "Request") -> Failure | None:
        """See to it that the worker holds the data of a request; a failure where it does not take them."""
        self.last_reply = None
        if request.dtype.name not in self._backend.computes_in(self._device):
            return Failure(Status.UNSUPPORTED, None, f"{self._backend.name} does not compute in {request.dtype.name}")
        return self._send_data(request.base, request.dtype)

    def send(self, request: "Request") -> tuple[Frame, int] | Failure:
        """Make one call, whose data the worker holds; what comes back is still to be judged by `answer`.

        Returns:
            The reply as it came, and its nanoseconds by the judge's clock; or why there is none.
        """
        self.last_reply = None
        if self._process.ended is not None:
            return self._process.ended
        start = request.start
        if request.rows is not None and self._segment is None:
            start = (*start, request.row_block)
        elif request.rows is not None and self._segment is not None:
            self._segment.write_rows(request.rows.changed)
        sequence = self._process.next_sequence()
        head = pack(Kind.CALL, sequence, blocks=start, flags=request.flags, n_iters=request.n_iters, lr=request.lr)
        pieces = (b"".join((head, *start)),)
        sent = self._process.exchange(pieces, request.limits, self._call_seconds, request.during)
        if request.rows is not None and self._segment is not None:
            self._segment.write_rows(request.rows.base)
        return sent

    def answer(
        self, request: "Request", sent: tuple[Frame, int] | Failure, cpu_ns: int, queue_ns: int, between_ns: int
    ) -> Answer | Failure:
        """What a reply is worth, by the contract.

        Args:
            request: what was asked.
            sent: what `send` gave for it.
            cpu_ns: processor time of the call.
            queue_ns: what it waited for a processor.
            between_ns: processor time before the call, when nothing was asked.
        """
        if isinstance(sent, Failure):
            return sent
        frame, elapsed_ns = sent
        try:
            raw = read_reply(frame, request.due, request.dtype, self._device, request.watch)
        except ProtocolError as error:
            return self._process.forged(error, request.during)
        self.last_reply = frame
        if Mechanism.JUDGES_CLOCK not in self._mechanisms:
            elapsed_ns = frame.header.n_iters
        timed = raw.timed(*(max(0, each) for each in (elapsed_ns, cpu_ns, queue_ns, between_ns)))
        finite = Mechanism.NOT_FINITE in self._mechanisms
        return judge_reply(timed, request.problem, request.n_iters, request.dtype, self._device, finite=finite)

    def spent_ns(self) -> tuple[int, int]:
        """Processor time of the worker and its helpers, and what it waited for a processor, since it began."""
        cpu_ns, queue_ns = self._process.meter.read()
        return cpu_ns + self._process.meter.helpers_ns(), queue_ns

    def _send_data(self, problem: Problem, dtype: Dtype) -> Failure | None:
        held = self._held
        if held is not None and held[0] is problem.x and held[1] is problem.y and held[2] == dtype.name:
            return None
        blocks = (encode(problem.x, dtype), encode(problem.y, dtype))
        self._held = self._spent_before_ns = None
        sealed = self._seal(blocks)
        meta = {"x": list(problem.x.shape), "y": list(problem.y.shape), "dtype": dtype.name, "sealed": sealed}
        travelling = blocks if sealed is None else ()
        reply = self._process.ask(Kind.DATA, meta, self._data_seconds, "transfer of the data", travelling)
        if isinstance(reply, Failure):
            return reply
        self._held = (problem.x, problem.y, dtype.name)
        return None

    def _seal(self, blocks: tuple[bytes, bytes]) -> list[int] | None:
        """Lend the worker a segment with these blocks, and give their lengths; ``None`` where there can be none."""
        self._unseal()
        if Mechanism.SEALED_INPUTS not in self._mechanisms:
            return None
        lengths = [len(block) for block in blocks]
        try:
            self._segment = SealedSegment(lengths)
        except OSError:
            return None
        self._segment.write(blocks)
        self._process.lend(self._segment)
        return lengths

    def _unseal(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None


def _rows(changed: ChangedProblem, source: Problem, dtype: Dtype) -> list[tuple[int, bytes]]:
    """The row of x and of y that was changed, as ``source`` has it, each with the byte where it starts."""
    place = np.unravel_index(changed.row, changed.x.shape[:-1])
    rows = [encode(array[place], dtype) for array in (source.x, source.y)]
    return [(changed.row * len(row), row) for row in rows]


def _check_start(problem: Problem, due: Due) -> None:
    b_shape = None if problem.b0 is None else problem.b0.shape
    if problem.w0.shape != due.w or b_shape != due.b or due.losses[0] < 0:
        raise UsageError(
            f"the start does not fit the data: w0 {problem.w0.shape}, b0 {b_shape}, n_iters {due.losses[0]} "
            f"where w0 {due.w}, b0 {due.b}, n_iters 0 or more were due"
        )
