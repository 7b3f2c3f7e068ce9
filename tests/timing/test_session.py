"""Timing cells, against workers whose clock is a seeded simulation with a known truth."""

import gc
import random
import re
import statistics
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from bench.dtypes import DTYPES, Dtype
from bench.errors import UsageError
from bench.judge.mechanisms import Mechanism, all_but
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure, Reply
from bench.proof.verdict import Status
from bench.timing.course import Course
from bench.timing.estimate import Estimate
from bench.timing.interval import NO_FULL_SPEED
from bench.timing.plan import GROWTH, Budget, Plan
from bench.timing.record import Flag, Rejected, Stop, Timing, Void
from bench.timing.session import Job, Outcome, time_cells
from bench.timing.slope import Sample, line
from bench.timing.speed import PACE, Pace
from tests.proof.verdicts import PROVED

X, Y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])


@dataclass
class Machine:
    """The clock of a simulated cell.

    Attributes:
        launch_sd: launches differ by a factor exp(N(0, launch_sd)) in their time an iteration.
        jitter: every call is longer by an exponential share of itself with this mean.
        bursts: share of the calls that something interrupts, for a Pareto time.
        slow: share of the launches that run on a processor 1.6 times slower.
        slowed: so many launches at first do.
        slowness: how many times as long an iteration of a launch takes.
        queue: share of its time that a call waits for a processor.
        drift: growth of the time an iteration from launch to launch.
        slow_calls: the first calls of the cell take 20 times as long.
        processors: how many the worker keeps busy in a call.
        between_ns: processor time that it takes before each call.
    """

    seed: int = 0
    per_iteration_ns: float = 6_000.0
    setup_ns: float = 100_000.0
    compile_ns: float = 5_000_000.0
    launch_sd: float = 0.0
    jitter: float = 0.002
    bursts: float = 0.0
    slow: float = 0.0
    slowed: int = 0
    slowness: Callable[[int], float] = lambda launch: 1.0
    queue: Callable[[int], float] = lambda launch: 0.0
    drift: float = 0.0
    slow_calls: int = 0
    warming: int = 0
    processors: float = 1.0
    between_ns: int = 0
    failing_launch: int = -1
    wrong_call: int = -1
    launches: int = 0
    calls: list[tuple[int, Problem]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.noise = random.Random(self.seed)

    @contextmanager
    def __call__(self) -> Iterator["Worker"]:
        self.launches += 1
        factor = np.exp(self.noise.gauss(0.0, self.launch_sd)) * (1 + self.drift) ** self.launches
        if self.noise.random() < self.slow or self.launches <= self.slowed:
            factor *= 1.6
        factor *= self.slowness(self.launches)
        yield Worker(self, self.launches, float(factor))

    def job(self, key: str = "cell", max_n: int = 100_000) -> Job:
        return Job(
            key=key,
            verdict=PROVED,
            launcher=self,
            course=Course(
                dtype=DTYPES["float64"],
                fresh=lambda index: Problem(X, Y, np.full((1, 1), 1.0 + 1e-6 * index), None, 0.01),
                check=check,
                max_n=max_n,
            ),
        )


@dataclass
class Worker:
    """One launch of a `Machine`."""

    machine: Machine
    launch: int
    factor: float
    fresh: bool = True
    calls: int = 0

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        machine = self.machine
        machine.calls.append((n_iters, problem))
        if self.launch == machine.failing_launch:
            return Failure(Status.CRASHED, None, "signal 11")
        elapsed = machine.setup_ns + n_iters * machine.per_iteration_ns * self.factor
        elapsed *= 1 + machine.noise.expovariate(1.0) * machine.jitter
        if machine.noise.random() < machine.bursts:
            elapsed += 200_000 * machine.noise.paretovariate(1.2)
        if len(machine.calls) <= machine.slow_calls:
            elapsed *= 20
        self.calls += 1
        # Each call of a process that warms up is a tenth quicker than the one before.
        elapsed *= 1.1 ** max(0, machine.warming - self.calls)
        if self.fresh:
            elapsed += machine.compile_ns
            self.fresh = False
        queue = elapsed * machine.queue(self.launch)
        wrong = 1e-3 if len(machine.calls) == machine.wrong_call else 0.0
        spent = (round(elapsed + queue), round(elapsed * machine.processors), round(queue), machine.between_ns)
        return Answer(answered(problem, n_iters) + wrong, None, None, *spent)


def answered(problem: Problem, n_iters: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What the simulated variant does in place of gradient descent: enough to tell right from wrong."""
    return np.asarray(problem.w0 + n_iters, dtype=np.float64)


def check(problem: Problem, n_iters: int, answer: Answer) -> str | None:
    """The judge's check of a simulated answer."""
    return None if answer.w[0, 0] == problem.w0[0, 0] + n_iters else f"w is {answer.w[0, 0]}"


@pytest.fixture(autouse=True)
def cheap_collections() -> Iterator[None]:
    """Leave what the test session holds out of the collections that precede the samples."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def changed(job: Job, **changes: Any) -> Job:
    """The same with another course."""
    return replace(job, course=replace(job.course, **changes))


GENEROUS = Budget(
    sampling_ns=80_000_000, longest_ns=1_000_000_000, stretch=4, fewest_samples=15, max_block_ns=8_000_000
)


def outcomes(*jobs: Job, seed: int = 1, budget: Budget | None = None, pace: Pace = PACE) -> dict[Hashable, Outcome]:
    return {job.key: outcome for job, outcome in time_cells(jobs, seed=seed, budget=budget or GENEROUS, pace=pace)}


def timing_of(machine: Machine, pace: Pace = PACE, *, budget: Budget | None = None) -> Timing:
    outcome = outcomes(machine.job(), budget=budget, pace=pace)["cell"]
    assert isinstance(outcome, Timing), outcome
    return outcome


def test_a_quiet_machine_gives_the_slope_and_the_setup() -> None:
    timing = timing_of(Machine())
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)
    assert timing.setup_ns == pytest.approx(100_000, rel=0.05)
    assert timing.first_call_ns == pytest.approx(5_106_000, rel=0.01)
    assert timing.setup_share == pytest.approx(0.1, abs=0.01)
    assert (timing.launches, timing.discarded, timing.queue_share, timing.note) == (5, 0, 0.0, "")
    assert timing.samples >= 5 * 2 * 15


def test_every_launch_has_the_same_plan_and_no_call_a_foreseeable_length() -> None:
    machine = Machine()
    timing = timing_of(machine)
    of_a_launch = 1 + 3 + timing.samples // timing.launches
    asked = [n for n, _ in machine.calls]
    calibrating = len(asked) - 5 * of_a_launch
    assert 0 < calibrating <= 4 * 11
    assert timing.n_small == timing.n_large // GROWTH
    of_samples = set(asked[calibrating + of_a_launch :]) - {1}
    short, long = ({n for n in of_samples if (n <= timing.n_small) is kind} for kind in (True, False))
    assert (min(short), max(short)) == (timing.n_small - timing.n_small // 8, timing.n_small)
    assert (min(long), max(long)) == (timing.n_large - timing.n_large // 8, timing.n_large)
    assert len(long) >= 0.8 * (timing.n_large // 8)


def test_lengths_are_those_of_the_plan_where_they_are_not_to_be_random() -> None:
    machine = Machine()
    [(_, timing)] = time_cells([machine.job()], seed=1, budget=GENEROUS, mechanisms=all_but(Mechanism.RANDOM_LENGTHS))
    assert isinstance(timing, Timing)
    assert {n for n, _ in machine.calls[-30:]} == {timing.n_small, timing.n_large}


def test_a_plan_that_was_made_in_a_busy_moment_is_made_again() -> None:
    quiet, misled = timing_of(Machine()), timing_of(Machine(slow_calls=40))
    assert misled.n_large == pytest.approx(quiet.n_large, rel=0.05)
    assert misled.samples == pytest.approx(quiet.samples, rel=0.05)


def test_bursts_leave_the_least_call_alone_where_they_ruin_the_mean() -> None:
    plan = Plan(n_small=18, n_large=150, samples=60)
    of_least, of_mean = [], []
    for seed in range(20):
        with Machine(seed=seed, bursts=0.3)() as worker:
            elapsed_ns(worker, 1)
            samples = [Sample(n, elapsed_ns(worker, n), 0, 0) for n in (18, 150) * plan.samples]
        found = line(samples, plan)
        assert found is not None
        of_least.append(abs(found.slope_ns / 6_000 - 1))
        small, large = (statistics.fmean(sample.elapsed_ns for sample in samples if sample.n == n) for n in (18, 150))
        of_mean.append(abs((large - small) / 132 / 6_000 - 1))
    assert max(of_least) < 0.01
    assert statistics.median(of_mean) > 0.10


def test_the_interval_over_launches_covers_the_truth_and_one_over_samples_does_not() -> None:
    budget = Budget(sampling_ns=1_000_000)
    cells, over_launches, over_samples = 400, 0, 0
    for seed in range(cells):
        machine = Machine(seed=seed, launch_sd=0.02, bursts=0.1)
        timing = timing_of(machine, budget=budget)
        over_launches += timing.ci_low <= 6_000 <= timing.ci_high
        with Machine(seed=seed, launch_sd=0.02)() as worker:
            small, large = ([elapsed_ns(worker, n) for _ in range(16)][1:] for n in (20, 160))
        slopes = [(b - a) / 140 for a, b in zip(small, large, strict=True)]
        over_samples += abs(statistics.fmean(slopes) - 6_000) <= Estimate.of(slopes).half
    assert over_launches / cells >= 0.90
    assert over_samples / cells <= 0.30


def test_launches_on_a_slowed_processor_are_left_out_and_replaced() -> None:
    timing = timing_of(Machine(seed=4, launch_sd=0.01, slow=0.3))
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.03)
    assert timing.launches == 5
    assert timing.discarded > 0
    assert "slowed by 5" in timing.note
    assert timing.dispersion > 0.05


@pytest.mark.parametrize("factor", [0.94, 1.06])
def test_one_launch_that_met_another_clock_moves_no_figure(factor: float) -> None:
    machine = Machine(seed=5, launch_sd=0.002, slowness=lambda launch: factor if launch == 2 else 1.0)
    timing = timing_of(machine)
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.004)
    assert timing.launches == machine.launches == 6
    assert timing.ci_low < 6_000 < timing.ci_high
    assert timing.dispersion < 0.01


def test_two_launches_that_agree_among_slowed_ones_give_a_figure() -> None:
    machine = Machine(slowness=lambda launch: {3: 1.0, 6: 1.09}.get(launch, 1.3 + 0.05 * launch))
    [(_, timing)] = time_cells([machine.job()], seed=1, launches=2, budget=GENEROUS)
    assert isinstance(timing, Timing), timing
    assert (timing.launches, machine.launches) == (2, 8)
    assert 5_000 < timing.ci_low < 6_000 < timing.ns_per_iter < timing.ci_high


def test_calls_that_waited_are_discarded_and_counted() -> None:
    calls = iter(range(10**6))
    machine = Machine(queue=lambda launch: 0.5 if next(calls) % 10 == 0 else 0.0)
    timing = timing_of(machine)
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)
    # Short calls never wait longer than a hand-over between judge and worker may take.
    assert timing.discarded == pytest.approx(timing.samples / 20, rel=0.3)
    assert timing.queue_share == pytest.approx(0.05 / 1.05, rel=0.4)


def test_a_machine_that_is_always_busy_makes_the_cell_void() -> None:
    machine = Machine(queue=lambda launch: 2.0)
    assert outcomes(machine.job()) == {
        "cell": Void("the machine is too busy: in 20 of 20 launches most calls waited for a processor")
    }
    assert machine.launches == 20


def test_busy_launches_are_tried_again() -> None:
    timing = timing_of(Machine(queue=lambda launch: 1.0 if launch in {2, 3} else 0.0))
    assert timing.launches == 5
    assert timing.note.startswith("2 of 7 launches waited for a processor and left out")
    # A launch that finds no quiet moment goes on to four times its time: half as many stretches where half is waiting.
    assert timing.discarded == pytest.approx(6 / 11 * timing.samples)


def test_launches_that_never_agree_give_an_interval_as_wide_as_they_differ() -> None:
    timing = timing_of(Machine(seed=1, launch_sd=0.3))
    assert "launches differ by" in timing.note
    assert timing.ci_low < 6_000 < timing.ci_high
    assert (timing.ci_high - timing.ci_low) / timing.ns_per_iter > 0.2


def test_a_budget_that_is_spent_gives_no_extra_launches() -> None:
    machine = Machine(queue=lambda launch: 2.0)
    spent = replace(GENEROUS, total_seconds=0.0)
    assert outcomes(machine.job(), budget=spent) == {
        "cell": Void("the machine is too busy: in 5 of 5 launches most calls waited for a processor")
    }


@pytest.mark.parametrize(
    ("machine", "budget", "why"),
    [
        (Machine(seed=3, launch_sd=0.005), GENEROUS, Stop.WIDTH),
        (Machine(launch_sd=0.08), GENEROUS, Stop.LAUNCHES),
        (Machine(launch_sd=0.08), replace(GENEROUS, total_seconds=0.0), Stop.BUDGET),
    ],
)
def test_a_timing_says_why_there_were_no_more_launches(machine: Machine, budget: Budget, why: Stop) -> None:
    timing = timing_of(machine, budget=budget)
    assert timing.stopped_by is why
    wide = timing.ci_high - timing.ci_low > 2 * budget.width * timing.ns_per_iter
    assert wide is (why is not Stop.WIDTH)
    assert (machine.launches == 20) is (why is Stop.LAUNCHES)


def placed_together(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Workers that share a processor with the judge, as far as it can tell; the list of whom it moved."""
    moved: list[list[int]] = []

    @contextmanager
    def on_one_processor(pids: list[int], order: random.Random) -> Iterator[Callable[[], None]]:
        yield lambda: moved.append(pids)

    monkeypatch.setattr("bench.timing.session.on_one_processor", on_one_processor)
    monkeypatch.setattr(Worker, "pid", 42, raising=False)
    return moved


def test_a_launch_looks_for_a_quiet_moment_only_as_long_as_its_share_of_the_time_lasts() -> None:
    patient, hurried = Machine(jitter=2.0), Machine(jitter=2.0)
    outcomes(patient.job())
    outcomes(hurried.job(), budget=replace(GENEROUS, total_seconds=0.0))
    assert len(hurried.calls) / hurried.launches < 0.6 * len(patient.calls) / patient.launches


@pytest.mark.parametrize(("threads", "placed"), [(1, True), (2, False)])
def test_a_worker_of_one_thread_moves_with_the_judge(
    threads: int, placed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = placed_together(monkeypatch)
    # No launch finds a quiet moment, so that each goes on.
    outcomes(changed(Machine(queue=lambda launch: 2.0).job(), threads=threads))
    assert bool(moved) is placed
    assert all(pids == [42] for pids in moved)


@pytest.mark.parametrize(("slowed", "launched"), [(6, 11), (99, 20)])
def test_launches_that_agree_count_once_one_of_them_met_a_processor_at_its_full_speed(
    slowed: int, launched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(launch_sd=0.002, slowed=slowed)
    loops = count()

    def loop_ns() -> int:
        # Also beside a neighbour there is a quick moment now and then.
        return 60_000 if machine.launches <= slowed and next(loops) % 20 else 30_000

    placed_together(monkeypatch)
    monkeypatch.setattr("bench.timing.speed.loop_ns", loop_ns)
    timing = timing_of(machine, Pace())
    assert machine.launches == launched
    # Where none ever does there is a figure nevertheless, of what there was.
    assert timing.ns_per_iter == pytest.approx(6_000 if slowed == 6 else 9_600, rel=0.01)
    assert (f"{NO_FULL_SPEED}, where an iteration may take up to 50 % less" in timing.note) is (slowed == 99)
    assert (timing.ci_low < 4_850) is (slowed == 99)
    assert timing.stopped_by is (Stop.LAUNCHES if slowed == 99 else Stop.WIDTH)


@pytest.mark.parametrize(
    ("quick", "counting"),
    [
        ({}, [1.2, 1.296, 1.3997]),
        ({2: 1.0}, [1.0, 1.2, 1.296]),
        ({2: 1.0, 11: 1.01}, [1.0, 1.01]),
        ({2: 1.18, 11: 1.0, 14: 1.12}, [1.18, 1.0, 1.12]),
    ],
)
def test_where_launches_do_not_agree_those_at_full_speed_count_or_the_quickest(
    quick: dict[int, float], counting: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twenty launches beside a neighbour, each slowed by another share; some at full speed.
    machine = Machine(launch_sd=0.002, slowness=lambda launch: quick.get(launch, 1.2 * 1.08 ** (7 * launch % 20)))
    pace = Pace()
    placed_together(monkeypatch)
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 30_000)
    for _ in range(3):
        pace.look()
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 31_000 if machine.launches in quick else 50_000)
    timing = timing_of(machine, pace)
    assert machine.launches == 20
    assert timing.launches == len(counting)
    assert timing.ns_per_iter == pytest.approx(statistics.fmean(counting) * 6_000, rel=0.01)
    assert (NO_FULL_SPEED in timing.note) is not bool(quick)
    assert 6_000 / 1.67 < timing.ci_low < 6_000 < timing.ci_high


def test_one_quick_launch_among_slowed_ones_gives_a_figure_however_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(launch_sd=0.002, slowness=lambda launch: 1.0 if launch == 2 else 2.5 * 1.1**launch)
    placed_together(monkeypatch)
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 30_000 if machine.launches == 2 else 60_000)
    timing = timing_of(machine, Pace(), budget=replace(GENEROUS, total_seconds=0.0))
    # Student's t of so few would reach below zero.
    assert timing.launches == 3
    assert timing.ci_low == pytest.approx(6_000 / 1.1, rel=0.01)
    assert timing.ci_high == pytest.approx(6_000 * 2.5 * 1.1**5, rel=0.01)


def test_full_speed_that_was_seen_in_one_session_is_known_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, pace = Machine(launch_sd=0.002), Pace()
    placed_together(monkeypatch)
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 60_000)
    assert NO_FULL_SPEED not in timing_of(machine, pace).note
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 30_000)
    pace.look()
    # A clock may be mistaken once.
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 60_000)
    assert NO_FULL_SPEED not in timing_of(machine, pace).note
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 30_000)
    pace.look()
    pace.look()
    monkeypatch.setattr("bench.timing.speed.loop_ns", lambda: 60_000)
    slow = timing_of(machine, pace)
    assert f"{NO_FULL_SPEED}, where an iteration may take up to 50 % less" in slow.note
    assert slow.ci_low == pytest.approx(slow.ns_per_iter / 2, rel=0.01)


