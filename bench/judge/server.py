"""The fork server: a process that has an array library imported and makes workers by forking itself.

``python -m bench.judge.server IMPORTS fork|spawn DESCRIPTOR DIRECTORY MECHANISMS``. It computes nothing before a fork.
The spawned kind imports nothing and starts a fresh interpreter instead, for libraries that do not survive a fork.
Either way the server is the parent of every worker, and of whatever a worker leaves behind when it dies.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.collector import no_collector
from bench.judge.kernel import ADDR_NO_RANDOMIZE, PERSONALITY_ASKED, PR_SET_CHILD_SUBREAPER, personality, prctl
from bench.judge.later import import_later
from bench.judge.mechanisms import Mechanism, Mechanisms
from bench.judge.namespace import Keeper, Namespace, has_own_process_limit, most_processes
from bench.judge.removal import remove_tree

REQUEST_LIMIT_BYTES = 1 << 14
"""Of a request of the judge's: a few paths."""

_READY_SECONDS = 9.0
_KILLED_SECONDS = 3.0
_STEP_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class _End:
    status: int
    peak_bytes: int


class Server:
    """Forks workers and reaps them, one request of the judge at a time."""

    def __init__(self, judge: socket.socket, on: Mechanisms, keeper: Keeper | None, *, spawns: bool) -> None:
        self._judge = judge
        self._on = on
        self._keeper = keeper
        self._spawns = spawns
        self._workers: dict[int, Namespace | None] = {}
        limited = keeper is not None and Mechanism.PROCESS_LIMIT in on and has_own_process_limit()
        self._process_limit = f"{most_processes()} at once" if limited else ""

    def serve(self) -> None:
        """Answer until the judge closes its end, or dies; then kill what is left."""
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._judge, REQUEST_LIMIT_BYTES, 4)
            if not message:
                break
            request = json.loads(message)
            if request["ask"] == "start":
                if import_later(request["modules"]):
                    gc.freeze()
                reply = self._start(descriptors, request["directory"], request["command"])
            else:
                reply = self._reap(request["pid"], request["grace_seconds"])
            _say(self._judge, reply)
        for pid in list(self._workers):
            self._reap(pid, 0.0)
        if self._keeper is not None:
            self._keeper.close()

    def _start(self, descriptors: list[int], directory: str, command: list[str]) -> dict[str, Any]:
        namespace = self._keeper.make() if self._keeper is not None else None
        if namespace is not None:
            namespace.enter()
        server = os.getpid()
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live(descriptors, directory, command, None if namespace is not None else server, tell)
        for descriptor in (*descriptors, tell):
            os.close(descriptor)
        self._workers[pid] = namespace
        at_work = json.loads(_read_line(told, _READY_SECONDS) or b"{}")
        if namespace is not None:
            at_work[Mechanism.PID_NAMESPACE.name] = ""
            if self._process_limit:
                at_work[Mechanism.PROCESS_LIMIT.name] = self._process_limit
        return {"pid": pid, "first": namespace.first if namespace is not None else None, "at_work": at_work}

    def _live(
        self, descriptors: list[int], directory: str, command: list[str], server: int | None, tell: int
    ) -> NoReturn:
        """Be a worker, in the child."""
        from bench.judge import confinement, worker  # noqa: PLC0415 - imports NumPy, so not before the keeper is there

        try:
            os.setsid()
            at_work = {}
            if Mechanism.PARENT_DEATH_SIGNAL in self._on and confinement.die_with_parent():
                at_work[Mechanism.PARENT_DEATH_SIGNAL.name] = ""
            # In a namespace the parent has no number, and the first process dies with the server anyway.
            if server is not None and os.getppid() != server:
                os._exit(1)
            at_work |= confinement.confine(
                directory,
                self._on,
                accelerator=self._spawns and not command,
                own_processes=self._keeper is not None,
                own_users=self._keeper is not None and self._keeper.own_users,
            )
            os.write(tell, json.dumps(at_work).encode() + b"\n")
            os.close(tell)
            confinement.take_descriptors(descriptors, close_others=Mechanism.CLOSED_DESCRIPTORS in self._on)
            if self._spawns:
                own = [sys.executable, "-P", "-m", "bench.judge.worker"]
                command = [*(command or own), worker.settings_of(self._on)]
                os.execv(command[0], command)  # noqa: S606 - a shell would be one more process
            confinement.renew_random_state()
            worker.main(worker.settings_of(self._on))
        except BaseException:  # noqa: BLE001 - nothing may return into the server's loop in the child
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)

    def _reap(self, pid: int, grace_seconds: float) -> dict[str, Any]:
        """Wait for a worker, kill what has not ended by then, and say how it ended."""
        if pid not in self._workers:
            return {"status": None, "killed": False, "peak_bytes": None}
        by_itself = _has_ended(pid, grace_seconds)
        self._kill(pid)
        if not by_itself and not _has_ended(pid, _KILLED_SECONDS):
            return {"status": None, "killed": True, "peak_bytes": None}
        _, status, usage = os.wait4(pid, 0)
        namespace = self._workers.pop(pid)
        if namespace is not None:
            namespace.close()
        if Mechanism.SUB_REAPER in self._on:
            self._kill_orphans()
        # Linux counts in KiB, macOS in bytes.
        peak_bytes = usage.ru_maxrss * (1024 if sys.platform == "linux" else 1)
        return {"status": status, "killed": not by_itself, "peak_bytes": peak_bytes}

    def _kill(self, pid: int) -> None:
        namespace = self._workers[pid]
        if namespace is not None:
            namespace.end()
        if Mechanism.GROUP_KILL in self._on:
            # The group outlives its leader: children that the worker left behind are in it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _kill_orphans(self) -> None:
        """Kill the descendants of dead workers, which the kernel has made children of this process."""
        deadline = time.monotonic() + _KILLED_SECONDS
        own = {*self._workers, self._keeper.pid if self._keeper is not None else 0}
        while time.monotonic() < deadline:
            orphans = [pid for pid in _children(os.getpid()) if pid not in own]
            if not orphans:
                return
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                # Not for ever: one that the kernel is busy with, or that others still have to reap, is left behind.
                if _has_ended(pid, max(0.0, deadline - time.monotonic())):
                    os.waitpid(pid, 0)


