"""Timing many cells at once: every round launches each of them, in an order that is shuffled anew."""

import gc
import math
import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from bench.collector import no_collector
from bench.errors import UsageError
from bench.judge.affinity import on_one_processor
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure, Subject, Watch, Watched, watched
from bench.proof.verdict import ProvedVerdict
from bench.timing.asleep import NOTICED_NS, asleep_ns
from bench.timing.conclude import PATIENCE, conclude
from bench.timing.course import Course
from bench.timing.device import DeviceWatch
from bench.timing.plan import Budget, Plan, calibrate, refined
from bench.timing.record import Rejected, Timing, Void
from bench.timing.slope import Launch, Sample, line, settled, slowdowns
from bench.timing.speed import PACE, SLOWED, Pace
from bench.timing.trust import FLAGGED_SETUP_SHARE

MOST_LENGTHENED = 4
"""A busy first launch makes calls up to about so many times too short."""

MOST_PLANS = 2
"""How often the first launch may find that its plan was made in a busy moment."""

MOST_WARMING, STEADY = 10, 0.98
"""Calls before the samples: at most so many, until one takes more than this share of the quickest before it."""

Outcome = Timing | Void | Rejected | Failure
Move = Callable[[], None] | None
"""What moves judge and worker to the next processor, where they share one."""


class Launcher(Protocol):
    """Starts workers: each entry into what it returns is one launch, a fresh process."""

    def __call__(self) -> AbstractContextManager[Subject]:
        """A worker that lives as long as the ``with`` block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A proved cell to be timed.

    Attributes:
        key: whatever names the cell for the caller.
        verdict: the proof, without which there is no timing.
        launcher: starts the cell's worker.
        course: what the worker is sent.
    """

    key: Hashable
    verdict: ProvedVerdict
    launcher: Launcher
    course: Course

    def __post_init__(self) -> None:
        if self.course.max_n < 2:
            raise UsageError(
                f"{self.key}: max_n is {self.course.max_n}; a slope needs calls of two lengths. Allow at least 2."
            )


def time_cells(
    jobs: Sequence[Job],
    *,
    seed: int,
    launches: int = 5,
    budget: Budget | None = None,
    on_launch: Callable[[Job, int], None] | None = None,
    mechanisms: Mechanisms = ALL,
    pace: Pace = PACE,
) -> Iterator[tuple[Job, Outcome]]:
    """Time the cells, and yield each as soon as enough of its launches agree.

    Round 1 launches every cell once, round 2 again in another order, and so on, so that a noisy second falls on one
    launch of several cells and not on all launches of one. The launches that are still due share the time that is left:
    beyond its share a launch does not go on in search of a quiet moment. Cells whose launches do not agree, or whose
    interval is wide, get more of them, up to `bench.timing.conclude.PATIENCE` times as many, while there is time.

    Args:
        jobs: the cells.
        seed: of the order of cells in a round, of short and long calls in a launch, and of their exact lengths.
        launches: launches that must agree, at least 2.
        budget: how long calls and launches may take.
        on_launch: called after each launch with the cell and the number of its launches so far.
        mechanisms: those that are switched on; a test of one leaves it out.
        pace: looks at the speed of the processor between calls, and knows how it was before.

    Yields:
        The cell with its `Timing`; `Void` where the machine was too busy; `Rejected` where a timed answer was wrong or
        no machine is that fast; the `Failure` of a call that had no answer.

    Raises:
        UsageError: fewer than 2 launches were asked for.
    """
    if launches < 2:
        raise UsageError(f"{launches} launches give no interval. Ask for at least 2; 5 is the default.")
    budget = budget or Budget()
    deadline = time.monotonic() + budget.total_seconds
    order = random.Random(seed)  # noqa: S311 - an order that can be repeated, not a secret
    waiting = [_Cell(job, mechanisms, pace) for job in jobs]
    gc.collect()
    while waiting:
        order.shuffle(waiting)
        unfinished = []
        due = sum(max(1, launches - cell.launched) for cell in waiting)
        for cell in waiting:
            share = max(0.0, deadline - time.monotonic()) / due
            due -= 1
            outcome = cell.launch(order, budget, launches, deadline, share)
            if on_launch is not None:
                on_launch(cell.job, cell.launched)
            if outcome is None:
                unfinished.append(cell)
            else:
                yield cell.job, outcome
        waiting = unfinished


def most_launches(launches: int) -> int:
    """The most launches that a cell may get when ``launches`` must agree; for progress bars."""
    return PATIENCE * launches