def test_a_launch_warms_up_until_calls_no_longer_become_quicker() -> None:
    quick, warming = Machine(), Machine(warming=6)
    assert timing_of(warming).ns_per_iter == pytest.approx(timing_of(quick).ns_per_iter, rel=0.01)
    assert len(warming.calls) > len(quick.calls)


def test_iterations_that_do_not_stand_out_make_the_cell_void() -> None:
    noisy = Machine(per_iteration_ns=3.0, jitter=0.5)
    outcome = outcomes(noisy.job(max_n=3))["cell"]
    assert isinstance(outcome, Void)
    assert "does not stand out: 3 iterations" in outcome.reason


def test_a_call_that_no_machine_makes_is_rejected_however_busy_it_is() -> None:
    busy = Machine(per_iteration_ns=0.001, setup_ns=10_000.0, queue=lambda launch: 2.0)
    outcome = outcomes(busy.job(max_n=4_000_000))["cell"]
    assert isinstance(outcome, Rejected)
    assert "does not iterate" in outcome.reason


def test_iterations_that_cost_nothing_are_rejected_unless_the_floor_is_off() -> None:
    nothing = Machine(per_iteration_ns=0.01, jitter=0.0)
    outcome = outcomes(nothing.job())["cell"]
    assert isinstance(outcome, Rejected)
    assert "does not iterate" in outcome.reason
    [(_, believed)] = time_cells(
        [Machine(per_iteration_ns=0.01, jitter=0.0).job()],
        seed=1,
        budget=GENEROUS,
        mechanisms=all_but(Mechanism.PHYSICAL_FLOOR, Mechanism.SETUP_SHARE),
    )
    assert isinstance(believed, Timing)


