"""Timed calls: a fresh start for each, and whether its answer is gradient descent's own."""

import numpy as np

from bench.dtypes import Dtype, FloatArray, rounded
from bench.oracle.memory import system_of
from bench.oracle.system import stacked
from bench.oracle.truth import Propagator, truth
from bench.problems.problem import Problem
from bench.problems.rounding import in_dtype
from bench.proof.subject import Answer


class SpotCheck:
    """Fresh starts for one problem, and the check of what comes back.

    Args:
        problem: the cell's own, in float64.
        dtype: what the cell declares; the data are rounded to it.
        seed: of the fresh starts.
    """

    def __init__(self, problem: Problem, dtype: Dtype, seed: int) -> None:
        self.problem = in_dtype(problem, dtype)
        self._dtype, self._seed = dtype, seed
        self._system = system_of(self.problem)
        self._propagator = Propagator(self._system, problem.lr)
        self._reach = (1.0 + float(np.max(np.abs(stacked(problem.w0, problem.b0))))) / 16
        self._bounds: dict[int, FloatArray] = {}

    def start(self, index: int) -> Problem:
        """The problem with the start of call ``index``; the data are the same arrays every time."""
        random = np.random.Generator(np.random.PCG64([self._seed, index]))
        w0, b0 = self.problem.w0, self.problem.b0
        return Problem(
            self.problem.x,
            self.problem.y,
            rounded(w0 + self._reach * random.uniform(-1, 1, w0.shape), self._dtype),
            None if b0 is None else rounded(b0 + self._reach * random.uniform(-1, 1, b0.shape), self._dtype),
            self.problem.lr,
        )

    def complaint(self, problem: Problem, n_iters: int, answer: Answer) -> str | None:
        """What is wrong with the answer to a call from `start`; ``None`` where it is gradient descent's own."""
        if n_iters not in self._bounds:
            around = truth(
                self.problem,
                (n_iters,),
                self._dtype,
                system=self._system,
                start_spread=1.01 * self._reach,
                any_basis=True,
            )
            self._bounds[n_iters] = around.bound[n_iters]
        bound = self._bounds[n_iters]
        exact = self._propagator.after(stacked(problem.w0, problem.b0), n_iters)
        distance = np.abs(stacked(answer.w, answer.b) - exact).astype(np.float64)
        if np.all(distance <= bound):
            return None
        worst = np.unravel_index(np.argmax(distance - bound), distance.shape)
        return (
            f"a timed answer is not gradient descent's: after {n_iters} iterations it is {distance[worst]:.3g} off, "
            f"where rounding allows {bound[worst]:.2g}"
        )
