"""What the kernel knows of a process: how long it and its helpers ran, and how long it waited for a processor."""

import contextlib
import os
import re
import time
from pathlib import Path

_PROCESS_CLOCK = 2
_MOST_HELPERS = 1024


class ProcessMeter:
    """Processor time of a worker and of all that it started, and the run-queue delay of its main thread.

    The processor time comes from the process's own clock: /proc/PID/schedstat counts the main thread alone, and a
    variant that hands its work to helper threads would seem to do none.
    """

    def __init__(self, pid: int, first: int | None = None) -> None:
        """Watch a worker.

        Args:
            pid: the worker's.
            first: that of the first process of its PID namespace, which takes over what the worker's children leave
                behind; ``None`` where it has none.
        """
        self._pid = pid
        self._roots = [pid] if first is None else [pid, first]
        self._clock = _clock_of(pid)
        self._schedstat = _open(f"/proc/{pid}/schedstat")
        self._stats = [_open(f"/proc/{root}/stat") for root in self._roots]
        self._children = [_open(f"/proc/{root}/task/{root}/children") for root in self._roots]
        self._tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")

    def read(self) -> tuple[int, int]:
        """Nanoseconds on a processor and waiting for one, since the process began; 0 where the kernel does not say."""
        return _processor_ns(self._clock), self._queue_ns()

    def helpers_ns(self) -> int:
        """Nanoseconds on a processor of all processes that the worker started, to 10 ms for those that have ended.

        A process that lives is counted to the nanosecond. One whose parent ended before it is found only in a PID
        namespace.
        """
        total, waiting = 0, []
        for root, stat, children in zip(self._roots, self._stats, self._children, strict=True):
            threads, ended_ns = self._threads_and_ended_ns(stat)
            total += ended_ns
            # Twice in every call, so that the usual case, one thread and no child, has to be quick.
            waiting += _children(root) if threads != 1 else _numbers(children)
        seen = set(self._roots)
        while waiting and len(seen) < _MOST_HELPERS:
            child = waiting.pop()
            if child not in seen:
                seen.add(child)
                waiting += _children(child)
                total += _processor_ns(_clock_of(child))
        return total

    def peak_bytes(self) -> int | None:
        """The most memory that the worker itself has had at once; ``None`` where the kernel does not say."""
        try:
            text = Path(f"/proc/{self._pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def close(self) -> None:
        """Close the files."""
        for descriptor in (self._schedstat, *self._stats, *self._children):
            if descriptor >= 0:
                os.close(descriptor)
        self._schedstat, self._roots, self._stats, self._children = -1, [], [], []

    def _queue_ns(self) -> int:
        try:
            return int(os.pread(self._schedstat, 100, 0).split()[1])
        except (OSError, IndexError, ValueError):
            return 0

    def _threads_and_ended_ns(self, stat: int) -> tuple[int, int]:
        """The number of threads, field 20, and the time of children that were waited for: 16 and 17, in ticks."""
        try:
            fields = os.pread(stat, 1000, 0).rpartition(b")")[2].split()
            return int(fields[17]), (int(fields[13]) + int(fields[14])) * self._tick_ns
        except (OSError, IndexError, ValueError):
            return 0, 0


def _clock_of(pid: int) -> int:
    """The number that clock_getcpuclockid(3) would give for the process."""
    return (~pid << 3) | _PROCESS_CLOCK


def _processor_ns(clock: int) -> int:
    try:
        return time.clock_gettime_ns(clock)
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
    return found


def _numbers(descriptor: int) -> list[int]:
    try:
        return [int(word) for word in os.pread(descriptor, 1 << 16, 0).split()]
    except (OSError, ValueError):
        return []


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
