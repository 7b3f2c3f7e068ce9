"""Honest variants in the styles that attacks imitate: each must be proved, and timed without a flag."""

import functools
import gc
import math
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench import Descent, Problem
from bench.problems.problem import Array
from bench.selftest.descent import honest, normal_equations, start_of, step

_SCRATCH: dict[object, tuple[Array, Array]] = {}
_CALLS: list[int] = []
_POOL: dict[str, ThreadPoolExecutor] = {}


def plain(problem: Problem, n_iters: int) -> Descent:
    """The textbook's loop."""
    return honest(problem, n_iters)


def gram(problem: Problem, n_iters: int) -> Descent:
    """The normal equations, computed anew in each call."""
    return normal_equations(problem, n_iters)


def affine(problem: Problem, n_iters: int) -> Descent:
    """The update as one affine map, w <- A w + c."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.size
    if problem.b0 is not None:
        return honest(problem, n_iters)
    matrix, constant = np.eye(x.shape[1], dtype=x.dtype) - rate * (x.T @ x), rate * (x.T @ y)
    w = problem.w0.T.copy()
    for _ in range(n_iters):
        w = matrix @ w + constant
    return Descent(w.T.copy())


def kept_scratch(problem: Problem, n_iters: int) -> Descent:
    """Buffers for the residual and the gradient, kept between calls by shape and overwritten in each."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.size
    key = (y.shape, problem.w0.shape, y.dtype)
    residual, gradient = _SCRATCH.setdefault(key, (np.empty_like(y), np.empty_like(problem.w0)))
    w, b = start_of(problem)
    for _ in range(n_iters):
        np.matmul(x, w.T, out=residual)
        if b is not None:
            residual += b
        residual -= y
        np.matmul(residual.T, x, out=gradient)
        gradient *= rate
        w -= gradient
        if b is not None:
            b -= rate * residual.sum(axis=0)
    return Descent(w, b)


def returns_kept_buffer(problem: Problem, n_iters: int) -> Descent:
    """Returns the same buffer from each call, overwritten by the next."""
    found = honest(problem, n_iters)
    key = ("answer", found.w.shape, found.w.dtype)
    buffer, _ = _SCRATCH.setdefault(key, (np.empty_like(found.w), found.w))
    buffer[...] = found.w
    return Descent(buffer, found.b)


@functools.lru_cache(maxsize=32)
def _ones(n_samples: int, dtype: str) -> Array:
    return np.ones((n_samples, 1), dtype)


def remembered_constants(problem: Problem, n_iters: int) -> Descent:
    """A column of ones, remembered by the shape."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.size
    ones = _ones(len(x), x.dtype.name)
    w, b = start_of(problem)
    for _ in range(n_iters):
        residual = x @ w.T - y if b is None else x @ w.T + ones @ b[np.newaxis] - y
        w -= rate * (residual.T @ x)
        if b is not None:
            b -= rate * (ones.T @ residual)[0]
    return Descent(w, b)


@functools.lru_cache(maxsize=32)
def _order(n_samples: int) -> Array:
    return np.random.default_rng(0).permutation(n_samples)


def remembered_order(problem: Problem, n_iters: int) -> Descent:
    """Samples in a shuffled order that is remembered by their number."""
    order = _order(len(problem.x))
    return honest(Problem(problem.x[order], problem.y[order], problem.w0, problem.b0, problem.lr), n_iters)


def pool_of_threads(problem: Problem, n_iters: int) -> Descent:
    """Descends in a thread of its own that is kept between calls, and waits for it."""
    pool = _POOL.setdefault("pool", ThreadPoolExecutor(1))
    return pool.submit(honest, problem, n_iters).result()


def thread_per_call(problem: Problem, n_iters: int) -> Descent:
    """Starts a thread in each call, and joins it."""
    found: list[Descent] = []
    thread = threading.Thread(target=lambda: found.append(honest(problem, n_iters)))
    thread.start()
    thread.join()
    return found[0]


def longer_inside(problem: Problem, n_iters: int) -> Descent:
    """Computes in float64 or longer, and rounds the answer to the dtype that is due."""
    dtype = problem.x.dtype
    wide = np.promote_types(np.float64, dtype)
    parts = (problem.x.astype(wide), problem.y.astype(wide), problem.w0.astype(wide))
    bias = None if problem.b0 is None else problem.b0.astype(wide)
    found = honest(Problem(*parts, bias, problem.lr), n_iters)
    return Descent(found.w.astype(dtype), None if found.b is None else found.b.astype(dtype))


def long_double_inside(problem: Problem, n_iters: int) -> Descent:
    """Computes in long double."""
    dtype = problem.x.dtype
    parts = tuple(part.astype(np.longdouble) for part in (problem.x, problem.y, problem.w0))
    bias = None if problem.b0 is None else problem.b0.astype(np.longdouble)
    found = honest(Problem(parts[0], parts[1], parts[2], bias, problem.lr), n_iters)
    return Descent(found.w.astype(dtype), None if found.b is None else found.b.astype(dtype))


def prints_a_little(problem: Problem, n_iters: int) -> Descent:
    """Says something in every call."""
    print(f"{n_iters} iterations")
    print("at", problem.lr, file=sys.stderr)
    return honest(problem, n_iters)


def own_error_state(problem: Problem, n_iters: int) -> Descent:
    """Sets NumPy's error state for the call, and restores it."""
    with np.errstate(all="raise", under="ignore"):
        return honest(problem, n_iters)


