"""Systems and truths remembered by content: many variants are held against the same problem."""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from bench.dtypes import DTYPES, Dtype
from bench.oracle.system import System
from bench.oracle.truth import Truth, truth
from bench.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class _Content:
    digest: bytes
    problem: Problem = field(compare=False)


def system_of(problem: Problem) -> System:
    """The system of a problem, computed once for equal data."""
    return _system(_Content(_digest(problem.x, problem.y, problem.b0 is None), problem))


def truth_of(problem: Problem, n_iters: tuple[int, ...], dtype: Dtype, *, any_basis: bool = False) -> Truth:
    """The truth about a problem, computed once for equal data, start, learning rate and iterations."""
    content = _digest(problem.x, problem.y, problem.w0, problem.b0, problem.lr)
    return _truth(_Content(content, problem), n_iters, dtype.name, any_basis)


@lru_cache(maxsize=32)
def _system(content: _Content) -> System:
    return System.of(content.problem)


@lru_cache(maxsize=128)
def _truth(content: _Content, n_iters: tuple[int, ...], dtype_name: str, any_basis: bool) -> Truth:
    dtype, system = DTYPES[dtype_name], system_of(content.problem)
    return truth(content.problem, n_iters, dtype, system=system, any_basis=any_basis)


def _digest(*parts: object) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        array = np.ascontiguousarray(np.nan if part is None else part, dtype=np.float64)
        digest.update(repr((part is None, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.digest()