def test_a_quick_honest_loop_is_above_the_floor() -> None:
    timing = timing_of(Machine(per_iteration_ns=8.0, setup_ns=20_000.0))
    assert timing.ns_per_iter == pytest.approx(8.0, rel=0.02)
    assert timing.flags == ()


def test_drift_is_named() -> None:
    timing = timing_of(Machine(drift=0.0045), budget=replace(GENEROUS, width=0.001))
    assert "slowed by 6 % during the run" in timing.note


def test_setup_that_hides_the_slope_is_flagged() -> None:
    timing = timing_of(Machine(setup_ns=5_000_000.0))
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.02)
    assert "of the largest call" in timing.doubt
    assert timing.flags == (Flag.SETUP,)


@pytest.mark.parametrize(
    ("machine", "flag"),
    [
        (Machine(processors=1.9), Flag.PROCESSORS),
        (Machine(processors=0.3), Flag.IDLE),
        (Machine(between_ns=500_000), Flag.BETWEEN_CALLS),
    ],
)
def test_what_the_kernel_knows_of_the_worker_is_flagged(machine: Machine, flag: Flag) -> None:
    timing = timing_of(machine)
    assert timing.flags == (flag,)
    assert timing.doubt
    [(_, believed)] = time_cells([machine.job()], seed=1, budget=GENEROUS, mechanisms=all_but(Mechanism.PROCESSOR_TIME))
    assert isinstance(believed, Timing)
    assert believed.flags == ()


