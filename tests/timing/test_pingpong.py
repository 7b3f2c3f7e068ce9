"""Arms in ping-pong, against workers whose clock is a seeded simulation."""

import math
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench.dtypes import DTYPES, Dtype
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms, all_but
from bench.judge.subject import Request
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.timing.clocks import Pace
from bench.timing.course import Course
from bench.timing.pingpong import FEWEST_ROUNDS, Arm, ArmFailedError, PingPong
from bench.timing.ratio import log_ratio
from tests.proof.verdicts import PROVED
from tests.timing.test_clocks import nvml

X, Y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])


@dataclass
class Simulated:
    """A worker: `Paced` with a clock of its own."""

    per_iteration_ns: float = 6_000.0
    setup_ns: float = 100_000.0
    spent_share: float = 1.0
    fails_at: int = -1
    wrong_at: int = -1
    calls: list[tuple[int, float]] = field(default_factory=list)
    held: list[Problem] = field(default_factory=list)
    launches: int = 0
    pid: int = -1
    device_id: str | None = "GPU-1"
    spent: float = 0.0

    def __post_init__(self) -> None:
        self.noise = random.Random(7)

    @contextmanager
    def __call__(self) -> Iterator["Simulated"]:
        self.launches += 1
        yield self

    def elapsed(self, n_iters: int) -> int:
        lasting = (self.setup_ns + n_iters * self.per_iteration_ns) * math.exp(self.noise.gauss(0, 0.003))
        self.spent += self.spent_share * lasting
        return int(lasting)

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Answer | Failure:
        request = Request.of(problem, n_iters, dtype)
        answered: Answer | Failure = self.answer(request, self.send(request), 0, 0, 0)
        return answered

    def hold(self, request: Request) -> Failure | None:
        self.held.append(request.base)
        return None

    def send(self, request: Request):  # type: ignore[no-untyped-def]
        self.calls.append((request.n_iters, float(request.problem.w0[0, 0])))
        if len(self.calls) == self.fails_at:
            return Failure(Status.CRASHED, None, "signal 11")
        return None, self.elapsed(request.n_iters)

    def answer(self, request: Request, sent, cpu_ns: int, queue_ns: int, between_ns: int):  # type: ignore[no-untyped-def]
        if isinstance(sent, Failure):
            return sent
        w = np.array([[-1.0 if len(self.calls) == self.wrong_at else 1.0]])
        return Answer(w, None, None, elapsed_ns=sent[1])

    def spent_ns(self) -> tuple[int, int]:
        return int(self.spent), 0


def course(**changes: object) -> Course:
    return Course(
        dtype=DTYPES["float64"],
        fresh=lambda index: Problem(X, Y, np.full((1, 1), 1.0 + index), None, 0.01),
        check=lambda problem, n, answer: "it is negative" if answer.w[0, 0] < 0 else None,
        **changes,  # type: ignore[arg-type]
    )


def game(*workers: Simulated, seed: int = 0, mechanisms: Mechanisms = ALL, **changes: object) -> PingPong:
    arms = [Arm(name=f"arm {number}", verdict=PROVED, launcher=worker) for number, worker in enumerate(workers)]
    return PingPong(arms, course(**changes), seed, mechanisms=mechanisms)


def test_the_ratio_of_two_loops() -> None:
    pair = game(Simulated(), Simulated(per_iteration_ns=6_300.0))
    for _ in range(3):
        rounds = pair.launch()
        assert rounds is not None
        assert math.exp(log_ratio(rounds, 1, 0)) == pytest.approx(1.05, abs=0.004)
    assert pair.doubts == {}


def test_both_arms_get_the_same_calls_and_each_call_is_new() -> None:
    one, other = Simulated(), Simulated()
    pair = game(one, other)
    pair.launch()
    assert pair.plan is not None
    common = {call for call in one.calls if call in set(other.calls)}
    assert len(common) >= FEWEST_ROUNDS
    assert {n for n, _ in common} != {pair.plan.n_small, pair.plan.n_large}
    again = game(Simulated(), Simulated(), mechanisms=all_but(Mechanism.RANDOM_LENGTHS, Mechanism.FRESH_DATA))
    again.launch()
    assert len({start for _, start in again._arms[1].launcher.calls}) == 1  # type: ignore[attr-defined]


def test_a_short_call_is_shorter_than_a_long_one_however_few_iterations_there_may_be() -> None:
    worker = Simulated(per_iteration_ns=400_000.0)
    pair = game(worker, Simulated(per_iteration_ns=400_000.0), max_n=2)
    rounds = pair.launch()
    assert rounds is not None
    assert (set(rounds.n_long), set(rounds.n_short)) == ({2}, {1})
    assert abs(log_ratio(rounds, 1, 0)) < 0.02


def test_the_order_is_seeded() -> None:
    first, second, third = (Simulated() for _ in range(3))
    for worker, seed in ((first, 1), (second, 1), (third, 2)):
        game(worker, Simulated(), seed=seed).launch()
    assert first.calls == second.calls != third.calls


def test_calls_grow_where_set_up_is_most_of_them() -> None:
    short, long = game(Simulated(), Simulated()), game(Simulated(), Simulated(setup_ns=900_000.0))
    short.launch()
    long.launch()
    assert short.plan is not None
    assert long.plan is not None
    assert long.plan.n_large > 2 * short.plan.n_large


