"""Steps in simulated histories: none where nothing has changed, those that are there where they are."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bench.timing.steps import FALSE_ALARMS, FEWEST_RUNS, RUN_TO_RUN, Step, steps

ONE_RUN = RUN_TO_RUN / math.sqrt(2)


def found(logarithms: Sequence[float] | np.ndarray, half_width: float = 0.02) -> tuple[Step, ...]:
    times = 5000.0 * np.exp(np.asarray(logarithms))
    return steps(list(times), list(times * (1 - half_width)), list(times * (1 + half_width)))


def level_noise(random: np.random.Generator, kind: str, spread: float, runs: int) -> np.ndarray:
    if kind == "normal":
        return random.normal(0, spread, runs)
    if kind == "long-tailed":
        return spread * random.standard_t(4, runs) / math.sqrt(2)
    return spread * (random.exponential(1, runs) - 1)


@pytest.mark.parametrize(
    ("kind", "spread"),
    [("normal", 0.02), ("normal", ONE_RUN), ("normal", 0.061), ("normal", 0.12), ("long-tailed", 0.06), ("skew", 0.06)],
)
def test_a_flat_history_has_no_step(kind: str, spread: float) -> None:
    random = np.random.default_rng(20260131)
    alarms = sum(bool(found(level_noise(random, kind, spread, 20))) for _ in range(1000))
    assert alarms <= 1000 * FALSE_ALARMS


@pytest.mark.parametrize(("runs", "repeats"), [(6, 1000), (8, 1000), (10, 1000), (100, 100)])
def test_nor_has_a_short_or_a_long_one(runs: int, repeats: int) -> None:
    random = np.random.default_rng(5)
    alarms = sum(bool(found(random.normal(0, 0.12, runs))) for _ in range(repeats))
    assert alarms <= repeats * FALSE_ALARMS


@pytest.mark.parametrize("change", [1.2, 1 / 1.2])
def test_a_step_of_a_fifth_is_found_and_placed_within_one_run(change: float) -> None:
    random = np.random.default_rng(7)
    placed = covered = 0
    for _ in range(500):
        at = int(random.integers(FEWEST_RUNS, 20 - FEWEST_RUNS + 1))
        seen = found(random.normal(0, ONE_RUN, 20) + math.log(change) * (np.arange(20) >= at))
        if len(seen) == 1 and abs(seen[0].first - at) <= 1:
            placed += 1
            covered += seen[0].ci_low <= change <= seen[0].ci_high
    assert placed >= 475
    assert covered >= 0.94 * placed


def test_a_slow_run_is_no_step_wherever_it_is_and_however_slow() -> None:
    random = np.random.default_rng(11)
    for place in range(20):
        for slower in (1.3, 2.0, 1000.0):
            noise = random.normal(0, 0.03, 20)
            noise[place] += math.log(slower)
            assert not found(noise), (place, slower)


def test_a_slow_run_hides_no_step() -> None:
    random = np.random.default_rng(13)
    noise = random.normal(0, 0.03, 20) + math.log(1.2) * (np.arange(20) >= 12)
    noise[4] += math.log(3)
    assert [step.first for step in found(noise)] == [12]


def test_two_slow_runs_side_by_side_are_no_level() -> None:
    noise = np.random.default_rng(17).normal(0, 0.02, 20)
    noise[18:] += math.log(1.5)
    assert not found(noise)


def test_each_of_several_steps_is_found() -> None:
    noise = np.random.default_rng(19).normal(0, 0.03, 30)
    first, second = found(noise + math.log(1.3) * (np.arange(30) >= 10) - math.log(2.0) * (np.arange(30) >= 21))
    assert (first.first, second.first) == (10, 21)
    assert first.ratio == pytest.approx(1.3, rel=0.05)
    assert second.ratio == pytest.approx(0.5, rel=0.05)


def test_a_change_within_what_runs_differ_by_is_no_step_however_sure() -> None:
    sure = np.repeat([0.0, math.log(1.05)], 100)
    assert not found(sure, half_width=0.001)
    assert len(found(np.repeat([0.0, math.log(1.08)], 100), half_width=0.001)) == 1


def test_runs_with_wide_intervals_say_little() -> None:
    jump = np.repeat([0.0, math.log(1.4)], 3)
    assert len(found(jump, half_width=0.02)) == 1
    assert not found(jump, half_width=0.6)


def test_three_runs_and_three_that_take_twice_as_long() -> None:
    [step] = found([0.0, 0.03, -0.02, *(math.log(2) + each for each in (0.01, -0.03, 0.02))])
    assert step.first == 3
    assert step.ci_low < 2 < step.ci_high


def test_few_runs_and_equal_ones_have_no_step() -> None:
    assert found([]) == ()
    assert found([0.0, 0.0, 5.0, 5.0, 5.0]) == ()
    assert found([0.0] * 20, half_width=0.0) == ()
