"""The evidence of one diagnosis: what was seen of a variant that is wrong, and what may still be asked of it.

Further probes are run only when a test asks for them. Each goes through the same subject, and so through the same
contract; one that fails is no evidence, and ``None`` stands for it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bench.dtypes import Dtype, rounded
from bench.oracle.memory import system_of, truth_of
from bench.oracle.system import LongArray, System, stacked
from bench.problems.problem import Problem
from bench.proof.probes import Shape, probe, settling
from bench.proof.sighting import Departure, Sighting
from bench.proof.subject import Answer, Subject
from bench.proof.trajectory import MARGIN, TINY, Trajectory

AFAR = 512.0
BEFORE_LATE = 4
AFTER_LATE = 6


@dataclass(frozen=True, slots=True)
class AffineStep:
    """One update as an affine map, measured from the origin and from every unit vector: s(theta) = K theta + k_0.

    Attributes:
        matrix: K, (..., P, P, M): column q is what theta gains per unit of its row q.
        offset: k_0, (..., P, M).
    """

    matrix: LongArray
    offset: LongArray


class Evidence:
    """What is known of a wrong variant on one problem, and what can be asked.

    Args:
        subject: the variant at arm's length.
        sighting: its states after 0, 1, 2, ... iterations of that problem, perhaps some repeated and some far on.
        dtype: the format of the states.
        shape: the probe's, where the problem is a probe or the variant accepts one.
        earlier: what was seen on other data of the same shape before.
    """

    def __init__(
        self,
        subject: Subject,
        sighting: Sighting,
        dtype: Dtype,
        shape: Shape | None = None,
        earlier: Sighting | None = None,
    ) -> None:
        self._subject = subject
        self.sighting, self.dtype, self.shape, self.earlier = sighting, dtype, shape, earlier
        self.problem, self.system, self.start = sighting.problem, sighting.truth.system, sighting.truth.start

    @cached_property
    def last(self) -> int:
        """The largest n for which the states after 1, 2, ..., n iterations were seen."""
        seen = {n for n, _ in self.sighting.answers}
        last = 0
        while last + 1 in seen:
            last += 1
        return last

    @cached_property
    def trajectory(self) -> Trajectory:
        """The states after 0 (the start that was asked for), 1, 2, ... iterations."""
        states = [self.start, *(self.sighting.state(n) for n in range(1, self.last + 1))]
        return Trajectory(self.system, self.problem.lr, self.dtype, states)

    @cached_property
    def departure(self) -> Departure | None:
        """Where the sighting leaves gradient descent."""
        return self.sighting.departure()

    @cached_property
    def right_before(self) -> bool:
        """Whether other data of the same shape, in the same dtype, showed no fault."""
        earlier = self.earlier
        return earlier is not None and earlier.failure is None and earlier.departure() is None

    @property
    def diverges(self) -> bool:
        """Whether descent itself grows without bound, at this problem's learning rate."""
        return bool(self.problem.lr > self.system.largest_learning_rate)

    @cached_property
    def unsteady(self) -> bool:
        """Whether two equal calls were answered differently, beyond rounding."""
        for n in range(self.last + 1):
            first, *others = self.sighting.states(n) or [self.start]
            for other in others:
                tolerance = self.trajectory.state_tolerances[n - 1] if n else np.zeros(first.shape)
                if not np.all(np.abs(other - first).astype(np.float64) <= MARGIN * tolerance):
                    return True
        return False

    @cached_property
    def losses(self) -> LongArray | None:
        """The losses of the longest call of the trajectory, (n, ...); ``None`` where none are reported."""
        answer = next(answer for n, answer in self.sighting.answers if n == self.last)
        return None if answer.losses is None else np.asarray(answer.losses, np.longdouble)

    @cached_property
    def losses_are_right(self) -> bool:
        """Whether losses are reported and are those of exact descent, whatever became of the states."""
        if self.losses is None:
            return False
        truth = self.sighting.truth
        return all(
            bool(np.all(np.abs(self.losses[k] - truth.objective[k]) <= MARGIN * truth.objective_bound[k]))
            for k in range(self.last)
        )

    @cached_property
    def loss_tolerance(self) -> float:
        """The largest relative error that rounding allows a right loss."""
        truth = self.sighting.truth
        return max(
            float(np.max(truth.objective_bound[k] / np.maximum(truth.objective[k].astype(np.float64), TINY)))
            for k in range(self.last)
        )

    def ask(self, problem: Problem, n_iters: int) -> LongArray | None:
        """The state after one more call."""
        reply = self._subject.call(problem, n_iters, self.dtype)
        return stacked(reply.w, reply.b) if isinstance(reply, Answer) else None

    def ask_step(self, problem: Problem) -> LongArray | None:
        """The gradient that one update of a problem acts upon."""
        state = self.ask(problem, 1)
        if state is None:
            return None
        step: LongArray = (stacked(problem.w0, problem.b0) - state) / np.longdouble(problem.lr)
        return step

    def ask_trajectory(self, problem: Problem, n_iters: int) -> Trajectory | None:
        """The states after 0, 1, ..., ``n_iters`` iterations of another problem."""
        states = [self.ask(problem, n) for n in range(1, n_iters + 1)]
        seen = [state for state in states if state is not None]
        if len(seen) < n_iters:
            return None
        return Trajectory(system_of(problem), problem.lr, self.dtype, [stacked(problem.w0, problem.b0), *seen])

    def is_descent(self, problem: Problem, n_iters: int, state: LongArray) -> bool:
        """Whether a state is gradient descent's own after ``n_iters`` iterations of a problem, within the margin."""
        truth = truth_of(problem, (n_iters,), self.dtype)
        return bool(np.all(np.abs(state - truth.exact[n_iters]) <= MARGIN * truth.bound[n_iters]))

    def from_state(self, state: LongArray, problem: Problem | None = None) -> Problem:
        """This problem, or another, from that start; what the dtype cannot hold of it is rounded away."""
        problem = problem or self.problem
        start = rounded(state.astype(np.float64), self.dtype)
        if problem.b0 is None:
            return replace(problem, w0=start.swapaxes(-1, -2))
        return replace(problem, w0=start[..., :-1, :].swapaxes(-1, -2), b0=start[..., -1, :])

    @cached_property
    def elsewhere(self) -> Problem:
        """The same problem from another start, a short binary fraction in every component."""
        return self.from_state(np.round(self.start * 4) / 4 + 1.5)

    @cached_property
    def afar(self) -> Problem:
        """The same problem from a start some hundreds away in every component, in each in another direction."""
        afar: LongArray = np.longdouble(AFAR) * (1 + np.round(8 * np.abs(self.start)) / 8)
        afar.reshape(-1)[1::2] *= -1
        return self.from_state(afar)

    @cached_property
    def late(self) -> Trajectory | None:
        """The states around the place where a trajectory that is right at first leaves gradient descent.

        It begins `BEFORE_LATE` updates before the first state that was found wrong by bisection.
        """
        far = [n for n, _ in self.sighting.answers if n > self.last]
        if not self.trajectory.right or not far:
            return None
        right, wrong = self.last, max(far)
        while wrong - right > 1:
            middle = (right + wrong) // 2
            state = self.ask(self.problem, middle)
            if state is None:
                return None
            right, wrong = (middle, wrong) if self.is_descent(self.problem, middle, state) else (right, middle)
        first = max(wrong - BEFORE_LATE, 0)
        states = [self.ask(self.problem, n) for n in range(first, wrong + AFTER_LATE)]
        seen = [state for state in states if state is not None]
        return Trajectory(self.system, self.problem.lr, self.dtype, seen) if len(seen) == len(states) else None

    @cached_property
    def moved_targets(self) -> Problem:
        """The same problem with other targets, as exact in every format as the first."""
        return replace(self.problem, y=-2.0 * np.asarray(self.problem.y))

    @cached_property
    def excess_of_doubled_features(self) -> LongArray | None:
        """What the first update has beside the right gradient where x is twice as large: it tells what it is made of.

        A constant is as large as here, what other targets add twice, and half the curvature four times as large.
        """
        doubled = replace(self.problem, x=2.0 * np.asarray(self.problem.x))
        step = self.ask_step(doubled)
        return None if step is None else step - system_of(doubled).gradient(self.start)

    @cached_property
    def another_shape(self) -> Problem | None:
        """A probe with other numbers of samples, features, outputs and regressions, where the variant takes several."""
        if self.shape is None:
            return None
        n, d, m = self.shape.n_samples, self.shape.n_features, self.shape.n_outputs
        n += 3 if self.system.n_samples == n + 2 else 2
        batch = None if self.shape.batch is None else self.shape.batch + 1
        return probe(Shape(n, d + (d > 1), m + (m > 1), self.shape.bias, batch))

    def gain_in_another_shape(self) -> float | None:
        """How many times too large the first step is on such a probe."""
        problem = self.another_shape
        step = None if problem is None else self.ask_step(problem)
        if problem is None or step is None:
            return None
        due = system_of(problem).gradient(stacked(problem.w0, problem.b0))
        return float(np.sum(step * due) / np.sum(due * due))

    def loss_in_another_shape(self) -> float | None:
        """How many times too large the first loss is there."""
        problem = self.another_shape
        reply = None if problem is None else self._subject.call(problem, 1, self.dtype)
        if problem is None or not isinstance(reply, Answer) or reply.losses is None:
            return None
        due = system_of(problem).objective(stacked(problem.w0, problem.b0))
        return float(np.sum(np.asarray(reply.losses[0], np.longdouble)) / np.sum(due))

    @cached_property
    def one_repeat(self) -> list[LongArray] | None:
        """The effective gradients of four equal calls of one iteration."""
        steps = [step for _ in range(4) if (step := self.ask_step(self.problem)) is not None]
        return steps if len(steps) == 4 else None

    @cached_property
    def settling(self) -> tuple[Problem, System] | None:
        """The realisable probe of the same shape."""
        if self.shape is None:
            return None
        problem = settling(replace(self.shape, n_samples=11))
        return problem, system_of(problem)

    @cached_property
    def near_optimum(self) -> list[Problem]:
        """Starts near the optimum, of the same problem and of one whose residuals vanish there."""
        problems = [self.from_state(np.round(4 * self.system.optimum) / 4)]
        if self.settling is not None:
            problem, system = self.settling
            problems.append(self.from_state(np.round(8 * system.optimum) / 8 + 1 / 64, problem))
        return problems

    @cached_property
    def affine(self) -> AffineStep | None:
        """One update as an affine map, from P + 1 further calls; ``None`` where the seen steps are not such a map's."""
        identity = np.eye(self.system.n_parameters, dtype=np.longdouble)[..., np.newaxis]
        ones = np.ones_like(self.start)
        offset = self.ask_step(self.from_state(0 * ones))
        if offset is None:
            return None
        columns = [self.ask_step(self.from_state(unit * ones)) for unit in identity]
        if any(column is None for column in columns):
            return None
        matrix = np.stack([column - offset for column in columns if column is not None], axis=-2)
        predicted = [np.einsum("...pqm,...qm->...pm", matrix, state) + offset for state in self.trajectory.states[:-1]]
        return AffineStep(matrix, offset) if self.trajectory.residual(predicted) <= 10 * MARGIN else None
