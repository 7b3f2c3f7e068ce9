"""From the way a worker ended to one line for the user: exit code, signal, what it printed last, where it was."""

import os
import re
import signal
from pathlib import Path

from bench.judge.forkserver import Ending
from bench.judge.output import tail_of
from bench.judge.protocol import one_line
from bench.proof.subject import Failure
from bench.proof.verdict import Status

_OUT_OF_MEMORY = ("MemoryError", "std::bad_alloc", "Cannot allocate memory", "OutOfMemoryError")
_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)', re.MULTILINE)


def failure_of(ending: Ending, during: str, log: int, own_file: str, kernel_killed: bool) -> Failure:
    """What the end of a worker means.

    Args:
        ending: how it ended.
        during: what it was doing, ``call of 5 iterations`` say.
        log: the descriptor of the file that it printed to.
        own_file: the file of the variant, to find its line in a crash report.
        kernel_killed: whether the kernel ran out of memory and killed a process since the launch.
    """
    tail = tail_of(log)
    said = _last_words(tail, own_file)
    if ending.status is None:
        return Failure(Status.CRASHED, None, f"its process was lost during {during}; how it ended is not known{said}")
    if ending.killed:
        return Failure(Status.CRASHED, None, f"closed its channel to the judge during {during} and kept running{said}")
    if os.WIFSIGNALED(ending.status):
        number = os.WTERMSIG(ending.status)
        if number == signal.SIGKILL and kernel_killed:
            return Failure(Status.OUT_OF_MEMORY, None, f"killed during {during}: the machine ran out of memory")
        how = f"killed by {_signal_name(number)} during {during}"
    else:
        how = f"exited with code {os.waitstatus_to_exitcode(ending.status)} during {during}"
    failed = ending.status != 0
    if failed and any(mark in tail for mark in _OUT_OF_MEMORY):
        return Failure(Status.OUT_OF_MEMORY, None, how + said)
    return Failure(Status.CRASHED, None, how + said)


def kernel_kills() -> int:
    """How many processes this machine's kernel has killed for want of memory; 0 where it does not say.

    >>> kernel_kills() >= 0
    True
    """
    try:
        counters = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", counters, re.MULTILINE)
    return int(found[1]) if found else 0


def _last_words(tail: str, own_file: str) -> str:
    before, fatal, report = tail.rpartition("Fatal Python error")
    if fatal:
        # The interpreter's crash report: the stack, innermost frame first.
        frames = list(_FRAME.finditer(report))
        own = [frame for frame in frames if frame["file"] == own_file] or frames
        return f" at {Path(own[0]['file']).name}:{own[0]['line']} in {one_line(own[0]['function'], 60)}" if own else ""
    lines = [line for line in (before + report).splitlines() if line.strip()]
    return f"; it printed last: {one_line(lines[-1], 160)}" if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
