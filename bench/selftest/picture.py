"""What an attack could have changed of this process and this machine, to be compared before and after."""

import contextlib
import decimal
import gc
import locale
import os
import random
import resource
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

MARK = "GDBENCH_SELFTEST"
"""The variable of the environment by which what this process starts is known, also when it is nobody's child now."""

_SHARED = Path("/dev/shm")  # noqa: S108 - looked at only
_MACHINE = (
    "kernel/core_pattern", "kernel/domainname", "kernel/hostname", "kernel/modprobe", "kernel/perf_event_paranoid",
    "kernel/pid_max", "kernel/printk", "kernel/randomize_va_space", "kernel/sysrq", "kernel/threads-max",
    "kernel/yama/ptrace_scope", "kernel/sched_rt_runtime_us", "kernel/numa_balancing", "fs/file-max",
    "fs/suid_dumpable", "fs/protected_symlinks", "fs/pipe-max-size", "net/ipv4/ip_forward", "user/max_user_namespaces",
    "vm/overcommit_memory", "vm/swappiness", "vm/max_map_count", "vm/nr_hugepages",
)  # fmt: skip
"""Settings of Linux below /proc/sys."""

Picture = dict[str, frozenset[str]]


def picture() -> Picture:
    """Everything that is compared, by kind; what this system does not tell is left out.

    Of processes, files and shared memory only those are looked at that are known to come from here: others use the
    machine as well.
    """
    mine = _own_processes()
    return {
        "process": frozenset(mine.values()),
        "file": frozenset(_files()),
        "shared memory": frozenset(_shared_memory(set(mine))),
        "setting of this process": frozenset(_own_settings()),
        "setting of the machine": frozenset(_machine_settings()),
    }


def left_behind(before: Picture, after: Picture) -> list[str]:
    """What is there that was not, and which settings are no longer what they were, a line each.

    >>> left_behind({"file": frozenset(), "setting": frozenset({"umask 18"})},
    ...     {"file": frozenset({"left.txt"}), "setting": frozenset({"umask 0"})})
    ['file left.txt', 'setting umask 0', 'no longer the setting umask 18']
    """
    found = []
    for kind, now in after.items():
        was = before.get(kind, frozenset())
        found += [f"{kind} {what}" for what in sorted(now - was)]
        # A process that has ended, or a file that is gone, is nothing left behind.
        found += [f"no longer the {kind} {what}" for what in sorted(was - now) if kind.startswith("setting")]
    return found


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Have whatever this process starts carry a mark of its own, by which `picture` knows it."""
    before = os.environ.get(MARK)
    os.environ[MARK] = secrets.token_hex(8)
    try:
        yield
    finally:
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before


def _own_processes() -> dict[int, str]:
    """Descendants of this process, and what carries its mark: pid, and pid and name for a reader."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    marked_ones = set()
    mark = f"{MARK}={os.environ[MARK]}".encode() if MARK in os.environ else None
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            head, _, rest = (entry / "stat").read_bytes().rpartition(b")")
            pid = int(entry.name)
            parents[pid] = int(rest.split()[1])
            names[pid] = f"{pid} ({head.partition(b'(')[2].decode(errors='replace')})"
            if mark is not None and mark in (entry / "environ").read_bytes().split(b"\0"):
                marked_ones.add(pid)
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return {pid: names[pid] for pid in (mine | marked_ones) & set(names) if pid != os.getpid()}


def _files() -> Iterator[str]:
    folders = {Path(tempfile.gettempdir()), Path.cwd(), _SHARED}
    with contextlib.suppress(RuntimeError):
        folders.add(Path.home())
    for folder in folders:
        yield from (str(found) for found in folder.glob("*gdbench-selftest*"))


def _shared_memory(mine: set[int]) -> Iterator[str]:
    """Segments of System V that belong to this user, and whose maker is known to come from here or has ended."""
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            title, *rows = Path(f"/proc/sysvipc/{kind}").read_text(encoding="ascii").splitlines()
            for row in rows:
                fields = dict(zip(title.split(), row.split(), strict=False))
                maker = int(fields.get("cpid", 0))
                if fields.get("cuid") == str(os.getuid()) and (
                    maker in mine or not Path(f"/proc/{maker}/stat").exists()
                ):
                    yield f"{kind} {fields[f'{kind}id']}"


def _own_settings() -> Iterator[str]:
    yield f"working directory {os.getcwd()}"
    yield from (f"environment {name}={value}" for name, value in os.environ.items())
    yield from (
        f"handler of {number.name}: {_handler(number)}" for number in signal.valid_signals() if _is_named(number)
    )
    yield from (f"{name} {resource.getrlimit(getattr(resource, name))}" for name in dir(resource) if "RLIMIT_" in name)
    umask = os.umask(0o077)
    os.umask(umask)
    yield f"umask {umask}"
    yield f"niceness {os.getpriority(os.PRIO_PROCESS, 0)}"
    if sys.platform == "linux":
        yield f"processors {sorted(os.sched_getaffinity(0))}"
        yield f"scheduler {os.sched_getscheduler(0)}"
    yield f"locale {locale.setlocale(locale.LC_ALL)}"
    yield f"time zone {time.tzname}"
    yield f"random state {_digest(random.getstate())}"
    yield f"NumPy random state {_digest(np.random.get_state())}"
    yield f"NumPy error state {np.geterr()}"
    yield f"decimal context {decimal.getcontext()}"
    yield f"collector {gc.isenabled()} {gc.get_threshold()}"
    yield f"recursion limit {sys.getrecursionlimit()}"
    yield f"tracing {sys.gettrace() is not None} profiling {sys.getprofile() is not None}"
    yield f"socket timeout {socket.getdefaulttimeout()}"
    yield f"interval timer {signal.getitimer(signal.ITIMER_REAL)[1]}"
    yield from (f"module path {entry}" for entry in sys.path)
    yield from (f"thread {thread.name}" for thread in threading.enumerate())
    yield from _descriptors()


def _machine_settings() -> Iterator[str]:
    yield f"host name {socket.gethostname()}"
    for name in _MACHINE:
        with contextlib.suppress(OSError):
            yield f"{name} {Path('/proc/sys', name).read_text(encoding='utf-8', errors='replace').strip()}"


def _descriptors() -> Iterator[str]:
    """Each with what it is of, sockets among them."""
    with contextlib.suppress(OSError):
        for number in os.listdir("/proc/self/fd"):
            # The one that lists them is gone by now.
            with contextlib.suppress(OSError):
                yield f"descriptor {number} of {os.readlink(f'/proc/self/fd/{number}')}"


def _handler(number: signal.Signals) -> str:
    handler = signal.getsignal(number)
    return handler.name if isinstance(handler, signal.Handlers) else getattr(handler, "__qualname__", str(handler))


def _is_named(number: int) -> bool:
    return isinstance(number, signal.Signals)


def _digest(state: object) -> str:
    if isinstance(state, tuple):
        return sha256("".join(_digest(part) for part in state).encode()).hexdigest()[:16]
    return sha256(state.tobytes() if isinstance(state, np.ndarray) else repr(state).encode()).hexdigest()[:16]
