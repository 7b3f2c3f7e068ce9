"""Calls of a variant in pytest's own process: fresh arrays before each, synchronised at its end, checked after it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from threadpoolctl import threadpool_limits

from bench.backends import backend_named
from bench.collector import no_collector
from bench.dtypes import dtype_named, encode
from bench.judge.loading import absolute_target, load_function
from bench.oracle.memory import system_of
from bench.oracle.reach import out_of_range
from bench.plan import Cell
from bench.problems.problem import Array, Problem
from bench.proof.contract import RawArray, RawReply, judge_reply
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Failure
from bench.proof.verdict import ProvedVerdict
from bench.variants.contract import Descent

ITERATIONS = 64
"""Of a long call, unless the problem is large: between 0.2 and 10 ms for the core variants."""

FEWEST_ITERATIONS = 8
SHORTER = 8
"""The long call has so many times the iterations of the short."""

LARGE = 50_000
"""Products an iteration, N D M, beyond which a long call has fewer iterations, in proportion."""

THREADS = 1
ROUNDS_NS = 150_000_000
FEWEST_ROUNDS, MOST_ROUNDS = 7, 100
WARM_UP_CALLS = 3


class WrongAnswerError(AssertionError):
    """A timed call did not answer with gradient descent's own iterate."""


class Calls:
    """Long and short calls of one cell, in turn.

    How many iterations a long call has depends on the problem and the dtype alone. Times of variants, devices, machines
    and saved runs are thus times of the same work.

    Args:
        cell: the cell, with its data.
        verdict: its proof, without which it is not timed.
        seed: of the fresh starts.
        clock_ns: reads the time.

    Attributes:
        n_large: iterations of a long call.
        n_small: iterations of a short call.
    """

    def __init__(
        self, cell: Cell, verdict: ProvedVerdict, seed: int = 0, clock_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        if cell.data is None or (verdict.verdict.variant, verdict.verdict.problem) != cell.key[:2]:
            raise ValueError(f"{cell} is not the cell that was proved")
        self._backend = backend_named(cell.variant.backend)
        self._device, self._dtype = cell.device, dtype_named(cell.dtype)
        self._function = load_function(absolute_target(cell.variant.target)).function
        self._check = SpotCheck(cell.data, self._dtype, seed)
        self._x, self._y = (encode(array, self._dtype) for array in (self._check.problem.x, self._check.problem.y))
        self._starts, self._clock_ns = count(), clock_ns
        self._unchecked: tuple[Problem, int, object] | None = None
        self._elapsed_ns: dict[int, list[int]] = {}
        self.n_large = self._most_iterations(iterations_of(cell.data))
        self.n_small = max(1, self.n_large // SHORTER)

    def warm_up(self) -> int:
        """Make a few calls of both lengths, and say how many rounds there is time for."""
        for _ in range(WARM_UP_CALLS):
            self.long(*self.short())
        self._settle()
        quickest_ns = sum(min(elapsed) for elapsed in self._elapsed_ns.values())
        self._elapsed_ns.clear()
        return max(FEWEST_ROUNDS, min(MOST_ROUNDS, ROUNDS_NS // max(1, quickest_ns)))

    def short(self) -> tuple[Problem, Problem]:
        """Check the last long call, make a short one, and place the arrays of the next long one.

        Returns:
            The arguments of the next `long`.

        Raises:
            WrongAnswerError: one of the two calls was answered wrongly.
        """
        self._settle()
        self._call(*self._fresh(), self.n_small)
        self._settle()
        return self._fresh()

    def long(self, start: Problem, placed: Problem) -> None:
        """The call that is timed: until the device has done all that was asked of it."""
        self._call(start, placed, self.n_large)

    def line(self) -> tuple[float, float]:
        """The slope and the intercept of T(n), in nanoseconds, through the quickest short and the quickest long call.

        Noise only ever adds: with a NumPy variant on two shared virtual cores the slope of the least times repeated
        within 2 % in 11 of 12 tries, while that of the medians spread by 40 %. `bench.timing.slope` takes the same.

        Raises:
            WrongAnswerError: the last call was answered wrongly.
        """
        self._settle()
        small_ns, large_ns = (min(self._elapsed_ns[n]) for n in (self.n_small, self.n_large))
        slope_ns = (large_ns - small_ns) / (self.n_large - self.n_small)
        return slope_ns, max(0.0, small_ns - self.n_small * slope_ns)

    def _most_iterations(self, wanted: int) -> int:
        problem = self._check.problem
        while wanted > 2 and out_of_range(problem, system_of(problem), self._dtype, wanted) is not None:
            wanted //= 2
        return max(2, wanted)

    def _fresh(self) -> tuple[Problem, Problem]:
        start = self._check.start(next(self._starts))
        place, dtype, device = self._backend.place, self._dtype, self._device
        placed = Problem(
            place(self._x, start.x.shape, dtype, device),
            place(self._y, start.y.shape, dtype, device),
            place(encode(start.w0, dtype), start.w0.shape, dtype, device),
            None if start.b0 is None else place(encode(start.b0, dtype), start.b0.shape, dtype, device),
            start.lr,
        )
        self._backend.synchronise(device)
        return start, placed

    def _call(self, start: Problem, placed: Problem, n_iters: int) -> None:
        began_ns = self._clock_ns()
        descent = self._function(placed, n_iters)
        self._backend.synchronise(self._device)
        self._elapsed_ns.setdefault(n_iters, []).append(self._clock_ns() - began_ns)
        self._unchecked = (start, n_iters, descent)

    def _settle(self) -> None:
        if self._unchecked is None:
            return
        (start, n_iters, descent), self._unchecked = self._unchecked, None
        if not isinstance(descent, Descent):
            raise WrongAnswerError(f"a timed call returned {type(descent).__name__}, not a Descent")
        raw = RawReply(self._read("w", descent.w), self._read("b", descent.b), self._read("losses", descent.losses))
        answer = judge_reply(raw, start, n_iters, self._dtype, self._device)
        failed = isinstance(answer, Failure)
        complaint = answer.message if isinstance(answer, Failure) else self._check.complaint(start, n_iters, answer)
        if complaint is not None:
            raise WrongAnswerError(f"a timed call {complaint}" if failed else complaint)

    def _read(self, name: str, array: Array | None) -> RawArray | None:
        return None if array is None else RawArray(self._backend.facts(name, array), self._backend.read(array))


def iterations_of(problem: Problem) -> int:
    """How many iterations a long call of a problem has."""
    products = int(problem.x.size) * int(problem.y.shape[-1])
    return max(FEWEST_ITERATIONS, min(ITERATIONS, ITERATIONS * LARGE // max(1, products)))


@contextmanager
def steady() -> Iterator[None]:
    """One thread for every array library, as workers have, and no garbage collection."""
    torch = sys.modules.get("torch")
    torch_threads = None if torch is None else torch.get_num_threads()
    with threadpool_limits(THREADS), no_collector():
        if torch is not None:
            torch.set_num_threads(THREADS)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(torch_threads)
