"""Two pipes to the other process: the judge's end, where everything has a deadline, and the worker's, which waits.

Pipes take 7 us there and back where a socket pair takes 10.
"""

import fcntl
import os
import select
import time
from collections.abc import Iterable

from bench.judge.protocol import HEADER, Frame, ProtocolError, unpack_body, unpack_header

_PIPE_BYTES = 1 << 20
REQUEST_LIMIT_BYTES = 1 << 36
"""Of a request, data and all."""

_FIRST_BYTES = 1 << 12
"""Enough for a header with the JSON and the numbers of a small problem, so that one read takes it all."""


class ClosedError(Exception):
    """The other process is gone, or has closed its end."""


class OverdueError(Exception):
    """The other process did not read or write in time."""


class JudgeChannel:
    """The judge's end: it never waits past a deadline, and never reads more than was due.

    Deadlines are those of `time.perf_counter_ns`.
    """

    def __init__(self, read_descriptor: int, write_descriptor: int, process_descriptor: int | None) -> None:
        """Take over the descriptors.

        Args:
            read_descriptor: the judge reads replies here.
            write_descriptor: the judge writes requests here.
            process_descriptor: a pidfd of the worker. A child that the worker left behind may hold its pipes open, so
                the end of the pipe alone does not tell that the worker is dead. ``None`` where there are none.
        """
        self._read = read_descriptor
        self._write = write_descriptor
        self._process = process_descriptor
        for descriptor in (read_descriptor, write_descriptor):
            os.set_blocking(descriptor, False)
        _widen(write_descriptor)
        self._readable = select.poll()
        self._readable.register(read_descriptor, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(write_descriptor, select.POLLOUT)
        if process_descriptor is not None:
            self._readable.register(process_descriptor, select.POLLIN)
            self._writable.register(process_descriptor, select.POLLIN)

    def send(self, pieces: Iterable[bytes], deadline_ns: int) -> None:
        """Write all the pieces.

        Raises:
            ClosedError: nobody reads any more.
            OverdueError: not all was read before the deadline.
        """
        for piece in pieces:
            sent = self._write_some(piece)
            if sent < len(piece):
                self._send_rest(memoryview(piece)[sent:], deadline_ns)

    def receive(self, limits: tuple[int, int, int], deadline_ns: int) -> tuple[Frame, int]:
        """Read one frame.

        Args:
            limits: the most bytes that each block may have.
            deadline_ns: when the last byte must be here.

        Returns:
            The frame, and the clock just after its last byte was read.

        Raises:
            ClosedError: the worker ended first.
            OverdueError: the deadline passed.
            ProtocolError: the bytes are no frame, or one with more than was due.
        """
        data, stop_ns = self._read_some(_FIRST_BYTES, deadline_ns)
        while len(data) < HEADER.size:
            more, stop_ns = self._read_some(_FIRST_BYTES, deadline_ns)
            data += more
        header = unpack_header(data)
        if any(length > limit for length, limit in zip(header.blocks, limits, strict=True)):
            raise ProtocolError(f"announces blocks of {header.blocks} bytes where at most {limits} were due")
        if len(data) < HEADER.size + header.body_bytes:
            pieces, missing = [data], HEADER.size + header.body_bytes - len(data)
            while missing > 0:
                more, stop_ns = self._read_some(min(missing, _PIPE_BYTES), deadline_ns)
                pieces.append(more)
                missing -= len(more)
            data = b"".join(pieces)
        if len(data) > HEADER.size + header.body_bytes:
            raise ProtocolError(f"is followed by {len(data) - HEADER.size - header.body_bytes} bytes nobody asked for")
        return unpack_body(header, memoryview(data)[HEADER.size :]), stop_ns

    def unasked(self) -> bool:
        """Whether bytes are waiting that no request has asked for."""
        return any(descriptor == self._read and event & select.POLLIN for descriptor, event in self._readable.poll(0))

    def discard_unasked(self) -> None:
        """Read and forget what is waiting, as much as the pipe holds: a worker may write on without end."""
        left = _PIPE_BYTES
        while left > 0 and self.unasked():
            left -= len(os.read(self._read, left))

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in (self._read, self._write, self._process):
            if descriptor is not None:
                os.close(descriptor)

    def _write_some(self, piece: bytes | memoryview) -> int:
        try:
            return os.write(self._write, piece)
        except BlockingIOError:
            return 0
        except BrokenPipeError as error:
            raise ClosedError from error

    def _send_rest(self, rest: memoryview, deadline_ns: int) -> None:
        while rest:
            events = dict(self._writable.poll(_milliseconds_until(deadline_ns)))
            if not events:
                raise OverdueError
            if self._process in events:
                raise ClosedError
            rest = rest[self._write_some(rest) :]

    def _read_some(self, count: int, deadline_ns: int) -> tuple[bytes, int]:
        events = dict(self._readable.poll(_milliseconds_until(deadline_ns)))
        if not events:
            raise OverdueError
        # A worker that has ended may have answered first.
        data = os.read(self._read, count) if self._read in events else b""
        stop_ns = time.perf_counter_ns()
        if not data:
            raise ClosedError
        return data, stop_ns


class WorkerChannel:
    """The worker's end: it waits for the judge as long as it takes."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._read = read_descriptor
        self._write = write_descriptor
        _widen(write_descriptor)

    def receive(self) -> Frame | None:
        """Read one request; ``None`` once the judge has closed its end.

        Raises:
            ProtocolError: the bytes are no frame, or one longer than any may be.
        """
        data = os.read(self._read, _FIRST_BYTES)
        while data and len(data) < HEADER.size:
            data += os.read(self._read, _FIRST_BYTES)
        if not data:
            return None
        header = unpack_header(data)
        if header.body_bytes > REQUEST_LIMIT_BYTES:
            raise ProtocolError(f"announces {header.body_bytes} bytes; at most {REQUEST_LIMIT_BYTES} are read")
        body = bytearray(header.body_bytes)
        have = len(data) - HEADER.size
        body[:have] = memoryview(data)[HEADER.size :]
        view = memoryview(body)
        while have < len(body):
            count = os.readv(self._read, [view[have:]])
            if not count:
                return None
            have += count
        return unpack_body(header, view)

    def send(self, head: bytes, blocks: list[bytes]) -> None:
        """Write one reply, in one piece so that a short one is one system call."""
        rest = memoryview(b"".join((head, *blocks)))
        while rest:
            rest = rest[os.write(self._write, rest) :]


def _milliseconds_until(deadline_ns: int) -> float:
    return max(0.0, (deadline_ns - time.perf_counter_ns()) / 1e6)


def _widen(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (AttributeError, OSError):
        # Not Linux, or over the user's quota of pipe memory: the pipe keeps its size and large data takes more calls.
        return
