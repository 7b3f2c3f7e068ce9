"""One worker process as the judge holds it: requests, replies, and its end, whichever way that comes."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.judge.channel import ClosedError, JudgeChannel, OverdueError
from bench.judge.ending import failure_of, kernel_kills
from bench.judge.forkserver import Ending, ForkServer, ServerGoneError, Started
from bench.judge.mechanisms import Mechanism, Mechanisms
from bench.judge.meter import ProcessMeter
from bench.judge.protocol import NO_BLOCKS, Frame, Kind, ProtocolError, json_bytes, pack, read_trouble
from bench.judge.removal import remove_tree
from bench.judge.segment import SealedSegment
from bench.proof.contract import trouble_failure
from bench.proof.subject import Failure
from bench.proof.verdict import Status

_FOREVER_SECONDS = 1e6
_GRACE_SECONDS = 0.5
"""How long a worker whose channel has closed may take to end by itself, so that its own exit code is seen."""


class WorkerProcess:
    """A live worker, until a deadline, a crash, a forged reply or `close` ends it.

    Attributes:
        pid: its process id.
        directory: where it runs; removed when it ends.
        at_work: the mechanisms that the kernel lends it, each with what there is to say of it.
        has_library: whether it was forked from a server that has imported its library.
        own_file: the file of its variant, to find the line of a crash.
        ended: what became of it; ``None`` while it lives.
    """

    def __init__(
        self, server: ForkServer, directory: Path, mechanisms: Mechanisms, command: Sequence[str] = ()
    ) -> None:
        """Have the process made.

        Args:
            server: what makes it.
            directory: its working directory, to be made.
            mechanisms: those that are switched on.
            command: see `ForkServer.start`.

        Raises:
            ServerGoneError: the fork server has died.
        """
        directory.mkdir()
        self._server = server
        self.directory = directory
        self._kernel_kills = kernel_kills()
        self._sequence = 0
        self._open = True
        self._mechanisms = mechanisms
        self._peak_bytes: int | None = None
        self.has_library = server.forks
        self.own_file = ""
        self.ended: Failure | None = None
        log = directory / "output"
        started, self._channel, self._segments = _start(server, directory, log, command)
        # Opened before the worker has run any code of the variant's, which may put a pipe or a link in its place.
        self._log = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        self.pid, self.at_work = started.pid, started.at_work
        self.meter = ProcessMeter(self.pid, started.first)

    def spares_imports(self, uses: Mapping[str, bool]) -> bool:
        """Whether another worker of the same server would spare a variant imports; see `ForkServer.import_later`."""
        return self._server.import_later(uses)

    def next_sequence(self) -> int:
        """The number that the next request must carry, and its reply repeat."""
        self._sequence += 1
        return self._sequence

    def ask(self, kind: Kind, meta: object, seconds: float, during: str, blocks: tuple[bytes, ...] = ()) -> Any:
        """Send a request that is not timed.

        Args:
            kind: what is asked.
            meta: the JSON of the request.
            seconds: how long the answer may take.
            during: what the worker is doing meanwhile, for messages.
            blocks: raw numbers that follow the JSON.

        Returns:
            The JSON of the reply, or a `Failure`.
        """
        head = pack(kind, self.next_sequence(), json_bytes(meta), blocks)
        reply = self.exchange((head, *blocks), NO_BLOCKS, seconds, during)
        if isinstance(reply, Failure):
            return reply
        frame, _ = reply
        try:
            if frame.header.kind == Kind.TROUBLE:
                return trouble_failure(*read_trouble(frame))
            if frame.header.kind != Kind.DONE:
                raise ProtocolError(f"is of kind {frame.header.kind} where {Kind.DONE.value} was due")
        except ProtocolError as error:
            return self.forged(error, during)
        return frame.meta

    def exchange(
        self, pieces: tuple[bytes, ...], limits: tuple[int, int, int], seconds: float, during: str
    ) -> tuple[Frame, int] | Failure:
        """Send one request and receive its reply.

        Args:
            pieces: the bytes of the request.
            limits: the most bytes that each block of the reply may have.
            seconds: how long it may take in all.
            during: what the worker is doing meanwhile, for messages.

        Returns:
            The reply, and the nanoseconds from just before the first byte was written to just after the last was
            read; or a failure, and then the process is dead and reaped.
        """
        if self.ended is not None:
            return self.ended
        checked = Mechanism.CHECKED_REPLIES in self._mechanisms
        if not checked:
            self._channel.discard_unasked()
        elif self._channel.unasked():
            return self.forged(ProtocolError("came before anything was asked"), during)
        if Mechanism.DEADLINE not in self._mechanisms:
            seconds = _FOREVER_SECONDS
        try:
            start_ns = time.perf_counter_ns()
            deadline_ns = start_ns + int(seconds * 1e9)
            self._channel.send(pieces, deadline_ns)
            frame, stop_ns = self._channel.receive(limits, deadline_ns)
            if checked and frame.header.sequence != self._sequence:
                raise ProtocolError(f"answers request {frame.header.sequence}, not {self._sequence}")
        except ClosedError:
            ending = self._reap(_GRACE_SECONDS)
            kernel_killed = kernel_kills() > self._kernel_kills
            return self._end(failure_of(ending, during, self._log, self.own_file, kernel_killed))
        except OverdueError:
            self._reap(0.0)
            return self._end(Failure(Status.TIMEOUT, None, f"no answer within {seconds:g} s during {during}; killed"))
        except ProtocolError as error:
            return self.forged(error, during)
        except BaseException:
            # Between request and reply: the reply that is still to come would be taken for the next request's.
            self.close(f"the judge was interrupted during {during}")
            raise
        return frame, stop_ns - start_ns

    def lend(self, segment: SealedSegment) -> None:
        """Hand the worker a segment; the next request is to say what is in it."""
        # One that does not take it will not answer that request either.
        with contextlib.suppress(OSError):
            socket.send_fds(self._segments, [b"s"], [segment.descriptor], socket.MSG_DONTWAIT)

    @property
    def peak_bytes(self) -> int | None:
        """The most memory that the worker has had at once so far; ``None`` where nobody could tell."""
        return self.meter.peak_bytes() if self._open else self._peak_bytes

    def forged(self, error: ProtocolError, during: str) -> Failure:
        """End a worker whose bytes are no reply."""
        self._reap(0.0)
        return self._end(Failure(Status.CRASHED, None, f"what it sent during {during} is no reply: it {error}"))

    def close(self, why: str = "the worker was closed") -> None:
        """Kill the worker with all its process group, reap it, and remove its directory."""
        self._reap(0.0)
        self._end(Failure(Status.JUDGE_ERROR, None, why))

    def _reap(self, grace_seconds: float) -> Ending:
        if not self._open:
            return Ending(None, killed=False)
        self._open = False
        try:
            ending = self._server.reap(self.pid, grace_seconds)
            self._peak_bytes = ending.peak_bytes
            return ending
        except ServerGoneError:
            # The kernel has killed the worker with its server; what it left behind is still in its group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            return Ending(None, killed=False)
        finally:
            self._channel.close()
            self._segments.close()
            self.meter.close()

    def _end(self, failure: Failure) -> Failure:
        if self.ended is None:
            self.ended = failure
            os.close(self._log)
        remove_tree(self.directory)
        return self.ended


def _start(
    server: ForkServer, directory: Path, log: Path, command: Sequence[str]
) -> tuple[Started, JudgeChannel, socket.socket]:
    requests_out, requests_in = os.pipe()
    replies_out, replies_in = os.pipe()
    ours, segments = socket.socketpair()
    log_in = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        started = server.start([requests_out, replies_in, log_in, segments.fileno()], directory, command)
        process = _descriptor_of(started.pid)
    except BaseException:
        os.close(requests_in)
        os.close(replies_out)
        ours.close()
        raise
    finally:
        segments.close()
        for descriptor in (requests_out, replies_in, log_in):
            os.close(descriptor)
    return started, JudgeChannel(replies_out, requests_in, process), ours


def _descriptor_of(pid: int) -> int | None:
    """A pidfd; ``None`` where the system has none."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise ServerGoneError("the fork server has died, and the worker with it") from error
    except (AttributeError, OSError):
        return None
