"""Subjects for tests: functions called in this process, on NumPy arrays in the dtype that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.dtypes import Dtype
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure, Reply
from bench.proof.verdict import Status
from bench.variants.contract import Descent, Unsupported

NUMPY_DTYPES = ("float64", "float32", "float16")


@dataclass
class Direct:
    """Calls a NumPy function as a worker would, without a process in between."""

    function: Callable[[Problem, int], Descent]

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        kind = np.dtype(dtype.name)
        given = Problem(
            problem.x.astype(kind),
            problem.y.astype(kind),
            problem.w0.astype(kind),
            None if problem.b0 is None else problem.b0.astype(kind),
            problem.lr,
        )
        try:
            with np.errstate(all="ignore"):
                descent = self.function(given, n_iters)
        except Unsupported as reason:
            return Failure(Status.UNSUPPORTED, None, str(reason))
        arrays = [descent.w, descent.b, descent.losses]
        if not all(np.all(np.isfinite(array)) for array in arrays if array is not None):
            return Failure(Status.BROKEN, "contract.not-finite", "not finite")
        w, b, losses = (None if array is None else np.asarray(array, dtype=np.float64) for array in arrays)
        assert w is not None
        return Answer(w, b, losses)


def gradient(problem: Problem, w: np.ndarray, b: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """The right gradient of one regression, and its residual."""
    residual = problem.x @ w.T - problem.y if b is None else problem.x @ w.T + b - problem.y
    scale = 2 / residual.size
    return scale * (residual.T @ problem.x), None if b is None else scale * residual.sum(0), residual
