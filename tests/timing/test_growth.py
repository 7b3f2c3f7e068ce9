"""The curve of cost against size holds the true power, and says nothing where nothing can be said."""

import math
import random
from collections.abc import Callable, Sequence

import pytest

from bench.timing.estimate import students
from bench.timing.growth import LEAST_GROWTH, POWERS, Growth, Overtaking, Point, growth, overtaking
from bench.timing.interval import EACH_LOOK

DECADES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


def timed(sizes: Sequence[int], cost: Callable[[int], float], half: float = 0.01) -> dict[int, Point]:
    times = {n: cost(n) for n in sizes}
    return {n: Point(ns, ns * (1 - half), ns * (1 + half)) for n, ns in times.items()}


@pytest.mark.parametrize(("fixed", "factor", "power"), [(6_000.0, 2.0, 1.0), (0.0, 3.0, 1.0), (50_000.0, 40.0, 0.7)])
def test_a_curve_without_noise_is_found(fixed: float, factor: float, power: float) -> None:
    found = growth(timed(DECADES, lambda n: fixed + factor * n**power))
    assert isinstance(found, Growth)
    assert found.power == pytest.approx(power, abs=1e-3)
    assert found.factor_ns == pytest.approx(factor, rel=0.02)
    assert found.fixed_ns == pytest.approx(fixed, rel=1e-2, abs=1.0)
    assert found.misfit < 1e-3
    assert found.power_low is not None
    assert found.power_high is not None
    assert found.power_low < power < found.power_high


HALF = students(4, EACH_LOOK)
"""What half of an interval over five launches is, in standard errors."""


@pytest.mark.parametrize("sizes", [DECADES, (100, 400, 1_600, 6_400, 25_600)])
@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_the_interval_holds_the_true_power(sizes: Sequence[int], noise: float) -> None:
    chance = random.Random(0)
    held = 0
    for _ in range(100):
        found = growth(timed(sizes, lambda n: (6_000.0 + 2.0 * n) * math.exp(chance.gauss(0, noise)), HALF * noise))
        assert isinstance(found, Growth)
        held += (found.power_low or POWERS[0]) <= 1.0 <= (found.power_high or POWERS[1])
    assert held >= 95


def test_noise_beyond_the_intervals_widens_the_power() -> None:
    quiet = growth(timed(DECADES, lambda n: 6_000.0 + 2.0 * n))
    bent = growth(timed(DECADES, lambda n: (6_000.0 + 2.0 * n) * (1.2 if n == 10_000 else 1.0)))
    assert isinstance(quiet, Growth)
    assert isinstance(bent, Growth)
    assert bent.misfit > 0.05
    assert (bent.power_high or 9.0) - (bent.power_low or 0.0) > (quiet.power_high or 9.0) - (quiet.power_low or 0.0)


def test_what_does_not_grow_has_no_power() -> None:
    found = growth(timed(DECADES, lambda n: 6_000.0 + 1e-4 * n))
    assert found == f"the longest time is 1.02 times the shortest, and a power needs {LEAST_GROWTH}"


def test_what_becomes_quicker_with_the_size_has_no_power() -> None:
    assert growth(timed(DECADES, lambda n: 6_000.0 / n**0.1)) == "the times do not grow with the size"


def test_few_sizes_have_no_power() -> None:
    assert growth(timed(DECADES[:4], float)) == "4 sizes are timed, and a power needs 5"


def test_a_power_that_the_sizes_do_not_tell_has_an_open_end() -> None:
    # The last size alone stands out: how steeply it was reached is not to be seen.
    found = growth(timed(DECADES[:5], lambda n: 6_000.0 * (2.0 if n == 100_000 else 1.0), half=0.2))
    assert isinstance(found, Growth)
    assert found.power_high is None


def test_a_device_overtakes_between_measured_sizes() -> None:
    cpu, cuda = timed(DECADES, lambda n: 60_000.0 + 1.1 * n), timed(DECADES, lambda n: 150_000.0 + 0.01 * n)
    found = overtaking(cpu, cuda)
    assert found is not None
    assert (found.before, found.after) == (10_000, 100_000)
    assert found.size == pytest.approx(90_000.0 / 1.09, rel=1e-6)
    assert overtaking(cuda, cpu) is None


def test_sizes_whose_intervals_overlap_belong_to_neither_side() -> None:
    cpu = timed((10, 100, 1_000, 10_000), lambda n: {10: 90.0, 100: 99.0, 1_000: 101.0, 10_000: 120.0}[n], half=0.03)
    found = overtaking(cpu, timed((10, 100, 1_000, 10_000), lambda _: 100.0, half=0.03))
    assert found == Overtaking(size=pytest.approx(550.0), before=10, after=10_000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lead",
    [
        {10: 2.0, 100: 2.0, 1_000: 2.0},
        {10: 0.5, 100: 0.5, 1_000: 0.5},
        {10: 1.0, 100: 1.0, 1_000: 1.0},
        {10: 2.0, 100: 0.5, 1_000: 2.0},
        {10: 0.5, 100: 2.0, 1_000: 0.5},
    ],
    ids=["always ahead", "always behind", "never told apart", "behind in between", "ahead in between"],
)
def test_no_size_is_named_where_there_is_not_one(lead: dict[int, float]) -> None:
    assert overtaking(timed(tuple(lead), lambda n: lead[n]), timed(tuple(lead), lambda _: 1.0)) is None
