"""Where workers come from: the fork servers of one judge, and the limits that every worker runs under."""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.backends import BACKENDS, backend_named, canonical_device
from bench.errors import UnavailableError
from bench.judge import segment
from bench.judge.device_lock import DeviceLock, lock_file
from bench.judge.devices import Asked, Devices
from bench.judge.forkserver import THREAD_VARIABLES, ForkServer, ServerBrokenError, ServerGoneError
from bench.judge.isolation import isolation, presence
from bench.judge.lane import OWN, Lane, harness_alone
from bench.judge.loading import absolute_target
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.judge.process import WorkerProcess
from bench.judge.protocol import Kind, ProtocolError
from bench.judge.replies import answers
from bench.judge.subject import Worker
from bench.proof.subject import Failure
from bench.proof.verdict import Status
from bench.variants.contract import Variant
from bench.variants.discovery import import_root

_FORKED = ("numpy", "torch")
MOST_MEMORY_BYTES = 16 << 30
"""The default limit on a worker's memory, where half of what is free would be more."""

LIBRARY_SECONDS = 90.0
"""What a spawned worker may take longer than a forked one: it imports its library, and starts the driver."""

_STEP_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker may take.

    Attributes:
        call_seconds: wall time of one call; then it is killed.
        start_seconds: wall time of loading the variant, and of taking the data.
        memory_bytes: private memory beyond what its libraries hold when it starts; ``None`` for half of what this
            machine has free, `MOST_MEMORY_BYTES` at most. On a CPU only: drivers map far more than they use.
        threads: threads of the array libraries.
    """

    call_seconds: float = 10.0
    start_seconds: float = 30.0
    memory_bytes: int | None = None
    threads: int = 1

    def least_memory_bytes(self) -> int | None:
        """The memory limit in bytes; ``None`` where none was asked for and the system does not say what is free."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        try:
            with open("/proc/meminfo", "rb") as file:
                free = next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"MemAvailable:"))
        except (OSError, StopIteration):
            return None
        return min(free // 2, MOST_MEMORY_BYTES)

    def thread_settings(self) -> dict[str, int]:
        """The environment variables that hold the array libraries to that many threads."""
        return dict.fromkeys(THREAD_VARIABLES, self.threads)


class Workshop:
    """Makes workers. A context manager: leaving it kills every process and removes every file.

    A fork server is started for each backend when it is first needed, and again should it have died. Threads may share
    a workshop; each worker belongs to one of them.

    Attributes:
        devices: those of this machine.
    """

    def __init__(self, limits: WorkerLimits = WorkerLimits(), mechanisms: Mechanisms = ALL) -> None:
        """Start nothing yet.

        Args:
            limits: what each worker may take.
            mechanisms: those that are switched on; a test of one leaves it out.
        """
        self._limits = limits
        self._mechanisms = mechanisms
        self._folder = tempfile.TemporaryDirectory(prefix="gdbench-", ignore_cleanup_errors=True)
        self._servers: dict[tuple[str, str, str | None], ForkServer] = {}
        self._processes: set[WorkerProcess] = set()
        self.devices = Devices(self._alone)
        self._launches = 0
        self._lock = threading.Lock()
        self._abandoned = False
        self._memory_bytes = limits.least_memory_bytes() if Mechanism.MEMORY_LIMIT in mechanisms else None
        self._seals = Mechanism.SEALED_INPUTS in mechanisms and not segment.unavailable()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill all workers and servers, and remove the private directory."""
        try:
            for process in self._processes:
                process.close()
            for server in self._servers.values():
                server.close()
        finally:
            # Also when interrupted on the way: a server takes its workers with it.
            for server in self._servers.values():
                server.kill()
            self._processes.clear()
            self._servers.clear()
            self._folder.cleanup()

    def launch(self, variant: Variant, device: str, lane: Lane = OWN, command: Sequence[str] = ()) -> Worker | Failure:
        """Start a process and load a variant in it.

        Args:
            variant: what to load; its target may be relative to the judge's working directory.
            device: where it is to run.
            lane: the interpreter and the source tree that it comes from.
            command: what to start in place of this interpreter, for a counted worker: its import path is its own, and a
                relative target starts in its directory.

        Returns:
            A worker ready to be called; or why there is none.
        """
        device = canonical_device(device)
        try:
            backend = backend_named(variant.backend)
            self.devices.require(variant.backend, device)
        except UnavailableError as error:
            return Failure(Status.UNAVAILABLE, None, str(error))
        forked = variant.backend in _FORKED and device == "cpu" and Mechanism.FORK_SERVER in self._mechanisms
        kind = "fork" if forked and not command else "spawn"
        path = _import_path()
        meta = {
            "target": variant.target if command else lane.target(absolute_target(variant.target)),
            "backend": variant.backend,
            "device": device,
            "path": [] if command or lane.python is not None else path,
            "first": [] if lane.root is None else lane.first_on_path(_with_root_of(variant.target, path)),
            "trees": None if lane.root is None else [str(lane.top), str(lane.root)],
            "memory_bytes": self._memory_bytes if device == "cpu" else None,
        }
        loaded = self._loaded(variant.backend, kind, lane.python, command, meta)
        if not isinstance(loaded, Failure) and loaded[0].spares_imports(loaded[1]["uses"]):
            self._discard(loaded[0])
            loaded = self._loaded(variant.backend, kind, lane.python, command, meta)
        if isinstance(loaded, Failure):
            return loaded
        process, reply = loaded
        device_id = reply["device_id"]
        try:
            lock = None if device == "cpu" else DeviceLock(lock_file(device, device_id), device)
        except BaseException:
            self._discard(process)
            raise
        process.own_file = reply["file"]
        if reply["memory_limited"]:
            process.at_work[Mechanism.MEMORY_LIMIT] = ""
        return Worker(
            process,
            backend,
            device,
            isolation(kind, process.at_work),
            call_seconds=self._limits.call_seconds,
            data_seconds=self._limits.start_seconds,
            mechanisms=self._mechanisms,
            device_id=device_id,
            lock=lock,
        )

    def expect(self, backend: str, modules: Iterable[str] = ()) -> None:
        """Have the server of a backend import it meanwhile: on another processor, before the first launch needs it.

        Args:
            backend: the array library.
            modules: those of `bench.judge.later.MODULES` that its variants are known to use.
        """
        if backend in _FORKED and Mechanism.FORK_SERVER in self._mechanisms and BACKENDS[backend].installed():
            self._started(backend, "fork", None, modules)

    @property
    def waits(self) -> bool:
        """Whether a server is still importing what it needs."""
        return not all(server.is_ready for server in self._servers.values())

    def is_ready(self, backend: str) -> bool:
        """Whether the next worker with this backend on the CPU need not wait until a server has imported it."""
        server = self._servers.get((backend, "fork", None))
        return server is None or server.is_ready

    def ready(self, backends: Collection[str]) -> set[str]:
        """Those of some backends for which no worker on the CPU need wait; where none is, once the first is imported.

        None where that takes too long to be waited for here.
        """
        deadline = time.monotonic() + LIBRARY_SECONDS
        while True:
            ready = {backend for backend in backends if self.is_ready(backend)}
            if ready or not backends or time.monotonic() > deadline:
                return ready
            time.sleep(_STEP_SECONDS)

    @property
    def keeps_apart(self) -> bool:
        """Whether no worker can reach another that lives at the same time, as each has a PID namespace of its own."""
        try:
            return not self._server("numpy", "fork", None).no_namespace
        except (ServerBrokenError, ServerGoneError):
            return False

    @contextmanager
    def abandoned(self) -> Iterator[None]:
        """End all workers and servers, those in the hands of other threads as well; launch nothing within the block."""
        with self._lock:
            self._abandoned = True
            for server in self._servers.values():
                server.end()
        try:
            yield
        finally:
            self._abandoned = False

    def presence(self) -> dict[str, str]:
        """Each mechanism by its name, as a worker of this machine has it: ``present``, or ``absent`` and why."""
        process = self._process("numpy", "fork")
        if isinstance(process, Failure):
            return presence({}, process.message)
        server = self._servers["numpy", "fork", None]
        self._discard(process)
        at_work = dict(process.at_work)
        if self._memory_bytes is not None:
            at_work[Mechanism.MEMORY_LIMIT] = f"{self._memory_bytes / 2**30:.1f} GiB beyond the libraries, on a CPU"
        return presence(at_work, server.no_namespace)

    @property
    def places(self) -> str:
        """Whether the libraries of forked workers lie in fixed places, as one that was started has found it."""
        placed = any(server.placed for server in self._servers.values())
        return "fixed" if placed else "drawn for each run: timings of different runs differ by 1 % (sd) more"

    def describe(self, target: str) -> list[Variant] | Failure:
        """Import a module or a file in a worker, and list the variants that this registers.

        Args:
            target: ``package.module`` or ``path/to/file.py``.
        """
        # A server that has torch already spares a module that imports torch a second and a half.
        backend = "torch" if ("torch", "fork", None) in self._servers else "numpy"
        process = self._process(backend, "fork")
        if isinstance(process, Failure):
            return process
        try:
            meta = {"target": absolute_target(target), "path": _import_path()}
            reply = self._asked(process, Kind.DESCRIBE, meta, "import")
            return reply if isinstance(reply, Failure) else [Variant(**fields) for fields in reply]
        finally:
            self._discard(process)

    @contextmanager
    def _alone(self, backend: str) -> Iterator[Asked | Failure]:
        """A spawned process that no variant is in."""
        process = self._process(backend, "spawn")
        if isinstance(process, Failure):
            yield process
            return
        try:
            yield partial(self._asked, process)
        finally:
            self._discard(process)

    def _loaded(
        self, backend: str, kind: str, python: str | None, command: Sequence[str], meta: Mapping[str, object]
    ) -> tuple[WorkerProcess, Any] | Failure:
        """A process that has loaded a variant, with its reply."""
        process = self._process(backend, kind, python, command)
        if isinstance(process, Failure):
            return process
        reply = self._asked(process, Kind.LOAD, {**meta, "padding": 0 if command else self._launches}, "load")
        if isinstance(reply, Failure):
            self._discard(process)
            return reply
        return process, reply

    def _process(
        self, backend: str, kind: str, python: str | None = None, command: Sequence[str] = ()
    ) -> WorkerProcess | Failure:
        gone = ""
        # A variant may have killed the server; the second try is with a new one.
        for _ in range(2):
            try:
                with self._lock:
                    self._launches += 1
                    folder = Path(self._folder.name) / str(self._launches)
                server = self._server(backend, kind, python)
                process = WorkerProcess(server, folder, self._mechanisms, command)
            except ServerBrokenError as error:
                return Failure(Status.UNAVAILABLE, None, str(error))
            except ServerGoneError as error:
                gone = str(error)
                continue
            with self._lock:
                self._processes = {process for process in self._processes if process.ended is None} | {process}
            if server.reaps and Mechanism.SUB_REAPER in self._mechanisms:
                process.at_work[Mechanism.SUB_REAPER] = ""
            if self._seals:
                process.at_work[Mechanism.SEALED_INPUTS] = ""
            return process
        return Failure(Status.JUDGE_ERROR, None, f"no worker could be started: {gone}")

    def _server(self, backend: str, kind: str, python: str | None) -> ForkServer:
        server = self._started(backend, kind, python)
        server.wait_until_ready()
        return server

    def _started(self, backend: str, kind: str, python: str | None, modules: Iterable[str] = ()) -> ForkServer:
        key, folder = (backend, kind, python), Path(self._folder.name)
        with self._lock:
            server = self._servers.get(key)
            if server is not None and server.running:
                return server
            if self._abandoned:
                raise ServerGoneError("the work was given up")
            if server is not None:
                server.kill()
            self._servers[key] = ForkServer(
                backend,
                kind,
                self._limits.thread_settings(),
                folder,
                self._mechanisms,
                python=python or sys.executable,
                home=None if python is None else harness_alone(folder),
                modules=modules,
            )
            return self._servers[key]

    def _asked(self, process: WorkerProcess, kind: Kind, meta: Mapping[str, object], during: str) -> Any:
        seconds = self._limits.start_seconds + (0.0 if process.has_library else LIBRARY_SECONDS)
        reply = process.ask(kind, meta, seconds, during)
        if isinstance(reply, Failure) or answers(kind, reply):
            return reply
        return process.forged(ProtocolError("has JSON that does not answer the request"), during)

    def _discard(self, process: WorkerProcess) -> None:
        process.close()
        with self._lock:
            self._processes.discard(process)


def _import_path() -> list[str]:
    return [os.path.abspath(entry) for entry in (*sys.path, os.getcwd())]


def _with_root_of(target: str, path: list[str]) -> list[str]:
    """An import path, and where a module is from that some finder of an editable installation knows."""
    root = import_root(target)
    return path if root is None or str(root) in path else [*path, str(root)]
