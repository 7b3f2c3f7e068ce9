"""The ratio of two loops from calls that alternate, on times whose truth is known."""

import math
import random

import numpy as np
import pytest

from bench.timing.estimate import Estimate
from bench.timing.ratio import Rounds, log_ratio, setup_share, typical_ns


def rounds(
    per_iteration_ns: tuple[float, ...],
    *,
    setup_ns: tuple[float, ...] = (200_000.0, 200_000.0, 200_000.0),
    seed: int = 0,
    noise: float = 0.0,
    slow: float = 0.0,
    number: int = 120,
) -> Rounds:
    """One launch of several arms; ``slow`` of the rounds lie in a spell that takes half as long again."""
    chance = random.Random(seed)

    def call(arm: int, n: int, spell: float) -> float:
        return (setup_ns[arm] + n * per_iteration_ns[arm]) * spell * math.exp(chance.gauss(0, noise))

    long, short = [], []
    for _ in range(number):
        spell = 1.5 if chance.random() < slow else 1.0
        long.append([call(arm, 100, spell) for arm in range(len(per_iteration_ns))])
        short.append([call(arm, 12, spell) for arm in range(len(per_iteration_ns))])
    return Rounds(np.array(long), np.array(short), np.full(len(long), 100), np.full(len(short), 12))


@pytest.mark.parametrize("truth", [0.5, 0.97, 1.0, 1.05, 3.0])
@pytest.mark.parametrize("other_setup_ns", [200_000.0, 20_000.0, 400_000.0])
def test_set_up_is_taken_out(truth: float, other_setup_ns: float) -> None:
    seen = rounds((6_000.0, 6_000.0, 6_000.0 * truth), setup_ns=(200_000.0, 200_000.0, other_setup_ns))
    assert math.exp(log_ratio(seen, 2, 0, 1)) == pytest.approx(truth, rel=1e-9)
    assert log_ratio(seen, 1, 0) == pytest.approx(0.0, abs=1e-9)
    assert typical_ns(seen, 2) == pytest.approx(6_000.0 * truth)
    assert setup_share(seen, 2) == pytest.approx(other_setup_ns / (other_setup_ns + 600_000.0 * truth))


def test_wasting_time_in_some_short_calls_shows_as_set_up() -> None:
    seen = rounds((6_000.0, 6_000.0))
    padded = seen.short_ns.copy()
    padded[::2, 1] += seen.long_ns[0, 1] / 2
    wasting = Rounds(seen.long_ns, padded, seen.n_long, seen.n_short)
    assert math.exp(log_ratio(wasting, 1, 0)) < 0.8
    assert setup_share(seen, 1) == pytest.approx(0.25)
    assert setup_share(wasting, 1) > 0.4


def test_a_typical_iteration_is_levelled_by_the_lengths_of_its_calls() -> None:
    chance = random.Random(5)
    n_long = np.array([chance.randint(88, 100) for _ in range(120)])
    n_short = np.array([chance.randint(6, 18) for _ in range(120)])
    long_ns, short_ns = (200_000.0 + 6_000.0 * n[:, np.newaxis] for n in (n_long, n_short))
    assert typical_ns(Rounds(long_ns, short_ns, n_long, n_short), 0) == pytest.approx(6_000, rel=0.03)


def test_spells_that_all_arms_meet_do_not_move_it() -> None:
    for seed in range(20):
        seen = rounds((6_000.0, 6_000.0, 6_300.0), seed=seed, noise=0.02, slow=0.4)
        assert math.exp(log_ratio(seen, 2, 0, 1)) == pytest.approx(1.05, abs=0.02)


def test_it_is_unbiased_and_as_precise_as_it_is_said_to_be() -> None:
    found = [log_ratio(rounds((6e3, 6e3, 6e3), seed=seed, noise=0.1, slow=0.3), 2, 0, 1) for seed in range(200)]
    assert abs(float(np.mean(found))) < 0.003
    assert float(np.std(found)) < 0.03


def test_spells_that_only_ever_add_favour_no_arm() -> None:
    """The times of a shared processor are skewed: now and then a call takes half as long again."""
    chance = np.random.default_rng(3)
    long = 1e6 * (1 + chance.exponential(0.25, (20_000, 3)))
    short = 1e5 * (1 + chance.exponential(0.25, (len(long), 3)))
    assert abs(log_ratio(Rounds(long, short, np.full(len(long), 100), np.full(len(short), 10)), 2, 0, 1)) < 0.006


def test_calls_that_do_not_stand_out_give_no_ratio() -> None:
    seen = rounds((0.0, 0.0, 0.0), noise=0.0)
    assert math.isnan(log_ratio(seen, 2, 0, 1))


def test_an_estimate_has_its_interval() -> None:
    found = Estimate.of([0.01, 0.02, 0.03])
    assert found.mean == pytest.approx(0.02)
    assert found.low == pytest.approx(0.02 - 0.024841, abs=1e-5)
    assert found.high - found.mean == pytest.approx(found.mean - found.low)
