"""The rule of a comparison, on simulated launches."""

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bench.gate.comparison import CONFIRMING, FEWEST, MOST, Comparison, Outcome, compare, decide
from bench.gate.comparison import Seen as Launches
from bench.timing.clocks import Pace
from bench.timing.pingpong import ArmFailedError
from bench.timing.ratio import Rounds

LIMIT = 1.025


class Contest:
    """A game of three arms whose launches differ by so much, and whose head is so many times slower."""

    def __init__(
        self, ratio: Callable[[int], float], *, sd: float = 0.01, null: float = 1.0, seed: int = 0, fails_at: int = -1
    ) -> None:
        self.ratio, self.sd, self.null, self.fails_at = ratio, sd, null, fails_at
        self.chance = random.Random(seed)
        self.launches = 0
        self.doubts: dict[str, str] = {}
        self.names = ["base", "base, second copy", "head"]
        self.clocks = Pace()

    def pace(self, bases: Sequence[int], head: int) -> Pace:
        assert (tuple(bases), head) == ((0, 1), 2)
        return self.clocks

    def launch(self) -> Rounds:
        self.launches += 1
        if self.launches == self.fails_at:
            raise ArmFailedError("head", "crashed: signal 11")
        head = self.ratio(self.launches) * math.exp(self.chance.gauss(0, self.sd))
        null = self.null * math.exp(self.chance.gauss(0, self.sd))
        long = np.array([[1.0, null, head]] * 9) * 1e6
        return Rounds(long, long * 0 + 1e-3, np.full(len(long), 100), np.zeros(len(long), np.int64))


def compared(contest: Contest) -> Comparison:
    return compare(contest, limit=LIMIT)  # type: ignore[arg-type]


def test_unchanged_code_is_never_called_slower() -> None:
    outcomes = [compared(Contest(lambda launch: 1.0, sd=0.02, seed=seed)).outcome for seed in range(1000)]
    assert outcomes.count(Outcome.SLOWER) + outcomes.count(Outcome.FASTER) == 0
    assert outcomes.count(Outcome.INCONCLUSIVE) <= 50


@pytest.mark.parametrize(("ratio", "least"), [(1.05, 297), (1.03, 225)])
def test_a_slowdown_is_found(ratio: float, least: int) -> None:
    outcomes = [compared(Contest(lambda launch: ratio, sd=0.01, seed=seed)).outcome for seed in range(300)]
    assert outcomes.count(Outcome.SLOWER) >= least
    assert Outcome.FASTER not in outcomes


def test_what_became_faster_is_said_to_be() -> None:
    found = compared(Contest(lambda launch: 0.9))
    assert found.outcome is Outcome.FASTER
    assert found.ratio == pytest.approx(0.9, abs=0.02)


def test_a_quiet_machine_decides_in_the_fewest_launches() -> None:
    contest = Contest(lambda launch: 1.0, sd=0.002)
    found = compared(contest)
    assert (contest.launches, found.launches, found.outcome) == (FEWEST, FEWEST, Outcome.SAME)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < 1 < found.ci_high < LIMIT


def test_a_noisy_machine_is_not_believed() -> None:
    contest = Contest(lambda launch: 1.0, sd=0.3)
    found = compared(contest)
    assert (contest.launches, found.outcome) == (MOST, Outcome.INCONCLUSIVE)
    assert "too noisy" in found.reason


def test_a_launch_that_noise_spoiled_altogether_moves_nothing() -> None:
    found = compared(Contest(lambda launch: 8.0 if launch == 3 else 1.0, sd=0.005))
    assert found.outcome is Outcome.SAME
    assert found.ratio == pytest.approx(1.0, abs=0.01)


def test_a_copy_of_the_base_that_differs_makes_it_inconclusive() -> None:
    found = compared(Contest(lambda launch: 1.0, null=1.08))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "a copy of the base came out" in found.reason


def test_an_alarm_that_fresh_launches_do_not_confirm_fails_nobody() -> None:
    contest = Contest(lambda launch: 1.08 if launch <= FEWEST else 1.0, sd=0.003)
    found = compared(contest)
    assert contest.launches == FEWEST + CONFIRMING
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "fresh launches do not confirm" in found.reason


def test_fresh_launches_go_on_while_they_say_neither() -> None:
    def ratio(launch: int) -> float:
        # First an alarm; then noise by turns around a slowdown that sixteen launches cannot tell from none.
        return 1.04 if launch <= FEWEST else 1.03 * math.exp(0.045 if launch % 2 else -0.045)

    contest = Contest(ratio, sd=0.001)
    found = compared(contest)
    assert FEWEST + CONFIRMING < contest.launches <= FEWEST + MOST
    assert found.outcome is Outcome.SLOWER