class _Ended(Exception):  # noqa: N818 - leaves a launch with an outcome
    def __init__(self, outcome: Rejected | Failure) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(slots=True)
class _Cell:
    """A job and what its launches have brought so far."""

    job: Job
    mechanisms: Mechanisms
    pace: Pace
    plan: Plan | None = None
    launches: list[Launch] = field(default_factory=list)
    launched: int = 0
    starts: int = 0
    replans: int = 0
    slept: int = 0
    until: float = math.inf
    device: DeviceWatch = field(default_factory=DeviceWatch)

    def launch(
        self, order: random.Random, budget: Budget, wanted: int, deadline: float, share: float
    ) -> Outcome | None:
        self.launched += 1
        self.until = time.monotonic() + share
        asleep_before_ns = asleep_ns()
        try:
            with self.job.launcher() as subject, self._placed(subject, order) as move:
                looking = None if self.job.course.on_cpu else watched(subject)
                if looking is not None:
                    self.device.begin(looking)
                first = self._call(subject, 1)
                plan, samples = self._planned(subject, order, budget, move)
                if looking is not None:
                    self._look(looking, plan)
        except _Ended as ended:
            return ended.outcome
        if asleep_ns() - asleep_before_ns > NOTICED_NS:
            # A processor that wakes is cold and slow: nothing of this launch counts, and there will be another.
            self.plan = self.plan if self.launches else None
            self.slept += 1
            often = self.slept >= most_launches(wanted)
            return Void(f"the machine slept in {self.slept} of {self.launched} launches") if often else None
        self.launches.append(Launch(first.elapsed_ns, samples))
        if self._replanned(plan, budget):
            return None
        outcome = conclude(
            self.job.verdict,
            plan,
            self.launches,
            wanted=wanted,
            threads=self.job.course.threads,
            width=budget.width,
            out_of_time=time.monotonic() > deadline,
            on_cpu=self.job.course.on_cpu,
            quickest_loop_ns=self.pace.quickest_ns,
            mechanisms=self.mechanisms,
        )
        return outcome if self.job.course.on_cpu else self.device.applied(outcome)

    def _replanned(self, plan: Plan, budget: Budget) -> bool:
        """Whether the launches so far show calls that are too short beside their set-up; then they count for nothing.

        That is so where the first launch met a busy moment only, and a flag would name an honest variant.
        """
        found = line([sample for launch in self.launches for sample in launch.samples], plan)
        if self.replans >= MOST_PLANS or found is None or found.setup_ns <= FLAGGED_SETUP_SHARE * found.large_ns:
            return False
        better = refined(plan, found.slope_ns, found.setup_ns, budget, self.job.course.max_n)
        # Much longer ones would be asked for only by what hides its work in set-up, and that is to be flagged.
        if not plan.n_large < better.n_large <= MOST_LENGTHENED * plan.n_large:
            return False
        self.plan, self.replans = better, self.replans + 1
        self.launches.clear()
        return True

    def _look(self, subject: Watched, plan: Plan) -> None:
        def ask(n: int, watch: Watch) -> Answer:
            problem = self._problem()
            return self._checked(problem, n, subject.watch(problem, n, self.job.course.dtype, watch))

        try:
            self.device.look(subject, plan, ask)
        except _Ended as ended:
            if isinstance(ended.outcome, Rejected):
                raise
            # The timed calls are made and right; what the device did stays unknown.
            self.device.remark(f"the device was not watched: {ended.outcome.message}")

    def _placed(self, subject: Subject, order: random.Random) -> AbstractContextManager[Move]:
        """On one processor with the judge, where the worker needs no more and can be placed."""
        pid = getattr(subject, "pid", None)
        if pid is None or not self.job.course.on_cpu or self.job.course.threads > 1:
            return nullcontext()
        return on_one_processor([pid], order)

    def _planned(
        self, subject: Subject, order: random.Random, budget: Budget, move: Move
    ) -> tuple[Plan, tuple[Sample, ...]]:
        if self.plan is None:
            self.plan = calibrate(lambda n: self._call(subject, n).running_ns, budget, self.job.course.max_n)
        samples = self._sample(subject, self.plan, order, budget, move)
        # Only the first launch that says anything may change the plan: launches with other n could not be compared.
        for _ in range(MOST_PLANS):
            found = line(samples, self.plan)
            if found is None or self._quickest_ns(self.plan) < math.inf:
                break
            better = refined(self.plan, found.slope_ns, found.setup_ns, budget, self.job.course.max_n)
            if better == self.plan:
                break
            self.plan = better
            samples = self._sample(subject, self.plan, order, budget, move)
        return self.plan, samples

    def _sample(
        self, subject: Subject, plan: Plan, order: random.Random, budget: Budget, move: Move
    ) -> tuple[Sample, ...]:
        self._warm_up(subject, plan)
        samples: list[Sample] = []
        quickest_ns = self._quickest_ns(plan)
        with no_collector():
            for _ in range(budget.stretch):
                samples += self._stretch(subject, plan, order, look=move is not None)
                long_enough = sum(sample.elapsed_ns for sample in samples) >= budget.stretch * budget.sampling_ns
                if long_enough or time.monotonic() > self.until:
                    break
                if settled(samples, plan, quickest_ns) and self._at_full_speed(samples, plan):
                    break
                # What slows one processor for a while may leave the next alone.
                if move is not None:
                    move()
        return tuple(samples)

    def _stretch(self, subject: Subject, plan: Plan, order: random.Random, *, look: bool) -> list[Sample]:
        """Short and long calls by turns, made ready before and judged afterwards: one follows the other at once.

        Between them there is a look at the speed of the processor, where judge and worker share one.
        """
        lengths: list[int] = []
        for _ in range(plan.samples):
            lengths += [self._length(plan, n, order) for n in order.sample((plan.n_small, plan.n_large), 2)]
        ready = [(self._problem(), n) for n in lengths]
        replies: list[Answer | Failure] = []
        kept = []
        loops_ns = [self.pace.look() if look else 0]
        for problem, n in ready:

            def call(problem: Problem = problem, n: int = n) -> bool:
                replies.append(subject.call(problem, n, self.job.course.dtype))
                return True

            kept.append(self.device.clocks.block(call) is not None)
            loops_ns.append(self.pace.look() if look else 0)
            if isinstance(replies[-1], Failure):
                break
        samples = [
            replace(self._sample_of(*asked, reply), beside_ns=beside_ns)
            for asked, reply, beside_ns in zip(ready, replies, pairwise(loops_ns), strict=False)
        ]
        return [sample for sample, whole in zip(samples, kept, strict=True) if whole]

    def _warm_up(self, subject: Subject, plan: Plan) -> None:
        """Call until calls no longer become quicker: caches fill, and compilers work in steps."""
        self._call(subject, plan.n_small)
        least_ns = math.inf
        for _ in range(MOST_WARMING):
            elapsed_ns = self._call(subject, plan.n_large).running_ns
            if elapsed_ns > STEADY * least_ns:
                break
            least_ns = elapsed_ns

    def _quickest_ns(self, plan: Plan) -> float:
        lines = [line(launch.samples, plan) for launch in self.launches]
        return min((each.large_ns for each in lines if each is not None), default=math.inf)

    def _at_full_speed(self, samples: Sequence[Sample], plan: Plan) -> bool:
        """Whether these samples, or an earlier launch that they are as quick as, met a processor at its full speed."""
        launches = [*(launch.samples for launch in self.launches), samples]
        return min(times or 1.0 for times in slowdowns(launches, plan, self.pace.quickest_ns)) <= SLOWED

    def _length(self, plan: Plan, n: int, order: random.Random) -> int:
        return plan.drawn(n, order) if Mechanism.RANDOM_LENGTHS in self.mechanisms else n

    def _call(self, subject: Subject, n: int) -> Sample:
        problem = self._problem()
        return self._sample_of(problem, n, subject.call(problem, n, self.job.course.dtype))

    def _sample_of(self, problem: Problem, n: int, answered: Answer | Failure) -> Sample:
        reply = self._checked(problem, n, answered)
        if Mechanism.PROCESSOR_TIME not in self.mechanisms:
            return Sample(n, reply.elapsed_ns, 0, 0)
        threads = self.job.course.threads
        return Sample(n, reply.elapsed_ns, reply.cpu_ns, reply.queue_ns, reply.between_ns, threads=threads)

    def _problem(self) -> Problem:
        problem = self.job.course.fresh(self.starts)
        if Mechanism.FRESH_DATA in self.mechanisms:
            self.starts += 1
        return problem

    def _checked(self, problem: Problem, n: int, reply: Answer | Failure) -> Answer:
        if isinstance(reply, Failure):
            raise _Ended(reply)
        checked = Mechanism.CHECKED_ANSWERS in self.mechanisms
        complaint = self.job.course.check(problem, n, reply) if checked else None
        if complaint is not None:
            raise _Ended(Rejected(f"a timed call of {n} iterations was answered wrongly: {complaint}"))
        return reply
