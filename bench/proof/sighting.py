"""What is seen of a variant on one problem: its states after chosen numbers of iterations, held against the truth."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.memory import truth_of
from bench.oracle.system import LongArray, stacked
from bench.oracle.truth import Truth
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure, Subject


@dataclass(frozen=True, slots=True)
class Observation:
    """One state of a variant beside the exact one.

    Attributes:
        probe: ``problem`` for the cell's own, otherwise which probe.
        n_iters: the number of updates.
        observed: (..., P, M), weights above bias.
        exact: the same, of the oracle.
        bound: the rounding bound, componentwise.
    """

    probe: str
    n_iters: int
    observed: FloatArray
    exact: FloatArray
    bound: FloatArray


@dataclass(frozen=True, slots=True)
class Departure:
    """The first state, or loss, that rounding does not explain.

    Attributes:
        n_iters: the iterate (for a loss: the iterate it should describe).
        error: its distance from the exact one in the worst component.
        bound: the bound of that component.
        of: ``state`` or ``loss``.
    """

    n_iters: int
    error: float
    bound: float
    of: str = "state"


@dataclass
class Sighting:
    """The answers to several calls on one problem, with the truth about them.

    Attributes:
        probe: a name for tables and evidence.
        problem: what was asked.
        truth: exact iterates and bounds.
        answers: by number of iterations, in the order of the calls.
        failure: the reply that ended the calls early, with its number of iterations.
    """

    probe: str
    problem: Problem
    truth: Truth
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    failure: tuple[int, Failure] | None = None

    def departure(self) -> Departure | None:
        """The earliest state outside its bound; failing that, the earliest such loss."""
        for n_iters, answer in sorted(self.answers, key=lambda pair: pair[0]):
            distance = self.truth.distance(n_iters, answer.w, answer.b)
            bound = self.truth.bound[n_iters]
            if not np.all(distance <= bound):
                worst = np.unravel_index(np.argmax(_in_bounds(distance, bound)), distance.shape)
                return Departure(n_iters, float(distance[worst]), float(bound[worst]))
        for n_iters, answer in self.answers:
            if answer.losses is not None:
                for k in sorted(k for k in self.truth.objective if k < n_iters):
                    error = np.abs(answer.losses[k] - self.truth.objective[k]).astype(np.float64)
                    bound = self.truth.objective_bound[k]
                    if not np.all(error <= bound):
                        worst = np.unravel_index(np.argmax(_in_bounds(error, bound)), np.shape(error))
                        return Departure(k, float(error[worst]), float(bound[worst]), of="loss")
        return None

    def closest_call(self) -> Departure | None:
        """The state that came nearest to its bound, among those that can be judged."""
        worst: tuple[float, Departure] | None = None
        for n_iters, answer in self.answers:
            distance, bound = self.truth.distance(n_iters, answer.w, answer.b), self.truth.bound[n_iters]
            if n_iters == 0 or not np.all(np.isfinite(bound)):
                continue
            ratio = _in_bounds(distance, bound)
            at = np.unravel_index(np.argmax(ratio), ratio.shape)
            if worst is None or ratio[at] > worst[0]:
                worst = (float(ratio[at]), Departure(n_iters, float(distance[at]), float(bound[at])))
        return None if worst is None else worst[1]

    def state(self, n_iters: int) -> LongArray:
        """The observed state after ``n_iters`` updates, the first time it was asked for."""
        answer = next(answer for n, answer in self.answers if n == n_iters)
        return stacked(answer.w, answer.b)

    def states(self, n_iters: int) -> list[LongArray]:
        """Every observed state after ``n_iters`` updates, in the order of the calls."""
        return [stacked(answer.w, answer.b) for n, answer in self.answers if n == n_iters]

    def observations(self) -> Iterable[Observation]:
        """Every state seen, for the run's ``iterates``."""
        seen = set()
        for n_iters, answer in self.answers:
            if n_iters not in seen:
                seen.add(n_iters)
                yield Observation(
                    self.probe,
                    n_iters,
                    stacked(answer.w, answer.b).astype(np.float64),
                    self.truth.exact[n_iters].astype(np.float64),
                    self.truth.bound[n_iters],
                )


def see(
    subject: Subject, probe: str, problem: Problem, n_iters: tuple[int, ...], dtype: Dtype, *, any_basis: bool = False
) -> Sighting:
    """Call the subject once for each number of iterations (one may be listed twice) and set the truth beside it.

    The first reply that is a failure ends the calls.
    """
    sighting = Sighting(probe, problem, truth_of(problem, n_iters, dtype, any_basis=any_basis))
    for n in n_iters:
        reply = subject.call(problem, n, dtype)
        if isinstance(reply, Failure):
            sighting.failure = (n, reply)
            break
        sighting.answers.append((n, reply))
    return sighting


def _in_bounds(distance: FloatArray, bound: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        ratio: FloatArray = distance / np.maximum(bound, np.finfo(np.float64).tiny)
    return ratio
