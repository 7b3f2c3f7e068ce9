"""Variants that break their contract or their process, each in one way."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import Descent, Problem, Unsupported

Look = namedtuple("Look", "w b")
HELPER_NAME = "gdbench-test-helper"


def start(problem: Problem) -> Descent:
    return Descent(problem.w0.copy(), None if problem.b0 is None else problem.b0.copy())


def hang(problem: Problem, n_iters: int) -> Descent:
    while True:
        pass


def hang_ignoring_sigterm(problem: Problem, n_iters: int) -> Descent:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGTERM)
    while True:
        time.sleep(10)


def stop_itself(problem: Problem, n_iters: int) -> Descent:
    os.kill(os.getpid(), signal.SIGSTOP)
    return start(problem)


def exit_0(problem: Problem, n_iters: int) -> Descent:
    os._exit(0)


def exit_3(problem: Problem, n_iters: int) -> Descent:
    print("last words")
    os._exit(3)


def segfault(problem: Problem, n_iters: int) -> Descent:
    ctypes.string_at(0)
    return start(problem)


def kill_itself(problem: Problem, n_iters: int) -> Descent:
    os.kill(os.getpid(), signal.SIGKILL)
    return start(problem)


def kill_the_server(problem: Problem, n_iters: int) -> Descent:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
    return start(problem)


def stop_the_server(problem: Problem, n_iters: int) -> Descent:
    os.kill(os.getppid(), signal.SIGSTOP)
    os._exit(1)


def raises(problem: Problem, n_iters: int) -> Descent:
    raise ValueError("no such luck")


def raises_without_text(problem: Problem, n_iters: int) -> Descent:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise SilentError


def raises_endlessly(problem: Problem, n_iters: int) -> Descent:
    raise ValueError("\x1b[31m\n" + "x" * 10_000_000)


def raises_in_numpy(problem: Problem, n_iters: int) -> Descent:
    np.linalg.inv(np.zeros((2, 2)))
    return start(problem)


def leaves(problem: Problem, n_iters: int) -> Descent:
    sys.exit(7)


def recurses(problem: Problem, n_iters: int) -> Descent:
    return recurses(problem, n_iters)


def declines(problem: Problem, n_iters: int) -> Descent:
    raise Unsupported("one feature only")


def memory_error(problem: Problem, n_iters: int) -> Descent:
    raise MemoryError("wanted 3 EiB")


def takes_memory(problem: Problem, n_iters: int) -> Descent:
    taken = np.ones(1 << 28)
    return Descent(problem.w0 + taken[0] - taken[1], problem.b0)


def flat_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.ravel(), problem.b0)


def no_b(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0)


def needless_b(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.w0[:, 0])


def no_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(None, problem.b0)


def list_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.tolist(), problem.b0)


def float_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(2.0, problem.b0)


def scalar_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(np.float64(2.0), problem.b0)


def too_many_losses(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.b0, np.zeros(n_iters + 1, problem.x.dtype))


def huge_losses(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.b0, np.zeros(50_000_000, problem.x.dtype))


def a_tuple(problem: Problem, n_iters: int) -> Any:
    return problem.w0, problem.b0


def a_look_alike(problem: Problem, n_iters: int) -> Any:
    return Look(problem.w0, problem.b0)


def nothing(problem: Problem, n_iters: int) -> Any:
    return None


def float32_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.astype(np.float32), problem.b0)


def object_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.astype(object), problem.b0)


def nan_w(problem: Problem, n_iters: int) -> Descent:
    w = problem.w0.copy()
    w[0, 1] = np.nan
    return Descent(w, problem.b0)


def infinite_loss(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.b0, np.full(n_iters, np.inf, problem.x.dtype))


def halves_x(problem: Problem, n_iters: int) -> Descent:
    x = problem.x
    x /= 2
    return start(problem)


def forces_y(problem: Problem, n_iters: int) -> Descent:
    address = problem.y.__array_interface__["data"][0]
    ctypes.c_double.from_address(address).value = 12345.0
    return start(problem)


class Deceiving(np.ndarray[Any, Any]):
    """An array that lies about its shape; the plain one beneath it does not."""

    @property  # type: ignore[misc]
    def shape(self) -> Any:
        return (7, 7)


def deceiving_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.copy().view(Deceiving), problem.b0)


def big_endian_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.astype(">f8"), problem.b0)


def transposed_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(np.asfortranarray(problem.w0), problem.b0)


def prints(problem: Problem, n_iters: int) -> Descent:
    for _ in range(1000):
        print("x" * 10_000)
    sys.stderr.write("y" * 10_000_000)
    return start(problem)


def closes_descriptors(problem: Problem, n_iters: int) -> Descent:
    os.closerange(3, 100)
    return start(problem)


def closes_descriptors_and_stays(problem: Problem, n_iters: int) -> Descent:
    os.closerange(3, 100)
    time.sleep(60)
    return start(problem)


def writes_to_the_channel(problem: Problem, n_iters: int) -> Descent:
    os.write(4, b"{" * 1000)
    return start(problem)


def answers_twice(problem: Problem, n_iters: int) -> Descent:
    header = b"gdb1" + bytes([17]) + bytes(51)
    os.write(4, header)
    return start(problem)


def announces_terabytes(problem: Problem, n_iters: int) -> Descent:
    os.write(4, b"gdb1" + bytes([17, 0, 0, 0]) + bytes(28) + (1 << 40).to_bytes(8, "little") + bytes(16))
    time.sleep(60)
    return start(problem)


def leaves_a_child(problem: Problem, n_iters: int) -> Descent:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", HELPER_NAME], close_fds=False)
    return start(problem)


def leaves_a_daemon(problem: Problem, n_iters: int) -> Descent:
    command = [sys.executable, "-c", "import time; time.sleep(600)", HELPER_NAME]
    subprocess.Popen(command, start_new_session=True, close_fds=False, pass_fds=(4,))
    return start(problem)


def dies_leaving_a_child_with_its_pipes(problem: Problem, n_iters: int) -> Descent:
    if os.fork() == 0:
        time.sleep(600)
    os._exit(5)


def looks_around(problem: Problem, n_iters: int) -> Descent:
    """How many descriptors are open, and whether any object in memory is a Workshop's."""
    descriptors = len(os.listdir("/proc/self/fd")) - 1
    strangers = [kind for kind in map(type, gc.get_objects()) if kind.__name__ in ("Workshop", "ForkServer")]
    return Descent(np.full_like(problem.w0, descriptors), np.full_like(problem.b0, len(strangers)))


def draws(problem: Problem, n_iters: int) -> Descent:
    return Descent(np.random.rand(*problem.w0.shape), problem.b0)


def one_argument(problem: Problem) -> Descent:
    return start(problem)


def three_arguments(problem: Problem, n_iters: int, tolerance: float) -> Descent:
    return start(problem)


NUMBER = 3
Array = npt.NDArray[np.float64]
