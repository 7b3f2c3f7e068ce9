"""Work that is done in another thread or process, before the call or after it."""

import os
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import Descent, Problem
from bench.selftest.descent import honest

_HELPERS: dict[str, Any] = {}


def in_a_thread(problem: Problem, n_iters: int) -> Descent:
    """Descends in a thread, and waits for it."""
    found: list[Descent] = []
    thread = threading.Thread(target=lambda: found.append(honest(problem, n_iters)))
    thread.start()
    thread.join()
    return found[0]


def returned_before_it_is_computed(problem: Problem, n_iters: int) -> Descent:
    """Returns a buffer that a thread fills later."""
    start = honest(problem, 0)

    def fill() -> None:
        time.sleep(0.05)
        found = honest(problem, n_iters)
        start.w[...] = found.w
        if start.b is not None and found.b is not None:
            start.b[...] = found.b

    threading.Thread(target=fill, daemon=True).start()
    return start


def on_two_processors(problem: Problem, n_iters: int) -> Descent:
    """Has a second thread compute during each call."""
    busy = threading.Event()
    thread = threading.Thread(target=_compute_until, args=(busy,))
    thread.start()
    try:
        return honest(problem, n_iters)
    finally:
        busy.set()
        thread.join()


def between_calls(problem: Problem, n_iters: int) -> Descent:
    """Has a thread compute ahead between the calls, for at most half a minute."""
    if "ahead" not in _HELPERS:
        _HELPERS["idle"] = threading.Event()
        _HELPERS["idle"].set()
        _HELPERS["ahead"] = threading.Thread(target=_compute_when, args=(_HELPERS["idle"],), daemon=True)
        _HELPERS["ahead"].start()
    _HELPERS["idle"].clear()
    try:
        return honest(problem, n_iters)
    finally:
        _HELPERS["idle"].set()


def in_a_helper_process(problem: Problem, n_iters: int) -> Descent:
    """Sleeps while a child process descends."""
    if _HELPERS.get("owner") != os.getpid():
        _HELPERS.update(owner=os.getpid(), pipes=_start_helper())
    requests, replies = _HELPERS["pipes"]
    parts = [problem.x, problem.y, problem.w0, *([] if problem.b0 is None else [problem.b0])]
    head = struct.pack("<qdq", n_iters, problem.lr, len(parts))
    shapes = b"".join(struct.pack("<qqqq", part.nbytes, part.itemsize, part.ndim, part.shape[0]) for part in parts)
    os.write(requests, head + shapes + b"".join(part.tobytes() for part in parts))
    dtype = problem.w0.dtype
    w = np.frombuffer(_read(replies, problem.w0.nbytes), dtype).reshape(problem.w0.shape)
    return Descent(w, None if problem.b0 is None else np.frombuffer(_read(replies, problem.b0.nbytes), dtype))


class LazyArray:
    """Something that becomes an array when it is looked at."""

    def __init__(self, problem: Problem, n_iters: int) -> None:
        self._problem, self._n_iters = problem, n_iters

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Descend now."""
        array: npt.NDArray[Any] = np.asarray(honest(self._problem, self._n_iters).w, dtype)
        return array


def lazy_array(problem: Problem, n_iters: int) -> Descent:
    """Returns an object that computes when it is looked at."""
    return Descent(LazyArray(problem, n_iters), problem.b0)


def generator(problem: Problem, n_iters: int) -> Descent:
    """Returns generators that compute when they are run through."""

    def rows() -> Iterator[Any]:
        yield from honest(problem, n_iters).w

    return Descent(rows(), problem.b0)


class LazyDescent(Descent):
    """A descent that is made when its weights are asked for."""

    __slots__ = ("_made", "_task")

    def __init__(self, problem: Problem, n_iters: int) -> None:
        object.__setattr__(self, "_task", (problem, n_iters))
        object.__setattr__(self, "_made", None)

    def __getattribute__(self, name: str) -> Any:
        """Descend on first use."""
        if name not in ("w", "b", "losses"):
            return object.__getattribute__(self, name)
        if object.__getattribute__(self, "_made") is None:
            object.__setattr__(self, "_made", honest(*object.__getattribute__(self, "_task")))
        return getattr(object.__getattribute__(self, "_made"), name)


def lazy_descent(problem: Problem, n_iters: int) -> Descent:
    """Returns at once, and computes when the harness reads the answer: inside the judge's clock."""
    return LazyDescent(problem, n_iters)


def _compute_until(done: threading.Event) -> None:
    matrix = np.ones((160, 160))
    while not done.is_set():
        matrix @ matrix


def _compute_when(idle: threading.Event) -> None:
    matrix = np.ones((160, 160))
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        if idle.wait(1.0):
            matrix @ matrix


def _start_helper() -> tuple[int, int]:
    requests_out, requests_in = os.pipe()
    replies_out, replies_in = os.pipe()
    if os.fork() == 0:
        try:
            os.close(requests_in)
            os.close(replies_out)
            _serve(requests_out, replies_in)
        finally:
            os._exit(0)
    os.close(requests_out)
    os.close(replies_in)
    return requests_in, replies_out


def _serve(requests: int, replies: int) -> None:
    while True:
        n_iters, lr, count = struct.unpack("<qdq", _read(requests, 24))
        heads = [struct.unpack("<qqqq", _read(requests, 32)) for _ in range(count)]
        arrays = []
        for nbytes, itemsize, ndim, first in heads:
            flat = np.frombuffer(_read(requests, nbytes), f"<f{itemsize}")
            arrays.append(flat.reshape(first, -1) if ndim == 2 else flat)
        found = honest(Problem(arrays[0], arrays[1], arrays[2], arrays[3] if count == 4 else None, lr), n_iters)
        os.write(replies, found.w.tobytes() + (b"" if found.b is None else found.b.tobytes()))


def _read(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(descriptor, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
