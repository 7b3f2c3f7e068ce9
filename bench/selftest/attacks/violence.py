"""Ends, hangs, floods and damage, each bounded so that the machine comes to no harm whatever is switched off."""

import collections
import ctypes
import itertools
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from bench import Descent, Problem
from bench.selftest.descent import honest

LONGEST_SECONDS = 20.0
"""Nothing here goes on for longer."""

CANARY = "gdbench-selftest-canary"
"""The file that an attack leaves in the temporary folder, where it is not stopped."""

DAEMON = b"gdb-selftest"
"""What a process is called that an attack leaves behind."""

_KEPT: list[object] = []


def exits(problem: Problem, n_iters: int) -> Descent:
    """Calls sys.exit(0)."""
    sys.exit(0)


def exits_at_once(problem: Problem, n_iters: int) -> Descent:
    """Calls os._exit(0)."""
    os._exit(0)


def segfault(problem: Problem, n_iters: int) -> Descent:
    """Reads address zero."""
    ctypes.string_at(0)
    return honest(problem, n_iters)


def aborts(problem: Problem, n_iters: int) -> Descent:
    """Calls abort()."""
    os.abort()


def kills_itself(problem: Problem, n_iters: int) -> Descent:
    """Sends itself SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(LONGEST_SECONDS)
    return honest(problem, n_iters)


def endless_recursion(problem: Problem, n_iters: int) -> Descent:
    """Calls itself without end."""
    return endless_recursion(problem, n_iters)


def endless_loop(problem: Problem, n_iters: int) -> Descent:
    """Loops in Python."""
    _loop()
    return honest(problem, n_iters)


def endless_loop_in_c(problem: Problem, n_iters: int) -> Descent:
    """Loops in C and never gives the interpreter lock back."""
    collections.deque(itertools.repeat(None, 4_000_000_000), maxlen=0)
    return honest(problem, n_iters)


def deaf_loop(problem: Problem, n_iters: int) -> Descent:
    """Ignores every signal that can be ignored, and loops."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    _loop()
    return honest(problem, n_iters)


def hangs_while_timed(problem: Problem, n_iters: int) -> Descent:
    """Honest for sixty calls, more than a proof makes; then it hangs."""
    _KEPT.append(None)
    if len(_KEPT) > 60:
        _loop()
    return honest(problem, n_iters)


