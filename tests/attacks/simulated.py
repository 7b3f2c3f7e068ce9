"""Attacks on a simulated clock: what a call takes follows from the iterations that it makes, and from nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from bench.backends import ArrayFacts
from bench.dtypes import DTYPES, Dtype, encode
from bench.judge.mechanisms import Mechanisms
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.contract import RawArray, RawReply, judge_reply
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Reply
from bench.selftest import descent
from bench.timing.course import Course
from bench.timing.plan import Budget
from bench.timing.session import Job, Outcome, time_cells
from bench.variants.contract import Descent
from tests.proof.verdicts import PROVED

STEP_NS = 5_000
SETUP_NS = 20_000
FLOAT64 = DTYPES["float64"]
BUDGET = Budget(sampling_ns=12_000_000, longest_ns=80_000_000)


@dataclass
class Simulation:
    """A worker whose clock is simulated.

    Attributes:
        function: the attack.
        pretence_ns: what each iteration asked for costs, whether it is made or not.
        now_ns: the simulated time.
        refuses: whether answers that are not finite are refused.
    """

    function: Callable[[Problem, int], Descent]
    pretence_ns: float = 0.0
    now_ns: float = 0.0
    refuses: bool = True

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        """Run the attack here, and say how long it would have taken."""
        began_ns = self.now_ns
        self.now_ns += SETUP_NS + self.pretence_ns * n_iters
        given = Problem(problem.x.copy(), problem.y.copy(), problem.w0.copy(), problem.b0, problem.lr)
        found = self.function(given, n_iters)
        spent = round(self.now_ns - began_ns)
        raw = RawReply(RawArray(ArrayFacts(found.w.shape, "float64", "cpu"), encode(found.w, FLOAT64)))
        return judge_reply(raw.timed(spent, spent, 0), problem, n_iters, FLOAT64, "cpu", finite=self.refuses)

    def clock(self) -> Any:
        """What an attack sees as the module `time`: a look at it takes a microsecond."""

        def perf_counter() -> float:
            self.now_ns += 1_000
            return self.now_ns / 1e9

        return SimpleNamespace(perf_counter=perf_counter)


def outcome_of(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, mechanisms: Mechanisms, check: SpotCheck | None = None
) -> Outcome:
    """What timing the attack comes to under these mechanisms."""
    step = descent.step

    def counted(problem: Problem, w: Any, b: Any) -> None:
        simulation.now_ns += STEP_NS
        step(problem, w, b)

    @contextmanager
    def launcher() -> Iterator[Simulation]:
        yield simulation

    check = check or SpotCheck(find("line-4").problem, FLOAT64, 0)
    job = Job(
        key="attack",
        verdict=PROVED,
        launcher=launcher,
        course=Course(dtype=FLOAT64, fresh=check.fresh, check=check.complaint, max_n=5_000),
    )
    with monkeypatch.context() as patched:
        patched.setattr(descent, "step", counted)
        patched.setattr("bench.timing.conclude.floor_ns", lambda: 0.5)
        [(_, outcome)] = time_cells([job], seed=0, launches=3, budget=BUDGET, mechanisms=mechanisms)
    return outcome
