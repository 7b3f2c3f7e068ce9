"""What a cell's device did, from workers that are simulated: columns, flags, notes, and what is not believed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bench.dtypes import Dtype
from bench.problems.problem import Problem
from bench.proof.subject import Answer, DeviceReport, Failure, Reply, Watch
from bench.proof.verdict import Status
from bench.runs.records import timing_record
from bench.timing.device import LONGEST_WATCH_NS, MOST_QUEUED, UNTIMED_ROUNDS
from bench.timing.plan import Budget
from bench.timing.record import Flag, Rejected, Timing, Void
from bench.timing.session import Outcome, time_cells
from tests.timing.test_clocks import nvml
from tests.timing.test_session import Machine, Worker, changed

LITTLE = Budget(sampling_ns=10_000_000, fewest_samples=6, total_seconds=60)


@dataclass
class Device(Machine):
    """A simulated cell on an accelerator.

    Attributes:
        hot_ns: device time of an iteration.
        cold_ns: what a cold cache adds to the first.
        host_ns: host time to start an iteration.
        kernel_share: of the device's time, inside kernels; ``None`` where no profiler tells.
        allocated: bytes an iteration.
        stretched: the worker's times are this many times the truth.
        trouble: what becomes of watched calls, where that is not an answer.
    """

    hot_ns: int = 3_000
    cold_ns: int = 2_000
    host_ns: int = 5_900
    kernel_share: float | None = 0.9
    allocated: int = 64
    stretched: float = 1.0
    trouble: Failure | None = None
    device_id: str | None = "GPU-1"
    watched: list[tuple[int, Watch]] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator["DeviceWorker"]:
        with super().__call__() as worker:
            yield DeviceWorker(self, worker.launch, worker.factor)


class DeviceWorker(Worker):
    """One launch of a `Device`."""

    machine: Device

    @property
    def device_id(self) -> str | None:
        return self.machine.device_id

    @property
    def peak_device_bytes(self) -> int:
        return 1000 + self.launch

    def watch(self, problem: Problem, n_iters: int, dtype: Dtype, watch: Watch) -> Reply:
        device = self.machine
        device.watched.append((n_iters, watch))
        if device.trouble is not None:
            return device.trouble
        answer = self.call(problem, n_iters, dtype)
        assert isinstance(answer, Answer)
        if watch is Watch.KERNELS:
            kernel = None if device.kernel_share is None else round(n_iters * device.hot_ns * device.kernel_share)
            return replace(answer, device=DeviceReport(kernel_ns=kernel))
        ns = 1_000 + n_iters * device.hot_ns + (device.cold_ns if watch is Watch.COLD and n_iters else 0)
        said = DeviceReport(
            device_ns=round(ns * device.stretched),
            host_ns=2_000 + n_iters * device.host_ns,
            allocated_bytes=n_iters * device.allocated,
        )
        return replace(answer, device=said)


def outcome_of(device: Device, budget: Budget = LITTLE) -> Outcome:
    [(_, outcome)] = time_cells([changed(device.job(), on_cpu=False)], seed=1, launches=5, budget=budget)
    return outcome


def timing_of(device: Device) -> Timing:
    outcome = outcome_of(device)
    assert isinstance(outcome, Timing), outcome
    return outcome


@pytest.fixture(autouse=True)
def binding(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def put(bindings: Any) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", bindings)

    put(nvml())
    return put


def test_a_cell_on_a_device_has_its_columns_beside_the_judges_slope() -> None:
    timing = timing_of(Device())
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)
    assert (timing.hot_ns_per_iter, timing.cold_ns_per_iter, timing.host_ns_per_iter) == (3_000, 5_000, 5_900)
    assert timing.sm_clock_mhz == 1980
    assert timing.cycles_per_iter == pytest.approx(timing.ns_per_iter * 1.98)
    assert timing.peak_device_bytes == 1005
    assert (timing.flags, timing.note) == ((), "")
    row = timing_record(timing)
    assert [row[name] for name in ("cold_ns_per_iter", "hot_ns_per_iter", "peak_device_bytes")] == [5_000, 3_000, 1005]


def test_on_the_cpu_nobody_looks() -> None:
    device = Device()
    [(_, outcome)] = time_cells([device.job()], seed=1, launches=5, budget=LITTLE)
    assert isinstance(outcome, Timing)
    assert device.watched == []
    assert (outcome.hot_ns_per_iter, outcome.sm_clock_mhz, outcome.peak_device_bytes) == (None, None, None)


def test_watched_calls_fit_into_the_queue_of_a_stream_and_the_profiler_looks_once() -> None:
    device = Device()
    timing_of(device)
    assert max(n for n, _ in device.watched) == MOST_QUEUED
    assert {n for n, watch in device.watched if watch is Watch.COLD} == {0, 1}
    assert sum(watch is Watch.KERNELS for _, watch in device.watched) == 3


def test_a_worker_whose_device_outran_the_judges_clock_is_not_believed() -> None:
    timing = timing_of(Device(stretched=100.0))
    assert (timing.hot_ns_per_iter, timing.cold_ns_per_iter, timing.host_ns_per_iter) == (None, None, None)
    assert "longer than the judge saw its calls take" in timing.note
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (Device(allocated=0), "took no memory of it"),
        (Device(stretched=0.0), "took none of its time"),
        (Device(kernel_share=0.001), "its kernels had no part in the iterations"),
    ],
)
def test_a_cell_that_did_not_use_its_device_is_flagged(device: Device, reason: str) -> None:
    timing = timing_of(device)
    assert timing.flags == (Flag.DEVICE,)
    assert (timing.doubt, timing.note) == (f"did not use the device: {reason}", "")


def test_without_a_profiler_the_note_says_so() -> None:
    timing = timing_of(Device(kernel_share=None))
    assert timing.flags == ()
    assert timing.note == "no profiler: that kernels did the work was not looked at"


def test_a_watched_call_that_fails_costs_the_columns_and_not_the_timing() -> None:
    timing = timing_of(Device(trouble=Failure(Status.TIMEOUT, None, "no answer within 10 s")))
    assert timing.hot_ns_per_iter is None
    assert timing.note == "the device was not watched: no answer within 10 s"


def test_a_watched_answer_is_checked_like_any_other() -> None:
    device = Device(wrong_call=len(calls_before_watching()))
    assert isinstance(outcome_of(device), Rejected)


def calls_before_watching() -> list[int]:
    """The calls of a first launch, up to its first watched one."""
    device = Device()
    [(_, _)] = time_cells([changed(device.job(), on_cpu=False)], seed=1, launches=5, budget=LITTLE)
    first = device.watched[0][0]
    lengths = [n for n, _ in device.calls]
    # The last call before the watched ones is a short or long one of the plan; the watched are short, long, 0, 1.
    at = next(i for i in range(len(lengths) - 3) if lengths[i : i + 4] == [first, MOST_QUEUED, 0, 1])
    return lengths[: at + 1]


def test_long_calls_are_watched_in_fewer_rounds() -> None:
    device = Device(per_iteration_ns=30_000_000.0, hot_ns=29_000_000)
    timing = timing_of(device)
    assert timing.hot_ns_per_iter == pytest.approx(29_000_000)
    events = sum(watch is Watch.EVENTS for _, watch in device.watched)
    assert events == 5 * 2 * (UNTIMED_ROUNDS + 1)
    assert LONGEST_WATCH_NS > 30_000_000 * 3 * 2


@pytest.mark.parametrize(
    ("bindings", "device_id", "reason"),
    [(None, "GPU-1", "pynvml cannot be imported"), (nvml(), None, "this one has none")],
)
def test_without_nvml_the_clock_columns_are_missing_and_the_note_says_why(
    binding: Callable[[Any], None], bindings: Any, device_id: str | None, reason: str
) -> None:
    binding(bindings)
    timing = timing_of(Device(device_id=device_id))
    assert (timing.sm_clock_mhz, timing.cycles_per_iter) == (None, None)
    assert timing.hot_ns_per_iter == 3_000
    assert reason in timing.note


def test_blocks_under_a_throttle_are_discarded_counted_and_named(binding: Callable[[Any], None]) -> None:
    readings = iter(range(10**9))
    binding(nvml(nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x40 if next(readings) % 20 == 19 else 0))
    timing = timing_of(Device())
    assert timing.discarded > 0
    assert "blocks discarded: hardware thermal slowdown" in timing.note
    assert timing.ns_per_iter == pytest.approx(6_000, rel=0.01)


def test_a_device_that_is_slowed_all_the_time_ends_inconclusive(binding: Callable[[Any], None]) -> None:
    binding(nvml(nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x80))
    device = Device()
    outcome = outcome_of(device)
    assert isinstance(outcome, Void)
    assert outcome.reason.startswith("inconclusive: ")
    assert "power brake" in outcome.reason
    assert device.launches == 20


def test_a_void_for_another_reason_keeps_it() -> None:
    outcome = outcome_of(Device(queue=lambda launch: 0.9))
    assert isinstance(outcome, Void)
    assert "too busy" in outcome.reason
