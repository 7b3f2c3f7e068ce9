"""The clock, the comparisons and the harness itself, changed from within; answers sought where they may lie."""

import gc
import importlib
import os
import struct
import sys
import time
from typing import Any

import numpy as np

from bench import Descent, Problem
from bench.selftest.descent import honest, stack, unstack

_REPLIES = 4
_HEADER = struct.Struct("<4sBB2xIQqdQQQ")


def frozen_clock(problem: Problem, n_iters: int) -> Descent:
    """Stops every clock of the time module."""
    now, now_ns = time.perf_counter(), time.perf_counter_ns()
    for name in ("perf_counter", "monotonic", "time", "process_time", "thread_time"):
        setattr(time, name, lambda: now)
        setattr(time, f"{name}_ns", lambda: now_ns)
    return honest(problem, n_iters)


def agreeable_comparisons(problem: Problem, n_iters: int) -> Descent:
    """Makes NumPy's comparisons say yes, and returns the start."""
    for name in ("allclose", "isclose", "array_equal", "isfinite", "all"):
        setattr(np, name, lambda *given, **named: True)
    testing = importlib.import_module("numpy.testing")
    for name in ("assert_allclose", "assert_array_equal", "assert_almost_equal"):
        setattr(testing, name, lambda *given, **named: None)
    return honest(problem, 0)


def agreeable_harness(problem: Problem, n_iters: int) -> Descent:
    """Replaces the harness's own checks where it runs, and returns the start."""
    truth = importlib.import_module("bench.oracle.truth")
    sighting = importlib.import_module("bench.proof.sighting")
    truth.Truth.distance = lambda self, n, w, b: np.zeros_like(self.bound[n])
    sighting.Sighting.departure = lambda self: None
    return honest(problem, 0)


def agreeable_timing(problem: Problem, n_iters: int) -> Descent:
    """Replaces the clock that a worker reports by, where there is one."""
    running = importlib.import_module("bench.judge.running")
    contract = importlib.import_module("bench.proof.contract")
    contract.RawReply.timed = lambda self, elapsed_ns, cpu_ns, queue_ns: self
    for name in [name for name in vars(running) if "time" in name or "clock" in name]:
        delattr(running, name)
    return honest(problem, n_iters)


class Agreeable(np.ndarray[Any, Any]):
    """An array that is equal to everything and as far from it as one likes."""

    def __eq__(self, other: object) -> Any:
        """Yes."""
        return np.True_

    def __sub__(self, other: object) -> Any:
        """Nothing."""
        return np.zeros(self.shape)

    def tobytes(self, order: Any = "C") -> bytes:
        """Whatever is asked for."""
        return bytes(self.nbytes)

    __hash__ = None


def agreeable_array(problem: Problem, n_iters: int) -> Descent:
    """Returns the start as an ndarray subclass that compares equal to anything."""
    found = honest(problem, 0)
    return Descent(found.w.view(Agreeable), None if found.b is None else found.b.view(Agreeable))


class LateArray(np.ndarray[Any, Any]):
    """An array that would compute when it is converted."""

    def __array__(self, *given: Any, **named: Any) -> Any:
        """Never called for a subclass."""
        raise AssertionError("asked")


def late_array(problem: Problem, n_iters: int) -> Descent:
    """Returns an ndarray subclass that holds the start and promises to compute later."""
    found = honest(problem, 0)
    return Descent(found.w.view(LateArray), None if found.b is None else found.b.view(LateArray))


def collector_hunt(problem: Problem, n_iters: int) -> Descent:
    """Looks for the exact iterates among all objects, and returns the start where there are none."""
    for found in gc.get_objects():
        if type(found).__name__ == "Truth" and _is_of(found, problem) and n_iters in found.exact:
            return unstack(problem, found.exact[n_iters].astype(problem.w0.dtype))
    return honest(problem, 0)


def _is_of(truth: Any, problem: Problem) -> bool:
    design, features = truth.system.design, problem.x.shape[-1]
    return (
        design.shape[:-1] == problem.x.shape[:-1]
        and bool(truth.lr == problem.lr)
        and np.array_equal(truth.start, stack(problem))
        and np.array_equal(design[..., :features], problem.x)
    )


def stack_inspection(problem: Problem, n_iters: int) -> Descent:
    """Looks for what its callers know of the answer, and returns the start where they know nothing."""
    frame: Any = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            truth = getattr(value, "truth", None)
            if truth is not None and _is_of(truth, problem) and n_iters in truth.exact:
                return unstack(problem, truth.exact[n_iters].astype(problem.w0.dtype))
        frame = frame.f_back
    return honest(problem, 0)


def own_reply(problem: Problem, n_iters: int) -> Descent:
    """Writes a reply of its own before the worker does."""
    _send(b'{"arrays":[null,null,null],"changed":[]}', sequence=1)
    return honest(problem, n_iters)


def reply_in_advance(problem: Problem, n_iters: int) -> Descent:
    """Sends the same frame twice, so that the next request finds its answer waiting."""
    _send(b"null", sequence=2**40)
    return honest(problem, n_iters)


def endless_reply(problem: Problem, n_iters: int) -> Descent:
    """Announces more bytes than there is memory."""
    os.write(_REPLIES, _HEADER.pack(b"gdb1", 17, 0, 2, 1, 0, 0.0, 2**60, 0, 0) + b"{}")
    return honest(problem, n_iters)


def garbage_reply(problem: Problem, n_iters: int) -> Descent:
    """Writes bytes that are no frame."""
    os.write(_REPLIES, b"\x80\x04\x95" + bytes(range(256)))
    return honest(problem, n_iters)


def _send(meta: bytes, sequence: int) -> None:
    os.write(_REPLIES, _HEADER.pack(b"gdb1", 17, 0, len(meta), sequence, 0, 0.0, 0, 0, 0) + meta)
