"""Several loops in ping-pong: a launch of each at a time, and calls of a millisecond that alternate between them."""

import random
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from bench.collector import no_collector
from bench.dtypes import Dtype
from bench.judge.affinity import on_one_processor
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.judge.protocol import Frame
from bench.judge.subject import Request
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import ProvedVerdict, Status
from bench.timing.asleep import NOTICED_NS, asleep_ns
from bench.timing.clocks import Pace, PaceWatch, Reading
from bench.timing.course import Course
from bench.timing.plan import Budget, Plan, calibrate, plan_for
from bench.timing.ratio import Rounds, setup_share, typical_ns

LAUNCH_NS = 300_000_000
FEWEST_ROUNDS, MOST_ROUNDS = 8, 150
"""A launch samples for about so long, in so many rounds."""

BESIDE_NS = 200_000
"""What a call costs beside its iterations: handing over, set-up, and writing the changed row."""

CALLS = Budget(sampling_ns=10_000_000, target_block_ns=1_000_000, max_block_ns=1_000_000)
"""Short calls, because a shared processor is quiet for moments only."""

SHORTER = 16
"""The long call has so many times the iterations of the short."""

LENGTHENED_SHARE, WANTED_SHARE, FLAGGED_SHARE = 0.25, 0.15, 0.30
"""Where set-up is more than the first of an arm's long call, calls are made longer until it is the second; where it is
more than the third then, the arm is doubted: what is hidden in set-up is not in the slope."""

LONGEST_BLOCK_NS = 8_000_000

FEWEST_ITERATIONS = 8
"""Of a long call: with fewer, one iteration more or less in a random length would be a large part of it."""

WARM_UP = 3
"""Calls of each arm, beyond the first, that no number is taken from."""

MISLED = 1.5
"""Where the first launch shows that the lengths of calls were chosen in a busy moment, they are chosen again."""

MOST_DISCARDED = 0.5
"""Where the clock of an accelerator discards more than this share of a launch's rounds, the launch is left out. None is
made again for it, so that discards are bounded by the plan of the comparison."""

FLAGGED_PROCESSORS = 1.15
BETWEEN_NS = 120_000
"""What a worker may spend beside a call on taking the request apart, and on the reply."""


