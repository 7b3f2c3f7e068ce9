"""Timed calls: fresh inputs for each, and whether its answer is gradient descent's own."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from bench.dtypes import Dtype, FloatArray, rounded
from bench.oracle.memory import system_of
from bench.oracle.system import stacked
from bench.oracle.truth import Propagator, Walk, truth
from bench.problems.problem import ChangedProblem, Problem
from bench.problems.rounding import in_dtype
from bench.proof.subject import Answer

LEAST_CHANGE, MOST_CHANGE = 1 / 64, 1 / 16
"""A changed row, and the learning rate, are shorter by a share between these. Shorter: nothing overflows or diverges
that did not before."""

WIDER = 2.0
"""The bounds are those of the unchanged data at lengths nearby. One row in N, shorter by a sixteenth at most, and an n
within an eighth move them by some per cent; this covers it many times."""

NEARBY = 8
"""Bounds are found at lengths of this many significant steps; one between two of them has the wider of theirs."""

SPREAD = 1.01
"""Of the starts, times the reach that they are drawn from: they are rounded too."""

DEAR_PARAMETERS, DEAR_NUMBERS = 24, 100_000
STRIDE_WHEN_DEAR = 32
"""Above so many parameters or numbers in x other data cost more than a call: so many calls then have the same."""


class SpotCheck:
    """Fresh inputs for one problem, and the check of what comes back.

    Args:
        problem: the cell's own, in float64.
        dtype: what the cell declares; the data are rounded to it.
        seed: of everything fresh.
    """

    def __init__(self, problem: Problem, dtype: Dtype, seed: int) -> None:
        self.problem = in_dtype(problem, dtype)
        self._dtype, self._seed = dtype, seed
        self._system = system_of(self.problem)
        self._propagator = Propagator(self._system, problem.lr)
        self._reach = (1.0 + float(np.max(np.abs(stacked(problem.w0, problem.b0))))) / 16
        self._bounds: dict[int, FloatArray] = {}
        # One walk for all calls, further whenever a longer one comes.
        self._walk = Walk(self.problem, dtype, system=self._system, start_spread=SPREAD * self._reach, any_basis=True)
        self._nearby = {0: self._walk.bound}
        self._changed = lru_cache(maxsize=2)(self._change)
        dear = self._system.n_parameters > DEAR_PARAMETERS or self.problem.x.size > DEAR_NUMBERS
        self._stride = STRIDE_WHEN_DEAR if dear else 1
        self._latest: tuple[tuple[int, int, float], ChangedProblem, Propagator] | None = None

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

    def fresh(self, index: int) -> ChangedProblem:
        """The problem of call ``index``: another start, learning rate, and one random row of x and y."""
        start = self.start(index)
        changed = self._changed(index // self._stride)
        return replace(changed, w0=start.w0, b0=start.b0)

    def complaint(self, problem: Problem, n_iters: int, answer: Answer) -> str | None:
        """What is wrong with an answer to `start` or `fresh`; ``None`` where it is gradient descent's own."""
        if isinstance(problem, ChangedProblem):
            bound, propagator = WIDER * self._bound_nearby(n_iters), self._propagator_of(problem)
        else:
            bound, propagator = self._bound_at(n_iters), self._propagator
        exact = propagator.after(stacked(problem.w0, problem.b0), n_iters)
        distance = np.abs(stacked(answer.w, answer.b) - exact).astype(np.float64)
        if not np.all(distance <= bound) and isinstance(problem, ChangedProblem):
            # Before anything is called wrong, the bound of this very problem.
            bound = truth(problem, (n_iters,), self._dtype, any_basis=True).bound[n_iters]
        if np.all(distance <= bound):
            return None
        worst = np.unravel_index(np.argmax(distance - bound), distance.shape)
        return (
            f"a timed answer is not gradient descent's: after {n_iters} iterations it is {distance[worst]:.3g} off, "
            f"where rounding allows {bound[worst]:.2g}"
        )

    def _change(self, index: int) -> ChangedProblem:
        base = self.problem
        samples = base.x.shape[:-1]
        random = np.random.Generator(np.random.PCG64([self._seed, 1, index]))
        row = int(random.integers(np.prod(samples)))
        place = np.unravel_index(row, samples)
        x, y = base.x.copy(), base.y.copy()
        for array in (x, y):
            shorter = 1 - random.uniform(LEAST_CHANGE, MOST_CHANGE, array.shape[-1])
            array[place] = rounded(array[place] * shorter, self._dtype)
        lr = base.lr * float(1 - random.uniform(LEAST_CHANGE, MOST_CHANGE))
        return ChangedProblem(x, y, base.w0, base.b0, lr, base, row)

    def _propagator_of(self, problem: ChangedProblem) -> Propagator:
        key = (id(problem.x), problem.row, problem.lr)
        if self._latest is None or self._latest[0] != key:
            place = np.unravel_index(problem.row, problem.x.shape[:-1])
            changed = self._system.with_row(problem.row, problem.x[place], problem.y[place])
            # The problem is kept as well, so that no other can have its array's identity.
            self._latest = (key, problem, Propagator(changed, problem.lr))
        return self._latest[2]

    def _bound_nearby(self, n_iters: int) -> FloatArray:
        below = n_iters - n_iters % _step(n_iters)
        above = below if below == n_iters else below + _step(n_iters)
        while self._walk.n_iters < above:
            self._walk.to(self._walk.n_iters + _step(self._walk.n_iters))
            self._nearby[self._walk.n_iters] = self._walk.bound
        wider: FloatArray = np.maximum(self._nearby[below], self._nearby[above])
        return wider

    def _bound_at(self, n_iters: int) -> FloatArray:
        if n_iters not in self._bounds:
            spread = SPREAD * self._reach
            found = truth(
                self.problem, (n_iters,), self._dtype, system=self._system, start_spread=spread, any_basis=True
            )
            self._bounds[n_iters] = found.bound[n_iters]
        return self._bounds[n_iters]


def _step(n_iters: int) -> int:
    """How far the next length is at which a bound is found."""
    return max(1, (1 << n_iters.bit_length()) // 2 // NEARBY)
