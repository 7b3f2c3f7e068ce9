"""The two n of a cell, and the line through its quietest calls."""

import math
import random
from dataclasses import replace

import pytest

from bench.timing.plan import GROWTH, SETUP_SHARE, Budget, Plan, calibrate
from bench.timing.slope import HANDOVER_NS, Line, Sample, line, settled, slowdowns

GENEROUS = Budget(
    sampling_ns=80_000_000, longest_ns=1_000_000_000, stretch=4, fewest_samples=15, max_block_ns=8_000_000
)


def planned(setup_ns: float, per_iteration_ns: float, max_n: int = 10**6, budget: Budget | None = None) -> Plan:
    return calibrate(lambda n: round(setup_ns + n * per_iteration_ns), budget or GENEROUS, max_n)


@pytest.mark.parametrize("per_iteration_ns", [8.0, 300.0, 6_000.0, 60_000.0])
@pytest.mark.parametrize("setup_ns", [5_000.0, 100_000.0, 600_000.0])
def test_a_long_call_takes_its_target_and_setup_is_its_share_at_most(setup_ns: float, per_iteration_ns: float) -> None:
    plan = planned(setup_ns, per_iteration_ns)
    long_ns = setup_ns + plan.n_large * per_iteration_ns
    assert long_ns >= 0.99e6
    assert setup_ns / long_ns <= 1.01 * SETUP_SHARE
    assert long_ns <= 1.05 * max(1e6, setup_ns / SETUP_SHARE) + per_iteration_ns
    assert plan.n_small == max(1, plan.n_large // GROWTH)
    assert plan.samples >= 15


def test_iterations_of_a_call_are_capped_where_setup_asks_for_more() -> None:
    plan = planned(50e6, 10_000.0)
    assert plan.n_large * 10_000.0 == pytest.approx(8e6, rel=0.01)


def test_an_iteration_longer_than_the_cap_is_called_once_and_three_times_and_seldom() -> None:
    assert planned(100_000.0, 63e6) == Plan(n_small=1, n_large=3, samples=5)
    assert planned(100_000.0, 9e6) == Plan(n_small=1, n_large=3, samples=15)


def test_n_never_exceeds_the_most_that_is_allowed() -> None:
    asked = []

    def elapsed_ns(n: int) -> int:
        asked.append(n)
        return 100_000 + 8 * n

    assert calibrate(elapsed_ns, GENEROUS, max_n=1000) == Plan(n_small=62, n_large=1000, samples=250)
    assert max(asked) == 1000
    assert planned(1000.0, 8.0, max_n=2) == Plan(n_small=1, n_large=2, samples=250)


def test_a_call_that_takes_no_longer_with_more_iterations_ends_the_search() -> None:
    assert planned(100_000.0, 0.0, max_n=5000).n_large == 5000


def test_compiling_for_a_new_n_does_not_shorten_the_calls() -> None:
    seen: set[int] = set()

    def elapsed_ns(n: int) -> int:
        compiling = 0 if n in seen else 10**9
        seen.add(n)
        return 100_000 + 6_000 * n + compiling

    assert calibrate(elapsed_ns, GENEROUS, max_n=10_000) == planned(100_000.0, 6_000.0, max_n=10_000)


def test_samples_fill_the_time_of_a_launch() -> None:
    plan = planned(100_000.0, 6_000.0, budget=replace(GENEROUS, sampling_ns=40_000_000))
    pair_ns = 200_000 + 6_000 * (plan.n_small + plan.n_large)
    assert plan.samples * pair_ns == pytest.approx(40e6, rel=0.05)


PLAN = Plan(n_small=10, n_large=80, samples=4)


def calls(n: int, *elapsed_and_queue: tuple[int, int]) -> list[Sample]:
    return [Sample(n, elapsed, elapsed - queue, queue) for elapsed, queue in elapsed_and_queue]


def test_the_line_goes_through_the_least_call_of_each_length() -> None:
    samples = calls(10, (7_000, 0), (6_000, 0), (90_000, 0)) + calls(80, (50_000, 0), (41_000, 0), (41_500, 0))
    assert line(samples, PLAN) == Line(slope_ns=500.0, setup_ns=1_000.0, large_ns=41_000.0)


def test_a_call_that_waited_is_not_used_however_short_it_is() -> None:
    waited = (1_000_000, 2 * HANDOVER_NS)
    quiet = calls(10, *[(2_000_000, 0)] * 5)
    found = line(quiet + calls(10, waited) + calls(80, (9_000_000, 0)), PLAN)
    assert found is not None
    assert found.slope_ns == 100_000.0


def test_the_handover_between_judge_and_worker_is_not_waiting() -> None:
    assert not Sample(10, 300_000, 200_000, HANDOVER_NS).waited
    assert Sample(10, 300_000, 100_000, HANDOVER_NS + 16_000).waited


def test_a_launch_says_nothing_where_too_few_calls_of_one_length_did_not_wait() -> None:
    quiet, waited = (5_000_000, 0), (5_000_000, 4_000_000)
    short = calls(10, *[quiet] * 5)
    assert line(short + calls(80, *[quiet] * 5, *[waited] * 20), PLAN) is not None
    assert line(short + calls(80, *[quiet] * 5, *[waited] * 21), PLAN) is None
    assert line(short + calls(80, *[quiet] * 4, waited), PLAN) is None
    assert line(calls(10, quiet) + calls(80, quiet), PLAN) is not None
    assert line(short, PLAN) is None


QUIET = calls(10, *[(6_000, 0)] * 3) + calls(80, *[(41_000, 0)] * 3)


def test_a_launch_is_settled_when_its_floor_was_touched_three_times() -> None:
    assert settled(QUIET, PLAN, math.inf)
    assert settled(QUIET, PLAN, 41_000 / 1.04)


@pytest.mark.parametrize(
    ("samples", "quickest_ns"),
    [
        pytest.param(QUIET, 41_000 / 1.06, id="slower than an earlier launch"),
        pytest.param([*QUIET, Sample(80, 40_000, 0, 0)], math.inf, id="one call under the floor"),
        pytest.param([*QUIET, Sample(10, 5_800, 0, 0)], math.inf, id="one short call under the floor"),
        pytest.param(QUIET[:-1], math.inf, id="touched twice"),
        pytest.param(QUIET + calls(80, *[(10**6, 9 * 10**5)] * 20), math.inf, id="mostly waiting"),
    ],
)
def test_a_launch_is_not_settled_otherwise(samples: list[Sample], quickest_ns: float) -> None:
    assert not settled(samples, PLAN, quickest_ns)


def looked_at(*beside_ns: int) -> list[Sample]:
    """A short and a long call for each time that the loop takes after them; before them it takes 100."""
    return [Sample(n, 1_000, 1_000, 0, beside_ns=(min(ns, 100), ns)) for ns in beside_ns for n in (10, 80)]


@pytest.mark.parametrize(
    ("samples", "quickest_ns", "times"),
    [
        pytest.param(looked_at(100, 139, 120, 300), math.inf, 1.39, id="three of four"),
        pytest.param(looked_at(100, 120, 210, 300), math.inf, 2.1, id="two of four"),
        pytest.param(looked_at(200, 210, 200, 300), math.inf, 2.1, id="none of four"),
        pytest.param(looked_at(0, 0, 0), 50, None, id="nobody looked"),
        pytest.param(looked_at(100, 120), math.inf, 1.2, id="all of few"),
        pytest.param(looked_at(100, 100, 100), 50, 2.0, id="quicker elsewhere"),
        pytest.param(looked_at(100, 150, 150), 150, 1.0, id="one mistaken look"),
        pytest.param([], math.inf, None, id="no calls"),
    ],
)
def test_a_launch_is_as_slow_as_the_loop_beside_three_calls_of_each_length(
    samples: list[Sample], quickest_ns: float, times: float | None
) -> None:
    assert slowdowns([samples], PLAN, quickest_ns) == [times and pytest.approx(times)]


@pytest.mark.parametrize("n_large", [2, 3, 4, 5, 8, 80])
def test_calls_of_few_iterations_are_levelled_all_the_way(n_large: int) -> None:
    plan = Plan(n_small=1, n_large=n_large, samples=40)
    chance = random.Random(n_large)
    drawn = [plan.drawn(n, chance) for n in (1, n_large) for _ in range(plan.samples)]
    found = line([Sample(n, 100_000 + 1_000_000 * n, 0, 0) for n in drawn], plan)
    assert found is not None
    assert found.slope_ns == pytest.approx(1_000_000, rel=1e-6)
    assert found.setup_ns == pytest.approx(100_000, rel=1e-4)


def test_what_several_threads_compute_hides_no_waiting() -> None:
    alone, several = (Sample(8, 1_000_000, 1_200_000, 700_000, threads=threads) for threads in (1, 2))
    assert (alone.waiting_ns, alone.running_ns) == (0, 1_200_000)
    assert (several.waiting_ns, several.running_ns) == (700_000, 300_000)
    assert several.waited
