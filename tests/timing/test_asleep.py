"""A machine that sleeps: no deadline runs out meanwhile, and no timing spans it."""

import sys
import time
from itertools import chain, count, repeat

import pytest

from bench.timing.asleep import NOTICED_NS, asleep_ns
from bench.timing.record import Timing, Void
from bench.timing.session import time_cells
from tests.timing.test_session import GENEROUS, Machine

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the clocks are Linux's")


@LINUX
def test_deadlines_are_by_a_clock_that_stands_still_while_the_machine_sleeps() -> None:
    for clock in ("perf_counter", "monotonic"):
        assert time.get_clock_info(clock).implementation == "clock_gettime(CLOCK_MONOTONIC)"


@LINUX
def test_a_sleep_is_the_time_that_one_clock_counts_and_the_other_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {time.CLOCK_BOOTTIME: 10_000_000_000, time.CLOCK_MONOTONIC: 7_000_000_000}
    monkeypatch.setattr(time, "clock_gettime_ns", counted.__getitem__)
    assert asleep_ns() == 3_000_000_000


def test_a_waking_machine_does_not_seem_to_sleep() -> None:
    before = asleep_ns()
    assert abs(asleep_ns() - before) < NOTICED_NS


def test_where_no_clock_tells_the_machine_never_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert asleep_ns() == 0


@pytest.mark.parametrize("slept_in", [0, 2])
def test_a_launch_that_spans_a_sleep_does_not_count_and_is_made_again(
    monkeypatch: pytest.MonkeyPatch, slept_in: int
) -> None:
    # Two looks at each launch; in one of them the machine has slept for ten seconds.
    looks = chain(repeat(0, 2 * slept_in + 1), repeat(10_000_000_000))
    monkeypatch.setattr("bench.timing.session.asleep_ns", lambda: next(looks))
    launches: list[int] = []
    machine = Machine()
    [(_, timing)] = time_cells(
        [machine.job()], seed=1, budget=GENEROUS, on_launch=lambda job, number: launches.append(number)
    )
    assert isinstance(timing, Timing)
    assert timing.launches == 5
    assert launches == [1, 2, 3, 4, 5, 6]
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)


def test_a_machine_that_sleeps_in_every_launch_makes_the_cell_void(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = count(0, 10_000_000_000)
    monkeypatch.setattr("bench.timing.session.asleep_ns", lambda: next(looks))
    machine = Machine()
    [(_, outcome)] = time_cells([machine.job()], seed=1, budget=GENEROUS)
    assert outcome == Void("the machine slept in 20 of 20 launches")
