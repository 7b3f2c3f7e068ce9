"""What a worker says of its accelerator: the logic on a simulated device, the journey on the CPU, the rest on a GPU."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench.dtypes import DTYPES
from bench.judge import accelerator as module
from bench.judge.accelerator import HOLD_MARGIN, LARGEST_L2_BYTES, UNHELD_CALLS, Accelerator, accelerator_of
from bench.judge.protocol import Kind
from bench.judge.replies import answers
from bench.judge.workshop import WorkerLimits, Workshop
from bench.problems.problem import Problem
from bench.proof.subject import Answer, DeviceReport, Watch
from bench.variants.contract import Variant
from tests.judge.simulated_cuda import GHZ, L2_BYTES, Gpu


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    simulated = Gpu()
    monkeypatch.setitem(sys.modules, "torch", simulated.torch())
    monkeypatch.setitem(sys.modules, "torch.profiler", simulated.profiler())
    monkeypatch.setattr("bench.judge.accelerator.time.perf_counter_ns", lambda: simulated.host_ns)
    return simulated


def descent(gpu: Gpu, n_iters: int, kernel_ns: int = 1_500, launch_ns: int = 4_000) -> Callable[[], str]:
    """Two kernels an iteration; the first of a cold call takes 3 us more. Each iteration is given 256 bytes."""

    def call() -> str:
        for _ in range(n_iters):
            gpu.launch(kernel_ns + (3_000 if gpu.cold else 0), launch_ns)
            gpu.cold = False
            gpu.launch(kernel_ns, launch_ns)
            gpu.taken_bytes += 256
        return "descent"

    return call


def held(watching: Accelerator, call: Callable[[], object], n: int, watch: Watch) -> DeviceReport:
    """What is reported of a call behind a hold, after those without one."""
    for _ in range(UNHELD_CALLS):
        report = watching.watched(call, n, watch)[1]
        assert (report.device_ns, report.host_ns) == (None, None)
    return watching.watched(call, n, watch)[1]


def test_a_held_stream_shows_the_device_alone_and_the_host_alone(gpu: Gpu) -> None:
    watching = Accelerator("cuda")
    assert watching.watched(descent(gpu, 20), 20, Watch.EVENTS)[0] == "descent"
    report = held(Accelerator("cuda"), descent(gpu, 20), 20, Watch.EVENTS)
    assert report == DeviceReport(device_ns=20 * 3_000, host_ns=20 * 8_000, allocated_bytes=20 * 256)


def test_without_the_hold_the_events_would_show_the_launching(gpu: Gpu) -> None:
    gpu.broken.add("_sleep")
    assert held(Accelerator("cuda"), descent(gpu, 20), 20, Watch.EVENTS).device_ns is None
    gpu.broken.clear()
    unheld = Accelerator("cuda")
    del unheld._module._sleep
    report = held(unheld, descent(gpu, 20), 20, Watch.EVENTS)
    assert report.device_ns is not None
    assert report.device_ns > 150_000
    assert report.host_ns == 20 * 8_000


def test_what_waits_for_its_device_has_no_host_time_that_a_hold_could_not_hide(gpu: Gpu) -> None:
    def waiting() -> None:
        for _ in range(20):
            gpu.launch(2_000, launch_ns=4_500)
            gpu.wait()

    report = held(Accelerator("cuda"), waiting, 20, Watch.EVENTS)
    assert report.host_ns is None
    assert report.device_ns is not None
    # A first call that compiles does not hide that the others wait.
    watching = Accelerator("cuda")
    watching.watched(lambda: gpu.launch(0, launch_ns=10**9), 20, Watch.EVENTS)
    watching.watched(waiting, 20, Watch.EVENTS)
    assert watching.watched(waiting, 20, Watch.EVENTS)[1].host_ns is None


def test_the_hold_is_as_long_as_the_calls_of_that_kind_without_one(gpu: Gpu) -> None:
    watching = Accelerator("cuda")
    for n in (1, 20) * (UNHELD_CALLS + 1):
        watching.watched(descent(gpu, n), n, Watch.EVENTS)
    assert gpu.spins == [GHZ * HOLD_MARGIN * n * 8_000 for n in (1, 20)]
    gpu.spins.clear()
    report = held(watching, descent(gpu, 1, launch_ns=10**9), 1, Watch.COLD)
    assert gpu.spins == [GHZ * module.LONGEST_HOLD_NS]
    assert report.host_ns == 2 * 10**9


@pytest.mark.parametrize(("said", "flushed"), [(L2_BYTES, L2_BYTES), (0, LARGEST_L2_BYTES)])
def test_a_cold_call_finds_twice_the_l2_flushed_outside_its_events(gpu: Gpu, said: int, flushed: int) -> None:
    gpu.l2_bytes = said
    watching = Accelerator("cuda")
    reports = [held(watching, descent(gpu, 1), 1, watch) for watch in (Watch.EVENTS, Watch.COLD)]
    assert [report.device_ns for report in reports] == [3_000, 6_000]
    assert gpu.flushed_bytes == [2 * flushed] * (UNHELD_CALLS + 1)


@pytest.mark.parametrize("broken", ["record", "_sleep", "empty"])
def test_what_fails_here_is_a_missing_number_and_no_fault_of_the_variant(gpu: Gpu, broken: str) -> None:
    gpu.broken.add(broken)
    report = held(Accelerator("cuda"), descent(gpu, 3), 3, Watch.COLD)
    assert report.device_ns is None
    assert report.host_ns == 24_000


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.COLD, Watch.KERNELS])
def test_what_the_variant_raises_leaves_as_it_is(gpu: Gpu, watch: Watch) -> None:
    def call() -> None:
        raise ZeroDivisionError("the variant's")

    with pytest.raises(ZeroDivisionError, match="the variant's"):
        Accelerator("cuda").watched(call, 1, watch)
    assert gpu.profile is None


def test_time_inside_kernels_is_without_copies(gpu: Gpu) -> None:
    def copying() -> None:
        gpu.launch(10_000, name="Memcpy HtoD (Pageable -> Device)")
        gpu.host_ns += 10**6
        gpu.launch(10_000, name="Memset (Device)")

    watching = Accelerator("cuda")
    marker = watching.watched(lambda: None, 0, Watch.KERNELS)[1].kernel_ns
    assert marker is not None
    assert watching.watched(copying, 1, Watch.KERNELS)[1].kernel_ns == marker
    assert watching.watched(descent(gpu, 7), 7, Watch.KERNELS)[1] == DeviceReport(kernel_ns=marker + 7 * 3_000)


def test_a_profiler_that_sees_nothing_says_nothing(gpu: Gpu) -> None:
    gpu.blind = True
    assert Accelerator("cuda").watched(descent(gpu, 7), 7, Watch.KERNELS)[1] == DeviceReport()
    gpu.broken.add("profile")
    assert Accelerator("cuda").watched(descent(gpu, 7), 7, Watch.KERNELS)[1] == DeviceReport()


def test_an_allocator_that_does_not_count_says_nothing(gpu: Gpu) -> None:
    gpu.taken_bytes = 0
    assert Accelerator("cuda").watched(lambda: None, 1, Watch.EVENTS)[1].allocated_bytes is None


def test_a_device_is_named_as_nvml_names_it(gpu: Gpu) -> None:
    assert Accelerator("cuda").identity() == "GPU-0a1b2c3d-0000-1111-2222-333344445555"
    gpu.uuid = ""
    assert Accelerator("cuda").identity() is None
    gpu.uuid = "MIG-1"
    assert Accelerator("cuda").identity() == "MIG-1"


def test_latencies_are_slopes(gpu: Gpu) -> None:
    assert Accelerator("cuda").latencies() == {
        "launch_ns": 4_000.0,
        "replay_ns": 6_000.0,
        "graph_kernel_ns": 1_000.0,
    }
    gpu.broken.add("capture")
    assert Accelerator("cuda").latencies() == {"launch_ns": 4_000.0, "replay_ns": None, "graph_kernel_ns": None}


def test_only_torch_and_only_an_accelerator_is_watched(gpu: Gpu) -> None:
    assert accelerator_of("torch", "cpu") is None
    assert accelerator_of("numpy", "cuda") is None
    assert accelerator_of("torch", "cuda") is not None


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (None, True),
        ({"launch_ns": 4e3, "replay_ns": None, "graph_kernel_ns": 1.0}, True),
        ({"launch_ns": 4, "replay_ns": None, "graph_kernel_ns": 1.0}, False),
        ({"launch_ns": 4e3}, False),
        ([4e3], False),
    ],
)
def test_latencies_that_are_none_are_refused(reply: object, right: bool) -> None:
    assert answers(Kind.LATENCIES, reply) is right


def test_a_worker_on_the_cpu_may_be_asked_and_has_nothing_to_say(
    workshop: Workshop, variant_at: Callable[..., Variant], problem: Problem
) -> None:
    with workshop.launch(variant_at("honest.py:honest"), "cpu") as worker:  # type: ignore[union-attr]
        assert worker.device_id is None
        answer = worker.watch(problem, 3, DTYPES["float64"], Watch.EVENTS)
        assert isinstance(answer, Answer)
        assert answer.device == DeviceReport()
        plain = worker.call(problem, 3, DTYPES["float64"])
        assert isinstance(plain, Answer)
        assert plain.device is None
    assert workshop.devices.latencies("numpy", "cpu") == {}


def cuda_or_skip() -> Any:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device here")
    return torch


@pytest.mark.cuda
def test_a_real_device_is_watched_through_a_worker(variant_at: Callable[..., Variant], problem: Problem) -> None:
    cuda_or_skip()
    with Workshop(WorkerLimits(call_seconds=60.0)) as shop:
        variant = Variant("torch-manual", "torch", "manual", "gd_impls.torch_manual:torch_manual")
        with shop.launch(variant, "cuda") as worker:  # type: ignore[union-attr]
            for number, watch in enumerate((Watch.EVENTS, Watch.COLD, Watch.KERNELS) * (UNHELD_CALLS + 2)):
                answer = worker.watch(problem, 16, DTYPES["float32"], watch)
                assert isinstance(answer, Answer)
                assert answer.device is not None
                if watch is Watch.KERNELS:
                    assert answer.device.kernel_ns
                elif number >= 3 * UNHELD_CALLS:
                    assert 0 < (answer.device.device_ns or 0) < answer.elapsed_ns
                    assert 0 < (answer.device.host_ns or 0) < answer.elapsed_ns
                    assert answer.device.allocated_bytes
            assert worker.device_id is not None
        latencies = shop.devices.latencies("torch", "cuda")
        assert isinstance(latencies, dict)
        assert set(latencies) == {"launch_ns", "replay_ns", "graph_kernel_ns"}
