"""Variants that try what one mechanism each is to stop. Each does no harm where it gets through."""

import ctypes
import gc
import mmap
import multiprocessing
import os
import struct
import sys
import threading
import time
from typing import Any

import numpy as np

from bench import Descent, Problem
from bench.backends import ArrayFacts
from bench.judge.protocol import pack_reply
from bench.proof.contract import RawArray, RawReply

HELPER_NAME = "gdbench-test-helper"
HELPER = [sys.executable, "-c", "import time; time.sleep(60)", HELPER_NAME]


def start(problem: Problem) -> Descent:
    return Descent(problem.w0.copy(), None if problem.b0 is None else problem.b0.copy())


def held_data() -> Any:
    """What the worker compares inputs with."""
    return next(one for one in gc.get_objects() if type(one).__name__ == "Data")


def changes_x_and_what_it_is_compared_with(problem: Problem, n_iters: int) -> Descent:
    ctypes.c_double.from_address(problem.x.__array_interface__["data"][0]).value = 5.0
    data = held_data().x
    if not data.readonly:
        data[:8] = struct.pack("<d", 5.0)
    return start(problem)


def writes_into_the_segment(problem: Problem, n_iters: int) -> Descent:
    address = np.frombuffer(held_data().x).__array_interface__["data"][0]
    ctypes.c_double.from_address(address).value = 5.0
    return start(problem)


def makes_writeable(problem: Problem, n_iters: int) -> Descent:
    pristine = np.frombuffer(held_data().x)
    pristine.flags.writeable = True
    return start(problem)


def stops_the_clock(problem: Problem, n_iters: int) -> Descent:
    time.perf_counter_ns = lambda: 7  # type: ignore[assignment]
    return start(problem)


def forges_an_answer(problem: Problem, n_iters: int) -> Descent:
    """One that nothing is wrong with but its sequence number."""

    def raw(array: Any) -> RawArray:
        return RawArray(ArrayFacts(array.shape, "float64", "cpu"), np.full(array.shape, 7.0).tobytes())

    head, blocks = pack_reply(RawReply(raw(problem.w0), raw(problem.b0)), sequence=0)
    os.write(4, head + b"".join(blocks))
    time.sleep(60)
    return start(problem)


def is_slow(problem: Problem, n_iters: int) -> Descent:
    time.sleep(0.5)
    return start(problem)


def leaves_a_child_of_its_group(problem: Problem, n_iters: int) -> Descent:
    os.spawnv(os.P_NOWAIT, sys.executable, HELPER)
    return start(problem)


def leaves_a_daemon(problem: Problem, n_iters: int) -> Descent:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, HELPER)
        os._exit(0)
    os.wait()
    return start(problem)


def maps_much_shared_memory(problem: Problem, n_iters: int) -> Descent:
    mmap.mmap(-1, 16 << 30).close()
    return start(problem)


def makes_a_large_file(problem: Problem, n_iters: int) -> Descent:
    with open("large", "wb") as file:
        file.truncate(1 << 29)
    return start(problem)


def starts_many_processes(problem: Problem, n_iters: int) -> Descent:
    for _ in range(600):
        # Nobody waits for them, so that each keeps its number.
        if os.fork() == 0:
            os._exit(0)
    return start(problem)


def prints_much(problem: Problem, n_iters: int) -> Descent:
    for _ in range(300):
        print("x" * 10_000)
    return start(problem)


def counts(problem: Problem, n_iters: int) -> Descent:
    """Its descriptors, its process number and that of its parent."""
    seen = (len(os.listdir("/proc/self/fd")) - 1, os.getpid(), os.getppid())
    return Descent(np.broadcast_to(np.array(seen, float), problem.w0.shape).copy(), problem.b0)


def looks_at_processes(problem: Problem, n_iters: int) -> Descent:
    """How many processes it sees, and whether the number that it has is its own there; multiprocessing works."""
    seen = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    with open(f"/proc/{os.getpid()}/stat") as file:
        own = int(file.read().split()[4])
    multiprocessing.Lock()
    return Descent(np.full_like(problem.w0, len(seen)), np.full_like(problem.b0, own - os.getpgid(0)))


def works_after_its_answer(problem: Problem, n_iters: int) -> Descent:
    threading.Thread(target=_work).start()
    return start(problem)


def has_a_helper_work(problem: Problem, n_iters: int) -> Descent:
    if os.fork() == 0:
        _work()
        time.sleep(60)
        os._exit(0)
    return start(problem)


def _work() -> None:
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    with open("done", "wb"):
        pass