def own_temporary_file(problem: Problem, n_iters: int) -> Descent:
    """Writes to a temporary file in its own folder, and reads it again."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        place = Path(folder) / "start.npy"
        np.save(place, problem.w0)
        start = np.load(place)
    return honest(Problem(problem.x, problem.y, start, problem.b0, problem.lr), n_iters)


def looks_at_the_clock(problem: Problem, n_iters: int) -> Descent:
    """Times itself, for its own interest."""
    began = time.perf_counter()
    found = honest(problem, n_iters)
    _CALLS.append(round(1e6 * (time.perf_counter() - began)))
    del _CALLS[:-100]
    return found


def counts_its_calls(problem: Problem, n_iters: int) -> Descent:
    """Counts its calls, and does nothing with it."""
    _CALLS.append(n_iters)
    del _CALLS[:-100]
    return honest(problem, n_iters)


def collects(problem: Problem, n_iters: int) -> Descent:
    """Collects garbage before it begins, and keeps weak references."""
    gc.collect(0)
    reference = weakref.ref(problem.x)
    found = honest(problem, n_iters)
    return found if reference() is not None else Descent(found.w, found.b)


def sample_by_sample(problem: Problem, n_iters: int) -> Descent:
    """A loop over the samples, as a beginner writes it."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.size
    w, b = start_of(problem)
    for _ in range(n_iters):
        slope, shift = np.zeros_like(w), np.zeros(len(w), w.dtype)
        for row, target in zip(x, y, strict=True):
            residual = w @ row - target if b is None else w @ row + b - target
            slope += residual[:, np.newaxis] * row
            shift += residual
        w -= rate * slope
        if b is not None:
            b -= rate * shift
    return Descent(w, b)


def iterates(problem: Problem) -> Iterator[tuple[Array, Array | None]]:
    """All iterates, without end."""
    w, b = start_of(problem)
    while True:
        yield w, b
        step(problem, w, b)


def generator_inside(problem: Problem, n_iters: int) -> Descent:
    """Takes the n-th of a generator of iterates, within the call."""
    descent = iterates(problem)
    for _ in range(n_iters):
        next(descent)
    return Descent(*next(descent))


def with_losses(problem: Problem, n_iters: int) -> Descent:
    """Reports the loss before each update."""
    w, b = start_of(problem)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        residual = problem.x @ w.T - problem.y if b is None else problem.x @ w.T + b - problem.y
        losses[k] = np.mean(np.square(residual))
        step(problem, w, b)
    return Descent(w, b, losses)


def column_major(problem: Problem, n_iters: int) -> Descent:
    """Copies the data in column-major order, and returns a view with strides of its own."""
    x, y = np.asfortranarray(problem.x), np.asfortranarray(problem.y)
    found = honest(Problem(x, y, problem.w0, problem.b0, problem.lr), n_iters)
    return Descent(np.ascontiguousarray(found.w[::-1])[::-1], found.b)


def big_endian(problem: Problem, n_iters: int) -> Descent:
    """Returns numbers of the right dtype in the other byte order."""
    found = honest(problem, n_iters)
    return Descent(found.w.astype(found.w.dtype.newbyteorder(">")), found.b)


class Model:
    """A small model, as people write them."""

    def __init__(self, problem: Problem) -> None:
        self.w, self.b = start_of(problem)

    def fit(self, problem: Problem, n_iters: int) -> "Model":
        """Make the updates."""
        for _ in range(n_iters):
            step(problem, self.w, self.b)
        return self


def class_with_state(problem: Problem, n_iters: int) -> Descent:
    """A class that holds the weights."""
    model = Model(problem).fit(problem, n_iters)
    return Descent(model.w, model.b)


def checks_for_overflow(problem: Problem, n_iters: int) -> Descent:
    """Looks at every iterate, and stops only where it is not finite."""
    w, b = start_of(problem)
    for _ in range(n_iters):
        step(problem, w, b)
        if not math.isfinite(float(w.flat[0])):
            break
    return Descent(w, b)


def torch_threads_restored(problem: Problem, n_iters: int) -> Descent:
    """Sets torch's threads for the call, and restores them."""
    import torch  # noqa: PLC0415 - for workers with torch alone

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return torch_plain(problem, n_iters)
    finally:
        torch.set_num_threads(threads)


def torch_plain(problem: Problem, n_iters: int) -> Descent:
    """The textbook's loop in torch."""
    x, y, rate = problem.x, problem.y, 2 * problem.lr / problem.y.numel()
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    for _ in range(n_iters):
        residual = x @ w.T - y if b is None else x @ w.T + b - y
        w -= rate * (residual.T @ x)
        if b is not None:
            b -= rate * residual.sum(0)
    return Descent(w, b)
