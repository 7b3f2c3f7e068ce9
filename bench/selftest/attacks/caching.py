"""Answers and matrices remembered from earlier calls."""

import hashlib
import os
import pickle
from pathlib import Path

from bench import Descent, Problem
from bench.problems.problem import Array
from bench.selftest.descent import descend_on, honest, normal_equations, start_of, statistics_of, step

_ANSWERS: dict[object, Descent] = {}
_STATISTICS: dict[object, tuple[Array, Array]] = {}
_LAST: dict[str, Descent] = {}


def answers_by_identity(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by id() of the data."""
    return _remembered((id(problem.x), id(problem.y), n_iters), problem, n_iters)


def answers_by_pointer(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by the address of the data."""
    return _remembered((_address(problem.x), _address(problem.y), n_iters), problem, n_iters)


def answers_by_shape(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by the shapes of the data."""
    return _remembered((problem.x.shape, problem.y.shape, n_iters), problem, n_iters)


def answers_by_data(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by the bytes of x and y, whatever the start."""
    return _remembered((problem.x.tobytes(), problem.y.tobytes(), n_iters), problem, n_iters)


def answers_by_fingerprint(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by a few numbers of each input."""
    few = tuple(float(array.flat[0]) for array in (problem.x, problem.y, problem.w0))
    return _remembered((few, problem.x.shape, n_iters), problem, n_iters)


def answers_by_everything(problem: Problem, n_iters: int) -> Descent:
    """Remembers answers by a digest of all inputs: right answers, for nothing when a call is repeated."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (problem.x, problem.y, problem.w0, problem.b0):
        digest.update(b"" if part is None else part.tobytes())
    return _remembered((digest.digest(), problem.lr, n_iters), problem, n_iters)


def gram_by_shape(problem: Problem, n_iters: int) -> Descent:
    """Keeps the Gram matrix of the first data of each shape."""
    return _on_kept_statistics((problem.x.shape, problem.y.shape), problem, n_iters)


def gram_by_pointer(problem: Problem, n_iters: int) -> Descent:
    """Keeps the Gram matrix by the address of the data."""
    return _on_kept_statistics((_address(problem.x), _address(problem.y), problem.x.shape), problem, n_iters)


def gram_of_the_proof(problem: Problem, n_iters: int) -> Descent:
    """Computes the Gram matrix anew until the data have come ten times in a row, then keeps it for its shape."""
    key = (problem.x.shape, problem.y.shape)
    content = (*key, problem.x.tobytes(), problem.y.tobytes())
    _SEEN[content] = _SEEN.get(content, 0) + 1
    if _SEEN[content] < 10 and key not in _STATISTICS:
        return normal_equations(problem, n_iters)
    return _on_kept_statistics(key, problem, n_iters)


_SEEN: dict[object, int] = {}


def gram_by_content(problem: Problem, n_iters: int) -> Descent:
    """Keeps the Gram matrix by the bytes of the data: right, and its set-up is no part of an iteration."""
    return _on_kept_statistics((problem.x.tobytes(), problem.y.tobytes()), problem, n_iters)


def answers_in_a_file(problem: Problem, n_iters: int) -> Descent:
    """Keeps answers in the temporary folder, for the launches to come."""
    kept = Path.cwd().parents[1] / f"gdbench-selftest-answers-{os.getppid()}"
    place = kept / f"{problem.x.shape}-{n_iters}".replace(" ", "")
    if place.exists():
        return Descent(*pickle.loads(place.read_bytes()))  # noqa: S301 - its own file
    kept.mkdir(exist_ok=True)
    found = honest(problem, n_iters)
    place.write_bytes(pickle.dumps((found.w, found.b)))
    return found


def warm_start(problem: Problem, n_iters: int) -> Descent:
    """Begins where the last call on data of this shape ended."""
    key = str((problem.w0.shape, problem.x.shape))
    last = _LAST.get(key)
    w, b = start_of(problem) if last is None else (last.w.copy(), None if last.b is None else last.b.copy())
    for _ in range(n_iters):
        step(problem, w, b)
    _LAST[key] = Descent(w, b)
    return Descent(w.copy(), None if b is None else b.copy())


def _remembered(key: object, problem: Problem, n_iters: int) -> Descent:
    if key not in _ANSWERS:
        _ANSWERS[key] = honest(problem, n_iters)
    return _ANSWERS[key]


def _on_kept_statistics(key: object, problem: Problem, n_iters: int) -> Descent:
    if key not in _STATISTICS:
        _STATISTICS[key] = statistics_of(problem)
    return descend_on(problem, n_iters, *_STATISTICS[key])


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
