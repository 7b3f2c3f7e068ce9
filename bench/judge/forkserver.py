"""The judge's handle on a fork server: start it, ask it for workers, have them reaped, and outlive its death."""

import contextlib
import json
import os
import select
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.judge.mechanisms import Mechanism, Mechanisms
from bench.judge.output import tail_of

_START_SECONDS = 120.0
_ANSWER_SECONDS = 10.0
_LEAVE_SECONDS = 2.0
_GONE_SECONDS = 5.0
KEPT_BY_MALLOC = "glibc.malloc.trim_threshold=268435456:glibc.malloc.mmap_threshold=268435456"
"""A fresh process gives every large temporary back to the kernel, and takes a page fault for each page of the next one:
seven times the cost of iterating on arrays of some megabytes. None pays it that has ever freed a larger array."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

SHORTENING_VARIABLES = ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE")
"""Containers set them, and then every float32 product has a shorter mantissa, for which the variant would be blamed."""


class ServerGoneError(Exception):
    """The fork server has died or does not answer."""


class ServerBrokenError(Exception):
    """The fork server could not import its backend; the message says why."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended.

    Attributes:
        status: as `os.waitpid` gives it; ``None`` where nobody could tell.
        killed: whether the judge had it killed, because it had not ended by itself.
        peak_bytes: the most memory that it, or one of its children, had at once; ``None`` where nobody could tell.
    """

    status: int | None
    killed: bool
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A worker that has begun to live.

    Attributes:
        pid: its process id.
        first: that of the first process of its PID namespace; ``None`` where it has none.
        at_work: the mechanisms that it has, each with what there is to say of it.
    """

    pid: int
    first: int | None
    at_work: dict[Mechanism, str]