def test_fresh_launches_that_say_neither_end() -> None:
    contest = Contest(lambda launch: 1.04 if launch <= FEWEST else math.exp(0.02 + (0.2 if launch % 2 else -0.2)), sd=0)
    found = compared(contest)
    assert (contest.launches, found.outcome) == (FEWEST + MOST, Outcome.INCONCLUSIVE)
    assert "fresh launches do not confirm" in found.reason


def test_an_arm_that_fails_is_named() -> None:
    found = compared(Contest(lambda launch: 1.0, fails_at=3))
    assert (found.outcome, found.failed, found.ratio) == (Outcome.INCONCLUSIVE, "head", None)
    assert "signal 11" in found.reason


def test_a_doubted_arm_is_not_said_to_be_alike() -> None:
    contest = Contest(lambda launch: 1.0, sd=0.002)
    contest.doubts = {"head": "worked 1.9 times as long as its calls took"}
    found = compared(contest)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "1.9 times" in found.reason


def test_too_few_launches_say_nothing() -> None:
    found = decide(Launches([0.1], [0.0], [1.0]), Launches(), LIMIT)
    assert (found.outcome, found.ratio, found.head_ns_per_iter) == (Outcome.INCONCLUSIVE, None, None)


@pytest.mark.parametrize(
    ("ratio", "head_mhz", "outcome"),
    [
        (1.05, 1980.0, Outcome.SLOWER),
        (1.05, 1900.0, Outcome.INCONCLUSIVE),
        (0.95, 1980.0, Outcome.FASTER),
        (0.95, 2060.0, Outcome.INCONCLUSIVE),
        (1.0, 1900.0, Outcome.SAME),
    ],
)
def test_slower_and_faster_must_hold_in_cycles_too(ratio: float, head_mhz: float, outcome: Outcome) -> None:
    contest = Contest(lambda launch: ratio, sd=0.002)
    contest.clocks = Pace(1980.0, head_mhz)
    found = compared(contest)
    assert found.outcome is outcome
    assert ("not in cycles: base ran at 1980 MHz, head at" in found.reason) is (outcome is Outcome.INCONCLUSIVE)


def test_clocks_that_are_not_known_change_the_reason_alone() -> None:
    plain, blind = (Contest(lambda launch: 1.05, sd=0.002) for _ in range(2))
    blind.clocks = Pace(note="no clocks: pynvml cannot be imported; install gdbench[cuda]")
    expected, found = compared(plain), compared(blind)
    assert found.outcome is expected.outcome is Outcome.SLOWER
    assert found.ratio == expected.ratio
    assert found.reason == f"{expected.reason}; {blind.clocks.note}"


def test_a_device_that_was_slowed_throughout_is_said_to_be() -> None:
    note = "90 of 100 blocks discarded: power cap (90)"
    found = decide(Launches([0.1], [0.0], [1.0]), Launches(), LIMIT, pace=Pace(note=note, left_out=7))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reason == f"the device was slowed in most launches; {note}"


@pytest.mark.parametrize(("doubted", "outcome"), [("head", Outcome.SLOWER), ("base", Outcome.INCONCLUSIVE)])
def test_a_slower_head_stands_unless_the_base_is_doubted(doubted: str, outcome: Outcome) -> None:
    contest = Contest(lambda launch: 1.2, sd=0.002)
    contest.doubts = {doubted: "spends 60 % of its longest calls on set-up"}
    found = compared(contest)
    assert found.outcome is outcome
    assert f"{doubted} spends 60 %" in found.reason
    assert not found.noisy


def test_a_narrow_limit_does_not_hide_a_head_that_is_twice_as_slow() -> None:
    found = [compare(Contest(lambda launch: 2.0, sd=0.02, seed=seed), limit=1.001) for seed in range(40)]  # type: ignore[arg-type]
    assert {each.outcome for each in found} == {Outcome.SLOWER}


def test_a_narrow_limit_finds_nothing_in_noise() -> None:
    found = [compare(Contest(lambda launch: 1.0, sd=0.01, seed=seed), limit=1.001).outcome for seed in range(300)]  # type: ignore[arg-type]
    assert found.count(Outcome.SLOWER) + found.count(Outcome.FASTER) <= 1