def _say(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message: a line of JSON."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def _read_line(descriptor: int, seconds: float) -> bytes:
    """What a child says in one line; nothing where it ends first.

    Raises:
        TimeoutError: it takes too long. That ends this server, and the judge starts another.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError(f"a new worker was not ready within {seconds:g} s")
        piece = os.read(descriptor, 4096)
        if not piece:
            line = b""
            break
        line += piece
    os.close(descriptor)
    return line


def _has_ended(pid: int, seconds: float) -> bool:
    """Whether a child has ended within so many seconds; it stays to be reaped."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        # Not Linux, or an old one.
        return _is_gone(pid, seconds)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _is_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP_SECONDS)
    return True


def _children(parent: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_bytes().split()]
    except OSError:
        return []


def _keeper(on: Mechanisms, *, spawns: bool) -> tuple[Keeper | None, str]:
    """What makes namespaces, or why there is none."""
    if Mechanism.PID_NAMESPACE not in on:
        return None, "switched off"
    try:
        keeper = Keeper(limit_processes=Mechanism.PROCESS_LIMIT in on)
        if not spawns or keeper.shows_own_processes():
            return keeper, ""
    except (AttributeError, OSError) as error:
        return None, getattr(error, "strerror", None) or str(error)
    # CUDA names a thread under /proc when it starts, and does not start where that thread is not found.
    keeper.close()
    return None, "a container that hides parts of /proc permits no other, without which CUDA does not start"


def start_in_fixed_places() -> bool:
    """Start this program anew, with libraries, heap and stack where they always are; whether that is so already.

    Forked processes have the places of the one that they are forked from. Drawn at random, these make the iterations of
    all launches 1 % (sd) slower or quicker than the next server's would be; see docs/decisions.md. Where the kernel
    does not let it, they stay random.
    """
    try:
        before = personality(PERSONALITY_ASKED)
        if before & ADDR_NO_RANDOMIZE:
            return True
        personality(before | ADDR_NO_RANDOMIZE)
        fixed = personality(PERSONALITY_ASKED) & ADDR_NO_RANDOMIZE
    except OSError:
        return False
    if fixed:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - itself
    return False


def main(imports: str, kind: str, descriptor: str, directory: str, mechanisms: str) -> None:
    """Import what the backend needs, tell the judge, and serve; afterwards no file is left.

    Args:
        imports: the backend, and those of `bench.judge.later.MODULES` that are known to be used, joined by commas.
        kind: ``fork`` or ``spawn``.
        descriptor: the socket to the judge.
        directory: the judge's private one, which it can no longer remove where it was killed.
        mechanisms: the names of those that are switched on, joined by commas.
    """
    placed = kind == "fork" and start_in_fixed_places()
    judge = socket.socket(fileno=int(descriptor))
    on = frozenset(Mechanism[name] for name in mechanisms.split(",") if name)
    imported = True
    # The judge may be killed meanwhile.
    with contextlib.suppress(ConnectionError):
        imported = _prepare_and_serve(judge, imports.split(","), kind, on, placed=placed)
    if imported:
        remove_tree(Path(directory))
    os._exit(0)


def _prepare_and_serve(
    judge: socket.socket, imports: Sequence[str], kind: str, on: Mechanisms, *, placed: bool
) -> bool:
    """Whether the backend could be imported; then the judge is gone, or needs this server no more."""
    backend, *modules = imports
    reaps = True
    if Mechanism.SUB_REAPER in on:
        try:
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        except OSError:
            reaps = False
    keeper, why_not = _keeper(on, spawns=kind == "spawn")
    # Only now: a user namespace is for a process with one thread, and NumPy may start more.
    importlib.import_module("bench.judge.worker")
    if kind == "fork":
        try:
            # A collection walks all that was imported so far and finds next to nothing: an eighth of torch's import.
            with no_collector():
                importlib.import_module(backend)
        except Exception as error:  # noqa: BLE001 - a broken installation raises anything
            _say(judge, {"failed": f"{type(error).__name__}: {error}"[:500]})
            return False
        import_later(modules)
    # What is there now stays: a collection in a worker need not walk it, and its pages stay shared. No collection
    # before that: it takes as long as it spared, for 3 % of the objects, and leaves holes in what is shared.
    gc.freeze()
    _say(judge, {"ready": os.getpid(), "reaps": reaps, "placed": placed, "no_namespace": why_not})
    Server(judge, on, keeper, spawns=kind == "spawn").serve()
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
