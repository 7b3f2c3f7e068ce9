"""A worker with a variant in it, as the proof and the timing see it: problems in, checked answers out."""

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
        self.last_reply = None
        if self._process.ended is not None:
            return self._process.ended
        if dtype.name not in self._backend.computes_in(self._device):
            return Failure(Status.UNSUPPORTED, None, f"{self._backend.name} does not compute in {dtype.name}")
        due = Due.of(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)
        _check_start(problem, due)
        failure = self._send_data(problem.base if isinstance(problem, ChangedProblem) else problem, dtype)
        if failure is not None:
            return failure
        return self._run(problem, due, n_iters, dtype, watch)

    def _run(self, problem: Problem, due: Due, n_iters: int, dtype: Dtype, watch: Watch) -> Answer | Failure:
        start = [encode(problem.w0, dtype), b"" if problem.b0 is None else encode(problem.b0, dtype)]
        if isinstance(problem, ChangedProblem):
            if self._segment is None:
                start.append(_row(problem, dtype))
            else:
                self._segment.write_rows(_rows(problem, problem, dtype))
        flags = int(watch) | (HAS_BIAS if problem.b0 is not None else 0)
        sequence = self._process.next_sequence()
        head = pack(Kind.CALL, sequence, blocks=start, flags=flags, n_iters=n_iters, lr=float(problem.lr))
        request = b"".join((head, *start))
        limits = due_blocks(due, dtype.itemsize)
        during = f"call of {n_iters} iterations"
        meter = self._process.meter
        helpers_before = meter.helpers_ns()
        cpu_before, queue_before = meter.read()
        reply = self._process.exchange((request,), limits, self._call_seconds, during)
        cpu_after, queue_after = meter.read()
        helpers_after = meter.helpers_ns()
        if isinstance(problem, ChangedProblem) and self._segment is not None:
            self._segment.write_rows(_rows(problem, problem.base, dtype))
        if isinstance(reply, Failure):
            return reply
        frame, elapsed_ns = reply
        try:
            raw = read_reply(frame, due, dtype, self._device, watch)
        except ProtocolError as error:
            return self._process.forged(error, during)
        self.last_reply = frame
        if Mechanism.JUDGES_CLOCK not in self._mechanisms:
            elapsed_ns = frame.header.n_iters
        began_ns, ended_ns = cpu_before + helpers_before, cpu_after + helpers_after
        between_ns = 0 if self._spent_before_ns is None else began_ns - self._spent_before_ns
        self._spent_before_ns = ended_ns
        spent_ns = (elapsed_ns, ended_ns - began_ns, queue_after - queue_before, between_ns)
        finite = Mechanism.NOT_FINITE in self._mechanisms
        timed = raw.timed(*(max(0, each) for each in spent_ns))
        return judge_reply(timed, problem, n_iters, dtype, self._device, finite=finite)

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


def _row(problem: ChangedProblem, dtype: Dtype) -> bytes:
    (_, x), (_, y) = _rows(problem, problem, dtype)
    return pack_row(problem.row, x, y)


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