def stops_itself(problem: Problem, n_iters: int) -> Descent:
    """Sends itself SIGSTOP."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return honest(problem, n_iters)


def closes_descriptors(problem: Problem, n_iters: int) -> Descent:
    """Closes everything that is open."""
    os.closerange(0, 256)
    time.sleep(2.0)
    return honest(problem, n_iters)


def leaks(problem: Problem, n_iters: int) -> Descent:
    """Takes a gigabyte and a half, and keeps it; it is never written to."""
    if not _KEPT:
        _KEPT.append(np.empty(3 << 29, np.uint8))
    return honest(problem, n_iters)


def prints_without_end(problem: Problem, n_iters: int) -> Descent:
    """Prints eight megabytes, and is content where all of it is kept."""
    if not _KEPT:
        _KEPT.append(None)
        for _ in range(8):
            print("x" * (1 << 20))
        sys.stdout.flush()
    if os.fstat(1).st_size < 4 << 20:
        raise OSError("what was printed was not kept")
    return honest(problem, n_iters)


def floods_its_log(problem: Problem, n_iters: int) -> Descent:
    """Grows its log past Python, by the descriptor, to eight gigabytes without a byte in them."""
    os.ftruncate(1, 1 << 33)
    os.ftruncate(1, 0)
    return honest(problem, n_iters)


def huge_file(problem: Problem, n_iters: int) -> Descent:
    """Makes a file of a terabyte without a byte in it."""
    with open("huge", "wb") as file:
        file.truncate(1 << 40)
    return honest(problem, n_iters)


def many_files(problem: Problem, n_iters: int) -> Descent:
    """Opens two thousand files."""
    opened = []
    try:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        opened += [os.open(os.devnull, os.O_RDONLY) for _ in range(2000)]
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return honest(problem, n_iters)


def many_processes(problem: Problem, n_iters: int) -> Descent:
    """A fork bomb of twenty short-lived processes."""
    if not _KEPT:
        _KEPT.append(None)
        for _ in range(20):
            if os.fork() == 0:
                time.sleep(2.0)
                os._exit(0)
    return honest(problem, n_iters)


def many_threads(problem: Problem, n_iters: int) -> Descent:
    """Starts two hundred threads."""
    if not _KEPT:
        _KEPT.append(None)
        done = threading.Event()
        threading.stack_size(1 << 16)
        threads = [threading.Thread(target=done.wait, args=(LONGEST_SECONDS,), daemon=True) for _ in range(200)]
        try:
            for thread in threads:
                thread.start()
        finally:
            done.set()
    return honest(problem, n_iters)


def daemon(problem: Problem, n_iters: int) -> Descent:
    """Leaves a process behind, in a session of its own."""
    if not _KEPT:
        _KEPT.append(None)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(15, DAEMON, 0, 0, 0)
                time.sleep(LONGEST_SECONDS)
            os._exit(0)
    return honest(problem, n_iters)


def child(problem: Problem, n_iters: int) -> Descent:
    """Leaves a process behind, in its own group."""
    if not _KEPT:
        _KEPT.append(None)
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, DAEMON, 0, 0, 0)
            time.sleep(LONGEST_SECONDS)
            os._exit(0)
    return honest(problem, n_iters)


def finds_the_judge(problem: Problem, n_iters: int) -> Descent:
    """Looks for the judge among its ancestors, and asks the kernel whether it could send it a signal."""
    judge = _parent(os.getppid())
    if judge <= 1:
        raise PermissionError("no judge to be seen")
    os.kill(judge, 0)
    return honest(problem, n_iters)


def kills_its_server(problem: Problem, n_iters: int) -> Descent:
    """Kills the process that forked it."""
    server = os.getppid()
    if server <= 1 or b"bench.judge.server" not in Path(f"/proc/{server}/cmdline").read_bytes():
        raise PermissionError("no server to be seen")
    os.kill(server, signal.SIGKILL)
    time.sleep(2.0)
    return honest(problem, n_iters)


def writes_elsewhere(problem: Problem, n_iters: int) -> Descent:
    """Writes a file outside its own folder."""
    (Path.cwd().parents[1] / CANARY).write_text("written by a self-test of gdbench; it may be removed\n")
    return honest(problem, n_iters)


def log_becomes_a_pipe(problem: Problem, n_iters: int) -> Descent:
    """Puts a pipe that nobody writes to in the place of its log, where the judge looks for last words, and ends."""
    for entry in Path.cwd().iterdir():
        if entry.is_file():
            entry.unlink()
            os.mkfifo(entry)
    os._exit(1)


def nested_folders(problem: Problem, n_iters: int) -> Descent:
    """Nests twelve hundred folders, more than a recursion that removes them can go down, and locks the last."""
    for _ in range(1200):
        os.mkdir("down")
        os.chdir("down")
    os.mkdir("locked", 0)
    os._exit(1)


def borrows_descriptors(problem: Problem, n_iters: int) -> Descent:
    """Looks beyond its own six descriptors for one that it was not given: the judge's socket."""
    held = [int(entry.name) for entry in Path("/proc/self/fd").iterdir() if int(entry.name) > 5]
    sockets = [one for one in held if "socket:" in _link(one)]
    if not sockets:
        raise PermissionError("no socket to be found")
    return honest(problem, n_iters)


def _loop() -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        pass


def _parent(pid: int) -> int:
    if pid <= 1:
        return 0
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def _link(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""
