"""Settings of the process that are changed, and left so, by loops that are honest otherwise."""

import gc
import os
import random
import signal
import sys
import warnings

import numpy as np

from bench import Descent, Problem
from bench.selftest.controls import torch_plain
from bench.selftest.descent import honest


def working_directory(problem: Problem, n_iters: int) -> Descent:
    """Changes the working directory."""
    os.chdir("/")
    return honest(problem, n_iters)


def environment(problem: Problem, n_iters: int) -> Descent:
    """Empties the environment, and sets the search path of modules."""
    os.environ.clear()
    os.environ["PYTHONPATH"] = "/nonexistent"
    sys.path[:0] = ["/nonexistent"]
    return honest(problem, n_iters)


def error_state(problem: Problem, n_iters: int) -> Descent:
    """Makes NumPy raise on everything, and turns warnings into errors."""
    np.seterr(all="raise")
    warnings.simplefilter("error")
    return honest(problem, n_iters)


def seeds(problem: Problem, n_iters: int) -> Descent:
    """Seeds every generator of random numbers."""
    random.seed(0)
    np.random.seed(0)
    return honest(problem, n_iters)


def collector_on(problem: Problem, n_iters: int) -> Descent:
    """Turns the garbage collector on, at every allocation."""
    gc.enable()
    gc.set_threshold(1, 1, 1)
    return honest(problem, n_iters)


def signal_handlers(problem: Problem, n_iters: int) -> Descent:
    """Installs handlers for signals, and a timer."""
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        return honest(problem, n_iters)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def recursion_limit(problem: Problem, n_iters: int) -> Descent:
    """Changes the interpreter's limits."""
    sys.setrecursionlimit(100_000)
    sys.setswitchinterval(1e-6)
    return honest(problem, n_iters)


def torch_settings(problem: Problem, n_iters: int) -> Descent:
    """Changes torch's default dtype, threads, TF32, seeds and gradient mode."""
    import torch  # noqa: PLC0415 - for workers with torch alone

    torch.set_default_dtype(torch.float16)
    torch.set_num_threads(3)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.set_float32_matmul_precision("medium")
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    return torch_plain(problem, n_iters)


def torch_subclass(problem: Problem, n_iters: int) -> Descent:
    """Returns the start as a tensor subclass that answers every question as it likes."""
    import torch  # noqa: PLC0415 - for workers with torch alone

    class Agreeable(torch.Tensor):  # type: ignore[misc]
        @classmethod
        def __torch_function__(cls, function, types, given=(), named=None):  # type: ignore[no-untyped-def]
            return torch.zeros(1)

    return Descent(problem.w0.clone().as_subclass(Agreeable), None if problem.b0 is None else problem.b0.clone())
