"""The fork server: a process that has an array library imported and makes workers by forking itself.

``python -m bench.judge.server BACKEND fork|spawn DESCRIPTOR DIRECTORY``. It computes nothing before a fork. The spawned
kind imports nothing and starts a fresh interpreter instead, for libraries that do not survive a fork. Either way the
server is the parent of every worker, and of whatever a worker leaves behind when it dies.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from bench.judge import worker

FILE_LIMIT_BYTES = 1 << 28
"""No file that a worker writes grows beyond this: far above what compilers cache, far below a full disk."""

USED_LATER = {"torch": ("torch._dynamo",)}
"""What a library imports only on first use: torch.optim needs torch._dynamo, 1.9 s in every launch otherwise."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILLED_SECONDS = 5.0


class Server:
    """Forks workers and reaps them, one request of the judge at a time."""

    def __init__(self, judge: socket.socket, spawns: bool) -> None:
        self._judge = judge
        self._spawns = spawns
        self._workers: set[int] = set()

    def serve(self) -> None:
        """Answer until the judge closes its end, or dies; then kill what is left."""
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._judge, 4096, 3)
            if not message:
                break
            request = json.loads(message)
            if request["ask"] == "start":
                reply = {"pid": self._start(descriptors, request["directory"])}
            else:
                reply = self._reap(request["pid"], request["grace_seconds"])
            _say(self._judge, reply)
        for pid in list(self._workers):
            self._reap(pid, 0.0)

    def _start(self, descriptors: list[int], directory: str) -> int:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                _become_worker(descriptors, directory, server)
                if self._spawns:
                    command = [sys.executable, "-P", "-m", "bench.judge.worker"]
                    os.execv(sys.executable, command)  # noqa: S606 - a shell would be one more process
                _renew_random_state()
                worker.main()
            except BaseException:  # noqa: BLE001 - nothing may return into the server's loop in the child
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        self._workers.add(pid)
        return pid

    def _reap(self, pid: int, grace_seconds: float) -> dict[str, Any]:
        """Wait for a worker, kill what has not ended by then, and say how it ended."""
        if pid not in self._workers:
            return {"status": None, "killed": False}
        ended = _wait(pid, grace_seconds)
        # The group outlives its leader: children that the worker left behind are in it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not ended and not _wait(pid, _KILLED_SECONDS):
            return {"status": None, "killed": True}
        status = os.waitpid(pid, 0)[1]
        self._workers.discard(pid)
        self._kill_orphans()
        return {"status": status, "killed": not ended}

    def _kill_orphans(self) -> None:
        """Kill the descendants of dead workers, which the kernel has made children of this process."""
        deadline = time.monotonic() + _KILLED_SECONDS
        while time.monotonic() < deadline:
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            orphans = [pid for pid in _children(os.getpid()) if pid not in self._workers]
            if not orphans:
                return
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _say(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message: a line of JSON."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def _become_worker(descriptors: list[int], directory: str, server: int) -> None:
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    requests, replies, log = descriptors
    # Moved out of the way first: the kernel may have given them the very numbers they are going to have.
    nothing = os.open(os.devnull, os.O_RDONLY)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in (nothing, log, log, requests, replies)]
    for target, descriptor in enumerate(moved):
        os.dup2(descriptor, target, inheritable=True)
    os.closerange(worker.REPLIES_DESCRIPTOR + 1, os.sysconf("SC_OPEN_MAX"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = FILE_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(hard, FILE_LIMIT_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.chdir(directory)


def _wait(pid: int, seconds: float) -> bool:
    """Whether a child has ended within so many seconds; it stays to be reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold anything; the parent is the second field after it.
                if int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


def _renew_random_state() -> None:
    """Give each forked worker its own NumPy seed, as a fresh interpreter has; a shared one would hide randomness."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def main(backend: str, kind: str, descriptor: str, directory: str) -> None:
    """Import what the backend needs, tell the judge, and serve; afterwards no file is left.

    Args:
        backend: what to import.
        kind: ``fork`` or ``spawn``.
        descriptor: the socket to the judge.
        directory: the judge's private one, which it can no longer remove where it was killed.
    """
    judge = socket.socket(fileno=int(descriptor))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if kind == "fork":
        try:
            importlib.import_module(backend)
        except Exception as error:  # noqa: BLE001 - a broken installation raises anything
            _say(judge, {"failed": f"{type(error).__name__}: {error}"[:500]})
            return
        for module in USED_LATER.get(backend, ()):
            # Only to save time: a variant that needs it will say itself that it does not import.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    # What is alive now stays: a collection in a worker need not walk it, and its pages stay shared.
    gc.collect()
    gc.freeze()
    _say(judge, {"ready": os.getpid()})
    Server(judge, spawns=kind == "spawn").serve()
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