def test_a_device_that_is_waited_for_is_no_idleness() -> None:
    job = changed(Machine(processors=0.1).job(), on_cpu=False)
    timing = outcomes(job)["cell"]
    assert isinstance(timing, Timing)
    assert timing.flags == ()


def test_every_round_is_a_permutation_of_the_cells_and_rounds_differ() -> None:
    launched: list[Hashable] = []
    jobs = [Machine(seed=seed).job(key=f"cell {seed}") for seed in range(6)]
    result = list(time_cells(jobs, seed=7, on_launch=lambda job, number: launched.append(job.key)))
    rounds = [launched[start : start + 6] for start in range(0, 30, 6)]
    assert len(launched) == 30
    assert all(sorted(map(str, each)) == sorted(str(job.key) for job in jobs) for each in rounds)
    assert len({tuple(each) for each in rounds}) == 5
    assert [job.key for job, _ in result] == rounds[-1]
    again = [job.key for job, _ in time_cells([Machine(seed=s).job(key=f"cell {s}") for s in range(6)], seed=7)]
    assert again == rounds[-1]


def test_short_and_long_calls_alternate_in_an_order_that_is_not_fixed() -> None:
    machine = Machine()
    timing = timing_of(machine)
    pairs = [n for n, _ in machine.calls][-(timing.samples // timing.launches) :]
    first = pairs[::2]
    short_first = [one <= timing.n_small for one in first]
    assert all((other <= timing.n_small) is not one for one, other in zip(short_first, pairs[1::2], strict=True))
    assert 0.2 < sum(short_first) / len(first) < 0.8


def test_no_start_is_used_twice() -> None:
    machine = Machine()
    timing_of(machine)
    starts = [problem.w0[0, 0] for _, problem in machine.calls]
    assert len(set(starts)) == len(starts)
    assert all(problem.x is X for _, problem in machine.calls)


def test_the_same_start_is_used_throughout_where_it_is_not_to_be_fresh() -> None:
    machine = Machine()
    list(time_cells([machine.job()], seed=1, budget=GENEROUS, mechanisms=all_but(Mechanism.FRESH_DATA)))
    assert len({problem.w0[0, 0] for _, problem in machine.calls}) == 1


def test_a_wrong_answer_to_a_timed_call_rejects_the_cell() -> None:
    outcome = outcomes(Machine(wrong_call=200).job())["cell"]
    assert isinstance(outcome, Rejected)
    assert re.fullmatch(r"a timed call of \d+ iterations was answered wrongly: w is [\d.]+", outcome.reason)


def test_a_wrong_answer_passes_where_answers_are_not_checked() -> None:
    jobs = [Machine(wrong_call=200).job()]
    [(_, timing)] = time_cells(jobs, seed=1, budget=GENEROUS, mechanisms=all_but(Mechanism.CHECKED_ANSWERS))
    assert isinstance(timing, Timing)


def test_a_failure_in_one_launch_ends_only_that_cell() -> None:
    failing, honest = Machine(failing_launch=3), Machine()
    found = outcomes(failing.job("failing"), honest.job("honest"))
    assert found["failing"] == Failure(Status.CRASHED, None, "signal 11")
    assert failing.launches == 3
    assert isinstance(found["honest"], Timing)


def test_the_collector_is_off_during_samples_and_on_again_afterwards() -> None:
    enabled = []

    def note_collector(problem: Problem, n_iters: int, answer: Answer) -> str | None:
        enabled.append(gc.isenabled())
        return None

    job = changed(Machine().job(), check=note_collector)
    outcome = outcomes(job)["cell"]
    assert isinstance(outcome, Timing)
    assert enabled.count(False) == outcome.samples
    assert gc.isenabled()


def test_a_single_launch_is_refused() -> None:
    with pytest.raises(UsageError, match="1 launches give no interval"):
        next(time_cells([Machine().job()], seed=0, launches=1))


def test_a_single_n_is_refused() -> None:
    with pytest.raises(UsageError, match="calls of two lengths"):
        Machine().job(max_n=1)


def elapsed_ns(worker: "Worker", n: int) -> int:
    reply = worker.call(Problem(X, Y, np.ones((1, 1)), None, 0.01), n, DTYPES["float64"])
    assert isinstance(reply, Answer)
    return reply.elapsed_ns
