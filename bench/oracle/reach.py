"""Whether a dtype can hold a problem at all: float16 ends at 65 504, and a sum of squares is soon beyond."""

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.memory import system_of
from bench.oracle.system import System, stacked
from bench.oracle.truth import Propagator
from bench.problems.problem import Problem


def out_of_range(problem: Problem, system: System, dtype: Dtype, n_iters: int = 0) -> str | None:
    """Why an honest variant could overflow in ``dtype`` at the start or after ``n_iters`` iterations; ``None`` if not.

    The magnitudes looked at are those that any way of writing the loop meets: the data, the learning rate, the number
    of residuals, the predictions, the sums of squares and of products before they are divided by N M, and the step
    before it is.
    """
    if not all(
        np.all(np.isfinite(np.asarray(a))) for a in (problem.x, problem.y, problem.w0, problem.b0) if a is not None
    ):
        return f"{dtype.name} ends at {dtype.largest:.6g}, and the data go beyond"
    start = stacked(problem.w0, problem.b0)
    states = [start]
    if n_iters:
        with np.errstate(over="ignore", invalid="ignore"):
            states.append(Propagator(system, problem.lr).after(start, n_iters))
    for state in states:
        with np.errstate(over="ignore", invalid="ignore"):
            reached = np.abs(state).astype(np.float64)
        beyond = may_overflow(system, reached, problem.lr, dtype)
        if beyond is not None:
            return beyond
    return None


def longest_in_range(problem: Problem, dtype: Dtype, at_most: int) -> int:
    """A number of iterations after which no honest variant overflows: ``at_most``, halved as often as needed, or 2."""
    system, longest = system_of(problem), at_most
    while longest > 2 and out_of_range(problem, system, dtype, longest) is not None:
        longest //= 2
    return max(2, longest)


def may_overflow(system: System, size: FloatArray, lr: float, dtype: Dtype) -> str | None:
    """What of an update from a state of at most this ``size``, (..., P, M), could overflow; ``None`` if nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        predictions = system.size_of_design @ size + system.size_of_targets
        total = 2 * (system.size_of_design.swapaxes(-1, -2) @ predictions)
        largest = {
            "parameters": size,
            "the learning rate": 2 * lr,
            "the number of residuals": system.n_samples * system.n_outputs,
            "predictions": predictions,
            "a sum of squared residuals": np.square(predictions).sum(axis=(-1, -2)),
            "a gradient's sum": total,
            "a step before it is divided by the number of residuals": lr * total,
        }
    for what, values in largest.items():
        if not np.max(values) <= dtype.largest / 2:
            return f"{dtype.name} ends at {dtype.largest:.6g}, and {what} may reach {np.max(values):.3g}"
    return None
