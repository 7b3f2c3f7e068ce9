"""Arms in ping-pong, against workers whose clock is a seeded simulation."""

import math
import random
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
from bench.timing.course import Course
from bench.timing.pingpong import FEWEST_ROUNDS, Arm, ArmFailedError, PingPong
from bench.timing.ratio import log_ratio
from tests.proof.verdicts import PROVED

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