class ForkServer:
    """One running fork server. It is used by one judge and may be shared between its threads.

    Attributes:
        forks: whether it makes workers by forking itself, with its library imported.
        reaps: whether it is the parent of what dead workers leave behind.
        placed: whether the libraries of its workers lie where those of every other server's do.
        no_namespace: why its workers have no PID namespaces; empty where they have.
    """

    def __init__(
        self,
        backend: str,
        kind: str,
        threads: dict[str, int],
        directory: Path,
        mechanisms: Mechanisms,
        *,
        python: str = sys.executable,
        home: str | None = None,
        modules: Iterable[str] = (),
    ) -> None:
        """Start the server; `wait_until_ready` before it is asked for anything.

        Args:
            backend: the library to import before forking.
            kind: ``fork`` or ``spawn``.
            threads: the environment variables that limit the threads of the array libraries.
            directory: a private directory, for the server's own output.
            mechanisms: those that are switched on.
            python: the interpreter.
            home: the folder that it finds gdbench in; ``None`` for where the judge has it from.
            modules: those of `bench.judge.later.MODULES` that are known to be used.
        """
        self._backend = backend
        self._is_ready = False
        self.reaps, self.placed, self.no_namespace = False, False, ""
        self.forks = kind == "fork"
        self._modules = frozenset(modules) if self.forks else frozenset()
        self._imported = self._modules
        self._lock = threading.RLock()
        self._answers = b""
        self._socket, theirs = socket.socketpair()
        # Without a name: where nothing keeps workers from writing, one may put a pipe in the place of any file.
        self._log = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - open as long as the server lives
        with theirs:
            settings = ",".join(mechanism.name for mechanism in mechanisms)
            imports = ",".join((backend, *sorted(self._modules)))
            program = [python, "-P", "-m", "bench.judge.server"]
            self._process = subprocess.Popen(
                [*program, imports, kind, str(theirs.fileno()), str(directory), settings],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=_environment(threads, kind, home),
                cwd=directory,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until the server has imported its backend; at once where it has been waited for.

        Raises:
            ServerBrokenError: the backend does not import.
            ServerGoneError: the server died, or was not ready in time.
        """
        with self._lock:
            if not self._is_ready:
                self._hear_that_it_is_ready()

    def _hear_that_it_is_ready(self) -> None:
        try:
            first = self._answer(_START_SECONDS)
            if "failed" in first:
                raise ServerBrokenError(f"{self._backend} does not import: {first['failed']}")
            self.reaps, self.placed = bool(first["reaps"]), bool(first["placed"])
            self.no_namespace = str(first["no_namespace"])
        except (OSError, ServerGoneError) as error:
            said = "" if self._log.closed else tail_of(self._log.fileno()).strip().rpartition("\n")[2]
            self.kill()
            raise ServerGoneError(f"the fork server for {self._backend} did not start: {said or error}") from error
        except BaseException:
            self.kill()
            raise
        self._is_ready = True

    @property
    def running(self) -> bool:
        """Whether the server process is still there."""
        return self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing to wait for: it has imported what it needs, or has died."""
        return self._is_ready or self._heard(0.0)

    def import_later(self, uses: Mapping[str, bool]) -> bool:
        """Have modules imported before the next worker is made.

        Args:
            uses: what a variant uses of `bench.judge.later.MODULES`, each with whether its worker had it.

        Returns:
            Whether a new worker would spare the variant an import that is still to come.
        """
        new = uses.keys() - self._modules if self.forks else set()
        self._modules |= new
        return any(not uses[name] for name in new)

    def start(self, descriptors: list[int], directory: Path, command: Sequence[str] = ()) -> Started:
        """Have a worker made.

        Args:
            descriptors: its requests, its replies, its log and its segments, in that order.
            directory: where it is to run.
            command: what a spawned worker is started by, to which the mechanisms are added; this interpreter where
                empty.

        Raises:
            ServerGoneError: the server has died.
        """
        modules = self._modules
        request = {"ask": "start", "directory": str(directory), "command": list(command), "modules": sorted(modules)}
        answer = self._request(request, descriptors, _ANSWER_SECONDS if modules == self._imported else _START_SECONDS)
        self._imported = modules
        at_work = {Mechanism[name]: str(said) for name, said in answer["at_work"].items()}
        return Started(int(answer["pid"]), answer["first"], at_work)

    def reap(self, pid: int, grace_seconds: float) -> Ending:
        """Wait for a worker to end, kill it and its process group otherwise, and say how it ended.

        Raises:
            ServerGoneError: the server has died, and its workers with it.
        """
        request = {"ask": "reap", "pid": pid, "grace_seconds": grace_seconds}
        answer = self._request(request, [], grace_seconds + _ANSWER_SECONDS)
        return Ending(answer["status"], answer["killed"], answer["peak_bytes"])

    def close(self) -> None:
        """Let the server kill its workers and leave; kill it when it does not."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_SECONDS)
        self.kill()

    def end(self) -> None:
        """Have the kernel end the server with its workers; another thread may be waiting for them, and is to `kill`."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the server; the kernel kills its workers with it."""
        # In this order: a server whose socket closes takes the judge to be gone, and removes its files.
        self._process.kill()
        # One that the kernel cannot end, for want of an answer from a device say, is left to it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GONE_SECONDS)
        # Another thread that waits for its answer hears at once that there will be none.
        with self._lock:
            self._socket.close()
            self._log.close()

    def _request(self, request: dict[str, Any], descriptors: list[int], seconds: float) -> dict[str, Any]:
        with self._lock:
            try:
                socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], descriptors)
                return self._answer(seconds)
            except (OSError, ServerGoneError, KeyboardInterrupt) as error:
                # One that dies closes its socket before it has ended, and is to be taken for running by nobody; an
                # answer that is still to come would be taken for the next one's. A new server is cheap.
                self.kill()
                if isinstance(error, OSError):
                    raise ServerGoneError("the fork server has died") from error
                raise

    def _answer(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._answers:
            if not self._heard(max(0.0, deadline - time.monotonic())):
                # Stopped, perhaps by a worker: nothing more can be had from it.
                self.kill()
                raise ServerGoneError(f"the fork server did not answer within {seconds:g} s")
            data = self._socket.recv(4096)
            if not data:
                raise ServerGoneError("the fork server has died")
            self._answers += data
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _heard(self, seconds: float) -> bool:
        """Whether there is something to read within so many seconds, or nothing will ever be."""
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except ValueError:
            # It is closed.
            return True
        return bool(poll.poll(seconds * 1000))


def _environment(threads: dict[str, int], kind: str, home: str | None) -> dict[str, str]:
    environment = {name: text for name, text in os.environ.items() if name not in SHORTENING_VARIABLES}
    environment.update({name: str(count) for name, count in threads.items()})
    environment["PYTHONHASHSEED"] = "0"
    environment["GLIBC_TUNABLES"] = ":".join(filter(None, (KEPT_BY_MALLOC, environment.get("GLIBC_TUNABLES"))))
    if kind == "fork":
        # Forked workers compute on the CPU: none may reach a GPU, which a forked process cannot use anyway.
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if home is not None:
        return environment | {"PYTHONPATH": home}
    home = str(Path(bench.__file__).parents[1])
    if home not in (*site.getsitepackages(), site.getusersitepackages()):
        # A checkout that was never installed is importable from its own folder alone.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (home, environment.get("PYTHONPATH"))))
    return environment