def test_an_arm_that_hides_its_work_is_doubted() -> None:
    padded = game(Simulated(), Simulated(setup_ns=50_000_000.0))
    padded.launch()
    assert "on set-up" in padded.doubts["arm 1"]
    busy = game(Simulated(), Simulated(spent_share=2.0))
    busy.launch()
    assert "times as long as its calls took" in busy.doubts["arm 1"]
    assert set(busy.doubts) == {"arm 1"}


def test_an_arm_whose_calls_are_set_up_alone_is_doubted() -> None:
    jumps = game(Simulated(), Simulated(per_iteration_ns=-1.0))
    jumps.launch()
    assert jumps.doubts == {"arm 1": "spends 100% of its longest calls on set-up"}


@pytest.mark.parametrize(
    ("changes", "says"), [({"fails_at": 30}, "arm 1: crashed: signal 11"), ({"wrong_at": 2}, "arm 1: it is negative")]
)
def test_an_arm_that_fails_ends_it(changes: dict[str, int], says: str) -> None:
    with pytest.raises(ArmFailedError, match=says):
        game(Simulated(), Simulated(**changes)).launch()  # type: ignore[arg-type]


def test_dear_iterations_get_few_rounds() -> None:
    dear = game(Simulated(per_iteration_ns=30e6), Simulated(per_iteration_ns=30e6))
    rounds = dear.launch()
    assert rounds is not None
    assert len(rounds.long_ns) == FEWEST_ROUNDS


@dataclass
class Gpu:
    """An NVML whose device is slowed at some of the readings, and whose clock is set by whoever was called last."""

    slowed_at: frozenset[int] = frozenset()
    mhz: int = 1980
    readings: int = 0

    def reasons(self, handle: object) -> int:
        self.readings += 1
        return 0x04 if self.readings in self.slowed_at else 0


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    made = Gpu()
    bindings = nvml(
        nvmlDeviceGetClockInfo=lambda handle, kind: made.mhz, nvmlDeviceGetCurrentClocksEventReasons=made.reasons
    )
    monkeypatch.setitem(sys.modules, "pynvml", bindings)
    return made


READINGS = 1 + 2 * 2
"""Of a round with two arms: before it, and after each call."""


def test_rounds_in_which_the_device_was_slowed_are_discarded(gpu: Gpu) -> None:
    calm, slowed = (game(Simulated(), Simulated(), on_cpu=False) for _ in range(2))
    calm.launch()
    whole = calm.launch()
    slowed.launch()
    # Somewhere in the third round of the launch that follows.
    gpu.slowed_at = frozenset({gpu.readings + 2 * READINGS + 3})
    rounds = slowed.launch()
    assert whole is not None
    assert rounds is not None
    np.testing.assert_array_equal(rounds.long_ns, np.delete(whole.long_ns, 2, axis=0))
    np.testing.assert_array_equal(rounds.n_long, np.delete(whole.n_long, 2))
    np.testing.assert_array_equal(rounds.short_ns, np.delete(whole.short_ns, 2, axis=0))
    np.testing.assert_array_equal(rounds.n_short, np.delete(whole.n_short, 2))
    pace = slowed.pace((0,), 1)
    assert pace.note.endswith("blocks discarded: power cap (1)")
    assert pace.base_mhz == pytest.approx(1980.0)
    assert pace.left_out == 0
    assert calm.pace((0,), 1).note == ""


def test_a_launch_that_was_slowed_in_most_rounds_is_left_out(gpu: Gpu) -> None:
    gpu.slowed_at = frozenset(range(1, 10_000))
    pair = game(Simulated(), Simulated(), on_cpu=False)
    assert pair.launch() is None
    assert pair.plan is None
    gpu.slowed_at = frozenset()
    assert pair.launch() is not None
    assert pair.pace((0,), 1).left_out == 1


def test_an_answer_in_a_discarded_round_is_checked_too(gpu: Gpu) -> None:
    class Wrong(Simulated):
        def answer(self, request: Request, sent, cpu_ns: int, queue_ns: int, between_ns: int):  # type: ignore[no-untyped-def]
            # The clock is read beside rounds alone, and those are answered for when all of them are over.
            self.wrong_at = len(self.calls) if gpu.readings > READINGS else -1
            return super().answer(request, sent, cpu_ns, queue_ns, between_ns)

    gpu.slowed_at = frozenset(range(1, 10_000))
    with pytest.raises(ArmFailedError, match="arm 1: it is negative"):
        game(Simulated(), Wrong(), on_cpu=False).launch()


def test_each_arm_has_the_clock_that_it_ran_at(gpu: Gpu) -> None:
    class Throttling(Simulated):
        def send(self, request: Request):  # type: ignore[no-untyped-def]
            gpu.mhz = 1900 if self.spent_share else 1980
            return super().send(request)

    pair = game(Throttling(spent_share=0.0), Throttling(), on_cpu=False)
    pair.launch()
    pace = pair.pace((0,), 1)
    assert [pace.base_mhz, pace.head_mhz] == pytest.approx([1980.0, 1900.0])


def test_the_processor_has_no_such_clock(gpu: Gpu) -> None:
    pair = game(Simulated(), Simulated())
    pair.launch()
    assert (gpu.readings, pair.pace((0,), 1)) == (0, Pace())
