"""A PID namespace for each worker: killing its first process kills everything in it, daemons too.

The first process of a namespace does not obey its own signals, so that a worker must not be it. A small keeper, forked
from the server before any library is loaded, makes a namespace with a first process that only reaps; the server enters
it for its next fork, and stays the parent of the worker. Without privileges this happens in a user namespace.
"""

import contextlib
import errno
import os
import platform
import re
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bench.judge.kernel import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    may_administer,
    mount,
    prctl,
    setns,
    unshare,
)

MOST_PROCESSES = 512
"""In a namespace, its threads counted too; on many processors more, where the kernel takes no such limit."""

_LEAST_PER_PROCESSOR = 8
_POSSIBLE_PROCESSORS = Path("/sys/devices/system/cpu/possible")
_OWN_LIMIT_SINCE = (6, 14)
"""Since this kernel each PID namespace has its own pid_max; before, writing it would change the whole machine's."""

_OWN_COUNT_SINCE = (5, 14)
"""Since this kernel a limit on a user's processes counts those of the user namespace alone; before, all there are."""

_GONE_SECONDS = 3.0
_ANSWER_SECONDS = 5.0
_SHARED_BYTES = 1 << 28
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x4000, 0x4_0000


@dataclass(frozen=True, slots=True)
class Namespace:
    """One that is there.

    Attributes:
        first: the pid of its first process, as seen from outside.
    """

    first: int
    _descriptor: int
    _process: int

    def enter(self) -> None:
        """Have the next child of this process live in it."""
        setns(self._descriptor, CLONE_NEWPID)

    def end(self) -> None:
        """Kill everything in it. Children of this process must still be reaped."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def close(self) -> None:
        """Wait until nothing lives in it any more, and let go of it."""
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        poll.poll(_GONE_SECONDS * 1000)
        os.close(self._process)
        os.close(self._descriptor)


class Keeper:
    """The process that makes namespaces; it ends with the process that it was made by.

    Attributes:
        pid: its own.
        own_users: whether namespaces are made in a user namespace, for want of privileges.
    """

    def __init__(self, *, limit_processes: bool) -> None:
        """Start it and make a first namespace, to see that it can.

        To be called while this process has one thread only.

        Args:
            limit_processes: whether a namespace holds at most `most_processes`, where the kernel can.

        Raises:
            OSError: this system has no PID namespaces, or does not permit them.
        """
        self.own_users = not may_administer()
        if self.own_users:
            _enter_user_namespace()
        self._socket, theirs = socket.socketpair()
        # Closed by the death of this process: then every first process leaves, and takes its namespace along.
        ending, self._lifeline = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            os.close(self._lifeline)
            _keep(theirs, ending, limit_processes)
        theirs.close()
        os.close(ending)
        self._socket.settimeout(_ANSWER_SECONDS)
        try:
            self._ask()
            self._made: Namespace | None = self._answer()
        except OSError:
            self.close()
            raise

    def make(self) -> Namespace:
        """A new namespace with nothing in it but its first process.

        Raises:
            OSError: it is not permitted, the keeper has died, or it does not answer.
        """
        made, self._made = self._made or self._answer(), None
        # The next one is made while this one is used.
        self._ask()
        return made

    def shows_own_processes(self) -> bool:
        """Whether what lives in a namespace can have a /proc of its own; see `see_own_processes`."""
        namespace = self.make()
        asked = os.fork()
        if asked == 0:
            _look_at_own_process(namespace)
        shown = os.waitpid(asked, 0)[1] == 0
        namespace.end()
        namespace.close()
        return shown

    def _ask(self) -> None:
        self._socket.sendall(b"?")

    def _answer(self) -> Namespace:
        message, descriptors, _, _ = socket.recv_fds(self._socket, 100, 2)
        if not message:
            raise OSError(errno.ESRCH, "the keeper of namespaces has died")
        number = int(message)
        if number < 0:
            raise OSError(-number, os.strerror(-number))
        return Namespace(number, *descriptors)

    def close(self) -> None:
        """End the keeper, and every namespace with it."""
        self._socket.close()
        os.close(self._lifeline)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            # It has nothing to put away, and may have been stopped.
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def see_own_processes() -> bool:
    """In a namespace: give this process a /proc of its own, and a small empty /dev/shm.

    Otherwise a process number that it knows as its own would be another's under /proc.

    Returns:
        Whether what is written to /dev/shm is its own and goes with it.
    """
    try:
        unshare(CLONE_NEWNS)
        mount("none", "/", _MS_REC | _MS_PRIVATE)
        mount("tmpfs", "/dev/shm", _MS_NOSUID | _MS_NODEV, f"size={_SHARED_BYTES}")  # noqa: S108 - a name for it
    except OSError:
        return False
    # Where parts of /proc are hidden, in a container say, an unprivileged process may not have another.
    with contextlib.suppress(OSError):
        mount("proc", "/proc", _MS_NOSUID | _MS_NODEV)
    return True


def _look_at_own_process(namespace: Namespace) -> NoReturn:
    """Leave with 0 where a child of this process, in a namespace, finds itself under /proc."""
    status = 1
    try:
        namespace.enter()
        child = os.fork()
        if child == 0:
            see_own_processes()
            status = int(os.readlink("/proc/self") != str(os.getpid()))
        else:
            status = int(os.waitpid(child, 0)[1] != 0)
    finally:
        os._exit(status)


def has_own_process_limit() -> bool:
    """Whether this kernel can bound the processes of one PID namespace."""
    return _kernel() >= _OWN_LIMIT_SINCE


def has_own_process_count() -> bool:
    """Whether this kernel counts the processes of one user namespace by themselves."""
    return _kernel() >= _OWN_COUNT_SINCE


def most_processes() -> int:
    """What the limit of a PID namespace is: the kernel takes none below eight for each processor there could be."""
    try:
        last = int(re.split("[-,]", _POSSIBLE_PROCESSORS.read_text(encoding="ascii").strip())[-1])
    except (OSError, ValueError):
        last = (os.cpu_count() or 1) - 1
    return max(MOST_PROCESSES, _LEAST_PER_PROCESSOR * (last + 1))


def _kernel() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (0, 0) if found is None else (int(found[1]), int(found[2]))


def _enter_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (user, user)),
        ("gid_map", b"%d %d 1" % (group, group)),
    ):
        with open(f"/proc/self/{name}", "wb") as file:
            file.write(text)


def _keep(server: socket.socket, ending: int, limit_processes: bool) -> NoReturn:
    """Make a namespace for each byte; a process may make one only once, so a child does."""
    try:
        with contextlib.suppress(OSError):
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        # Nobody waits for the children: they leave no zombies.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while server.recv(1):
            if os.fork() == 0:
                _make(server, ending, limit_processes)
    finally:
        os._exit(0)


def _make(server: socket.socket, ending: int, limit_processes: bool) -> NoReturn:
    try:
        unshare(CLONE_NEWPID)
        first = os.fork()
        if first == 0:
            server.close()
            _reap_until(ending, limit_processes)
        namespace = os.open("/proc/self/ns/pid_for_children", os.O_RDONLY)
        socket.send_fds(server, [b"%d" % first], [namespace, os.pidfd_open(first)])
    except OSError as error:
        server.sendall(b"%d" % -(error.errno or errno.EIO))
    finally:
        os._exit(0)


def _reap_until(ending: int, limit_processes: bool) -> NoReturn:
    """Live as the first process of a namespace: take over orphans, reap them, leave when the server is gone."""
    try:
        if limit_processes and has_own_process_limit():
            with contextlib.suppress(OSError), open("/proc/sys/kernel/pid_max", "wb") as file:
                file.write(b"%d" % most_processes())
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        poll = select.poll()
        poll.register(ending, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while all(descriptor != ending for descriptor, _ in poll.poll()):
            os.read(woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    finally:
        os._exit(0)