class Paced(Protocol):
    """What can be sent calls that were made ready; see `bench.judge.subject.Worker`."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    @property
    def device_id(self) -> str | None:
        """What names its device on this machine, by its own account; ``None`` where nothing does."""
        ...

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Answer | Failure:
        """Make one call."""
        ...

    def hold(self, request: Request) -> Failure | None:
        """Take the data of a request."""
        ...

    def send(self, request: Request) -> tuple[Frame, int] | Failure:
        """Make a call that is ready."""
        ...

    def answer(
        self, request: Request, sent: tuple[Frame, int] | Failure, cpu_ns: int, queue_ns: int, between_ns: int
    ) -> Answer | Failure:
        """Judge what came back."""
        ...

    def spent_ns(self) -> tuple[int, int]:
        """Processor time so far, and waiting for a processor."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side of a comparison.

    Attributes:
        name: for messages.
        verdict: the proof of its cell, without which nothing of it is timed.
        launcher: starts its worker; raises `ArmFailedError` where it does not start.
    """

    name: str
    verdict: ProvedVerdict
    launcher: Callable[[], AbstractContextManager[Paced]]


class ArmFailedError(Exception):
    """An arm gave no answer, or a wrong one; there is no comparison.

    Attributes:
        arm: its name.
        by_harness: whether it was no fault of the arm's.
    """

    def __init__(self, arm: str, reason: str, *, by_harness: bool = False) -> None:
        super().__init__(f"{arm}: {reason}")
        self.arm = arm
        self.by_harness = by_harness

    @classmethod
    def of(cls, arm: str, failure: Failure) -> Self:
        """An arm that failed so."""
        by_harness = failure.status is Status.JUDGE_ERROR
        return cls(arm, f"{failure.status}: {failure.message}", by_harness=by_harness)


class PingPong:
    """Launches of the same arms, one after another.

    Args:
        arms: two or more.
        course: what they are sent.
        seed: of the order of calls, their exact lengths, and the processor of each launch.
        launch_ns: how long a launch samples for, about.
        plan: of a contest with the same base; found in the first launch where ``None``.
        mechanisms: those that are switched on; a test of one leaves it out.
    """

    def __init__(
        self,
        arms: Sequence[Arm],
        course: Course,
        seed: int,
        launch_ns: int = LAUNCH_NS,
        plan: Plan | None = None,
        *,
        mechanisms: Mechanisms = ALL,
    ) -> None:
        self._arms, self._course, self._launch_ns, self._mechanisms = arms, course, launch_ns, mechanisms
        self._order = random.Random(seed)  # noqa: S311 - an order that can be repeated, not a secret
        self._plan = plan
        self._calls = 0
        self._overworked: dict[str, str] = {}
        self._shares: dict[str, list[float]] = {}
        self._clocks: PaceWatch | None = None

    @property
    def plan(self) -> Plan | None:
        """The two lengths of call; ``None`` before the first launch."""
        return self._plan

    def launch(self) -> Rounds | None:
        """Launch every arm once, and time some rounds.

        Returns:
            The times; ``None`` where the machine slept meanwhile, or the clock of the device moved or was held down
            in most rounds.

        Raises:
            ArmFailedError: an arm failed.
        """
        slept_ns = asleep_ns()
        with ExitStack() as stack:
            # In an order drawn anew: the kernel gives out the pages that it was last given back, and each arm would
            # keep those of its place from launch to launch, with what they collide with in the caches.
            started = {number: stack.enter_context(self._arms[number].launcher()) for number in self._shuffled()}
            workers = [started[number] for number in range(len(self._arms))]
            if self._course.on_cpu and self._course.threads == 1:
                stack.enter_context(on_one_processor([worker.pid for worker in workers], self._order))
            if not self._course.on_cpu and self._clocks is None:
                self._clocks = PaceWatch.of(workers[0].device_id)
            if self._plan is None:
                self._plan, rounds = self._first(workers)
            else:
                rounds = self._rounds(workers, self._plan)
        if rounds is None:
            return None
        if Mechanism.SETUP_SHARE in self._mechanisms:
            for number, arm in enumerate(self._arms):
                self._shares.setdefault(arm.name, []).append(setup_share(rounds, number))
        return None if asleep_ns() - slept_ns > NOTICED_NS else rounds

    @property
    def names(self) -> list[str]:
        """What the arms are called."""
        return [arm.name for arm in self._arms]

    @property
    def doubts(self) -> dict[str, str]:
        """What is doubtful about an arm, by its name."""
        hidden = {name: statistics.median(shares) for name, shares in self._shares.items()}
        words = {name: f"spends {share:.0%} of its longest calls on set-up" for name, share in hidden.items()}
        return {name: words[name] for name in words if hidden[name] > FLAGGED_SHARE} | self._overworked

    def pace(self, bases: Sequence[int], head: int) -> Pace:
        """The clocks that arms on an accelerator ran at, by the arms' numbers."""
        return Pace() if self._clocks is None else self._clocks.pace(bases, head)

    def _first(self, workers: Sequence[Paced]) -> tuple[Plan | None, Rounds | None]:
        plan = self._calibrated(workers[0])
        rounds = self._rounds(workers, plan)
        if rounds is None:
            return None, None
        typical = typical_ns(rounds, 0)
        if not typical > 0:
            return plan, rounds
        better = self._long_enough(plan_for(typical, 0.0, CALLS, self._course.max_n))
        share = max(setup_share(rounds, number) for number in range(len(workers)))
        if share > LENGTHENED_SHARE:
            # A call that is set-up alone, of what jumps to the end, would be endless.
            wanted = plan.n_large * share / max(1 - share, 1e-3) * (1 - WANTED_SHARE) / WANTED_SHARE
            n_large = min(int(wanted), int(LONGEST_BLOCK_NS / typical) + 1, self._course.max_n)
            better = _of_length(max(plan.n_large, n_large))
        if plan.n_large / MISLED <= better.n_large <= plan.n_large * MISLED:
            return plan, rounds
        return better, self._rounds(workers, better)

    def _calibrated(self, worker: Paced) -> Plan:
        def elapsed_ns(n: int) -> int:
            problem = self._fresh()
            answer = self._checked(self._arms[0], problem, n, worker.call(problem, n, self._course.dtype))
            return max(1, answer.elapsed_ns - answer.queue_ns)

        return self._long_enough(calibrate(elapsed_ns, CALLS, self._course.max_n))

    def _long_enough(self, plan: Plan) -> Plan:
        """The plan, with long calls of several iterations where one of them fills a call."""
        return _of_length(max(plan.n_large, min(FEWEST_ITERATIONS, self._course.max_n)))

    def _rounds(self, workers: Sequence[Paced], plan: Plan) -> Rounds | None:
        first = self._ready(plan)
        round_ns = sum(self._warm_up(self._arms[number], workers[number], first) for number in self._shuffled())
        n_rounds = max(FEWEST_ROUNDS, min(MOST_ROUNDS, int(self._launch_ns / round_ns)))
        ready = [self._ready(plan) for _ in range(n_rounds)]
        came: list[tuple[int, int, Request, tuple[Frame, int]]] = []
        before = [worker.spent_ns()[0] for worker in workers]
        clocks: list[tuple[Reading | None, list[tuple[int, Reading | None]]]] = []
        with no_collector():
            for requests in ready:
                calls = [(place, number) for place in range(len(requests)) for number in range(len(workers))]
                self._order.shuffle(calls)
                clocks.append((self._clock(), []))
                for place, number in calls:
                    sent = workers[number].send(requests[place])
                    if isinstance(sent, Failure):
                        raise ArmFailedError.of(self._arms[number].name, sent)
                    came.append((place, number, requests[place], sent))
                    clocks[-1][1].append((number, self._clock()))
        spent_ns = [worker.spent_ns()[0] - began for worker, began in zip(workers, before, strict=True)]
        taken: dict[tuple[int, int], list[int]] = {}
        for place, number, request, sent in came:
            arm, answer = self._arms[number], workers[number].answer(request, sent, 0, 0, 0)
            elapsed_ns = self._checked(arm, request.problem, request.n_iters, answer).elapsed_ns
            taken.setdefault((place, number), []).append(elapsed_ns)
        if Mechanism.PROCESSOR_TIME in self._mechanisms:
            for number, arm in enumerate(self._arms):
                self._doubt(arm, spent_ns[number], taken[0, number] + taken[1, number])
        long_ns, short_ns = (
            np.array([taken[place, number] for number in range(len(workers))], np.float64).T for place in (0, 1)
        )
        n_long, n_short = (np.array([requests[place].n_iters for requests in ready]) for place in (0, 1))
        if self._clocks is None:
            return Rounds(long_ns, short_ns, n_long, n_short)
        kept = np.array([self._clocks.kept(*around) for around in clocks])
        if kept.mean() < 1 - MOST_DISCARDED:
            self._clocks.left_out += 1
            return None
        return Rounds(long_ns[kept], short_ns[kept], n_long[kept], n_short[kept])

    def _clock(self) -> Reading | None:
        return None if self._clocks is None else self._clocks.read()

    def _shuffled(self) -> list[int]:
        """The numbers of the arms, in an order drawn anew."""
        return self._order.sample(range(len(self._arms)), len(self._arms))

    def _ready(self, plan: Plan) -> tuple[Request, Request]:
        """A long call and a short one."""
        problem, dtype = self._fresh(), self._course.dtype
        n_large, n_small = plan.n_large, plan.n_small
        if Mechanism.RANDOM_LENGTHS in self._mechanisms:
            n_large = plan.drawn(n_large, self._order)
            n_small = self._order.randint(max(1, n_small // 2), max(2, n_small + n_small // 2))
            n_small = min(n_small, n_large - 1)
        return Request.of(problem, n_large, dtype), Request.of(problem, n_small, dtype)

    def _warm_up(self, arm: Arm, worker: Paced, requests: Sequence[Request]) -> int:
        """Make some calls, the first of which may compile; and say what those of a round then take."""
        failure = worker.hold(requests[0])
        if failure is not None:
            raise ArmFailedError.of(arm.name, failure)
        taken_ns = []
        for request in (*[requests[0]] * (1 + WARM_UP), *requests):
            answer = worker.answer(request, worker.send(request), 0, 0, 0)
            taken_ns.append(self._checked(arm, request.problem, request.n_iters, answer).elapsed_ns)
        return sum(taken_ns[-len(requests) :]) + BESIDE_NS * len(requests)

    def _doubt(self, arm: Arm, spent_ns: int, calls_ns: Sequence[int]) -> None:
        """Note an arm whose worker was on processors for longer than its calls took."""
        allowed_ns = FLAGGED_PROCESSORS * self._course.threads * sum(calls_ns) + BETWEEN_NS * len(calls_ns)
        if spent_ns > allowed_ns:
            self._overworked[arm.name] = (
                f"worked {spent_ns / max(1, sum(calls_ns)):.1f} times as long as its calls took"
            )

    def _fresh(self) -> Problem:
        if Mechanism.FRESH_DATA in self._mechanisms:
            self._calls += 1
        return self._course.fresh(self._calls)

    def _checked(self, arm: Arm, problem: Problem, n_iters: int, answer: Answer | Failure) -> Answer:
        if isinstance(answer, Failure):
            raise ArmFailedError.of(arm.name, answer)
        checked = Mechanism.CHECKED_ANSWERS in self._mechanisms
        complaint = self._course.check(problem, n_iters, answer) if checked else None
        if complaint is not None:
            raise ArmFailedError(arm.name, complaint)
        return answer


def _of_length(n_large: int) -> Plan:
    return Plan(max(1, n_large // SHORTER), n_large, 1)
