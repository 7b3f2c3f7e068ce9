"""What theory says of convergence: after how many iterations, and up to which learning rate."""

import numpy as np

from bench.dtypes import FloatArray
from bench.oracle.system import System, stacked
from bench.problems.problem import Problem

FRACTION = 5e-4
"""Converged: this fraction of the start's distance from the optimum is left."""

FOREVER = 10**12


def iterations_to_converge(problem: Problem, system: System, fraction: float = FRACTION) -> int | None:
    """The number of exact iterations that bring the start within ``fraction`` of its distance from the optimum.

    Args:
        problem: float64 arrays.
        system: its system.
        fraction: what may be left of the distance, in the Euclidean norm over all parameters (and a whole batch).

    Returns:
        That number; ``None`` where the learning rate is too large to converge, or not in `FOREVER` iterations.
    """
    values, vectors = system.eigen
    off = vectors.swapaxes(-1, -2) @ (stacked(problem.w0, problem.b0) - system.optimum).astype(np.float64)
    moves = (values > values.max() * 1e-14)[..., np.newaxis]
    off = np.where(moves, off, 0.0)
    ratio = np.abs(1.0 - problem.lr * values)[..., np.newaxis]
    goal = fraction * float(np.linalg.norm(off))

    def left(n_iters: int) -> float:
        with np.errstate(over="ignore", under="ignore"):
            remaining: FloatArray = np.where(off == 0.0, 0.0, ratio ** float(n_iters)) * off
            return float(np.linalg.norm(remaining))

    if goal == 0.0:
        return 0
    enough = 1
    while not left(enough) <= goal:
        enough *= 2
        if enough > FOREVER:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if left(middle) <= goal else (middle, enough)
    return enough
