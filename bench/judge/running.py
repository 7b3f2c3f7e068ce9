"""Running a variant once: fresh arrays in, plain bytes out. The same code serves workers and the in-process subject."""

import gc
from dataclasses import dataclass, replace
from pathlib import Path

from bench.backends import ArrayFacts, Backend, Buffer, NotAnArrayError, type_name
from bench.dtypes import Dtype
from bench.judge.accelerator import accelerator_of
from bench.judge.loading import Loaded, described, last_line_in
from bench.judge.protocol import ROW, is_due
from bench.problems.problem import Array, Problem
from bench.proof.contract import Due, RawArray, RawReply, Trouble
from bench.proof.subject import DeviceReport, Watch
from bench.variants.contract import Descent, Unsupported


@dataclass(frozen=True, slots=True)
class Data:
    """The pristine bytes of a problem's data, from which every call gets fresh arrays."""

    x: Buffer
    y: Buffer
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    dtype: Dtype

    def with_row(self, change: Buffer) -> "Data":
        """The same data with one row changed, in memory of its own.

        Args:
            change: as `bench.judge.protocol.pack_row` makes it.
        """
        (row,) = ROW.unpack_from(change)
        x, y, start = bytearray(self.x), bytearray(self.y), ROW.size
        for buffer, shape in ((x, self.x_shape), (y, self.y_shape)):
            length = shape[-1] * self.dtype.itemsize
            buffer[row * length : (row + 1) * length] = change[start : start + length]
            start += length
        return replace(self, x=x, y=y)


@dataclass(frozen=True, slots=True)
class Start:
    """What one call adds to the data: the start, the learning rate, the number of iterations, and perhaps a row.

    On an accelerator it may ask besides what the device did.
    """

    w0: Buffer
    b0: Buffer | None
    lr: float
    n_iters: int
    row: Buffer | None = None
    watch: Watch = Watch.NOTHING


_NO_FLOAT64 = "aspect fp64 is not supported"
"""What Intel's runtime says of a device without it, several of its graphics cards."""


class Runner:
    """One variant, loaded, on one device of its backend."""

    def __init__(
        self,
        loaded: Loaded,
        backend: Backend,
        device: str,
        catches: tuple[type[BaseException], ...] = (BaseException,),
    ) -> None:
        """Take a variant.

        Args:
            loaded: its function.
            backend: the library that it is written for.
            device: where its arrays live.
            catches: what it may raise and have reported; anything else leaves `run`.
        """
        self._catches = catches
        self._function = loaded.function
        self._directory = Path(loaded.file).parent
        self._backend = backend
        self._device = device
        self._accelerator = accelerator_of(backend.name, device)

    @property
    def device_id(self) -> str | None:
        """What names the device on this machine; ``None`` where nothing does, and for the CPU."""
        return None if self._accelerator is None else self._accelerator.identity()

    def run(self, data: Data, start: Start) -> RawReply:
        """Run the variant; whatever it raises becomes part of the reply."""
        if start.row is not None:
            data = data.with_row(start.row)
        due = Due.of(data.x_shape, data.y_shape, start.b0 is not None, start.n_iters)
        try:
            problem = self._place(data, start, due)
            gc.disable()
            try:
                descent, report = self._ran(problem, start)
                self._backend.synchronise(self._device)
            finally:
                gc.enable()
            reply = self._read(descent, problem, data, start, due)
            return reply if report is None else replace(reply, device=report)
        except self._catches as error:
            return self._trouble(error)

    def peak_device_bytes(self) -> int | None:
        """The most memory of its device that the arrays took; ``None`` on a CPU."""
        return self._backend.peak_device_bytes(self._device)

    def _ran(self, problem: Problem, start: Start) -> tuple[object, DeviceReport | None]:
        if not start.watch:
            return self._function(problem, start.n_iters), None
        if self._accelerator is None:
            return self._function(problem, start.n_iters), DeviceReport()
        return self._accelerator.watched(lambda: self._function(problem, start.n_iters), start.n_iters, start.watch)

    def _place(self, data: Data, start: Start, due: Due) -> Problem:
        place, dtype, device = self._backend.place, data.dtype, self._device
        return Problem(
            place(data.x, data.x_shape, dtype, device),
            place(data.y, data.y_shape, dtype, device),
            place(start.w0, due.w, dtype, device),
            place(start.b0, due.b, dtype, device) if start.b0 is not None and due.b is not None else None,
            start.lr,
        )

    def _read(self, descent: object, problem: Problem, data: Data, start: Start, due: Due) -> RawReply:
        if not isinstance(descent, Descent):
            return RawReply(trouble=Trouble.SHAPE, text=f"returned {type_name(descent)}, not a Descent")
        w = self._array("w", descent.w, due.w, data.dtype)
        b = self._array("b", descent.b, due.b, data.dtype)
        losses = self._array("losses", descent.losses, due.losses, data.dtype)
        inputs: list[tuple[str, Array, Buffer]] = [
            ("x", problem.x, data.x),
            ("y", problem.y, data.y),
            ("w0", problem.w0, start.w0),
        ]
        if start.b0 is not None:
            inputs.append(("b0", problem.b0, start.b0))
        changed = tuple(name for name, array, pristine in inputs if not self._backend.holds(array, pristine))
        return RawReply(w, b, losses, changed)

    def _array(self, name: str, array: Array | None, shape: tuple[int, ...] | None, dtype: Dtype) -> RawArray | None:
        if array is None:
            return None
        facts: ArrayFacts = self._backend.facts(name, array)
        right = is_due(facts, shape, dtype, self._device)
        return RawArray(facts, self._backend.read(array) if right else b"")

    def _trouble(self, error: BaseException) -> RawReply:
        if isinstance(error, Unsupported):
            return RawReply(trouble=Trouble.UNSUPPORTED, text=described(error).partition(": ")[2] or "declined")
        if isinstance(error, NotAnArrayError):
            return RawReply(trouble=Trouble.SHAPE, text=str(error))
        text = described(error)
        if self._backend.out_of_memory(error):
            return RawReply(trouble=Trouble.OUT_OF_MEMORY, text=text)
        if self._device != "cpu" and _NO_FLOAT64 in text:
            return RawReply(trouble=Trouble.UNSUPPORTED, text=f"{self._device} does not compute in float64: {text}")
        line = last_line_in(error, self._directory)
        where = f" ({line})" if line else ""
        if isinstance(error, ValueError) and ("read-only" in text or "WRITEABLE" in text):
            return RawReply(
                trouble=Trouble.MUTATES_INPUT,
                text=f"tried to change an input in place: {text}{where}; a problem's arrays are read-only, copy first",
            )
        return RawReply(trouble=Trouble.RAISED, text=f"{text}{where}")
