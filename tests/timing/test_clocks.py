"""The clocks of a device, from an NVML that is simulated."""

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bench.timing.clocks import ClockWatch, Pace, PaceWatch, Reading, cycles_per_iteration, disturbance, open_clocks


class Clocks:
    """Gives the readings one after the other."""

    def __init__(self, readings: Sequence[Reading | None]) -> None:
        self._readings = iter(readings)

    def read(self) -> Reading | None:
        return next(self._readings)


def nvml(mhz: int = 1980, reasons: int = 0, **replaced: Any) -> Any:
    def handle(uuid: str) -> str:
        if uuid != "GPU-1":
            raise RuntimeError("Not Found")
        return "handle"

    named = {
        "NVML_CLOCK_SM": 1,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByUUID": handle,
        "nvmlDeviceGetClockInfo": lambda handle, kind: mhz,
        "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: reasons,
    }
    return SimpleNamespace(**{name: each for name, each in (named | replaced).items() if each is not None})


def fail(*_: object) -> int:
    raise RuntimeError("Not Supported")


@pytest.mark.parametrize(
    "bindings",
    [
        nvml(1500, 4),
        nvml(
            1500,
            nvmlDeviceGetCurrentClocksEventReasons=None,
            nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 4,
        ),
        nvml(
            1500,
            nvmlDeviceGetCurrentClocksEventReasons=fail,
            nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 4,
        ),
    ],
    ids=["new", "old binding", "old driver"],
)
def test_nvml_is_asked_by_either_name(bindings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", bindings)
    clocks, why_not = open_clocks("GPU-1")
    assert why_not == ""
    assert clocks is not None
    assert clocks.read() == Reading(1500, 4)


@pytest.mark.parametrize(
    ("bindings", "device_id", "reason"),
    [
        (nvml(), None, "this one has none"),
        (nvml(), "MIG-1", "this one has none"),
        (None, "GPU-1", "install gdbench[cuda]"),
        (nvml(), "GPU-2", "NVML says Not Found"),
        (nvml(nvmlInit=fail), "GPU-1", "NVML says Not Supported"),
        (nvml(nvmlDeviceGetClockInfo=fail), "GPU-1", "does not tell this device's"),
    ],
)
def test_without_clocks_there_is_a_reason(
    bindings: Any, device_id: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", bindings)
    clocks, why_not = open_clocks(device_id)
    assert clocks is None
    assert reason in why_not


def test_the_constants_are_those_of_the_binding() -> None:
    binding = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    from bench.timing.clocks import SLOWED_BY

    names = ("SwPowerCap", "HwSlowdown", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown")
    assert list(SLOWED_BY) == [getattr(binding, f"nvmlClocksThrottleReason{name}") for name in names]


@pytest.mark.parametrize("reasons", [0x0, 0x1, 0x2, 0x10, 0x100, 0x113])
def test_an_idle_device_and_clocks_that_somebody_set_are_no_disturbance(reasons: int) -> None:
    assert disturbance(Reading(1980, reasons), Reading(1980, reasons)) is None


def test_a_reason_on_either_side_counts() -> None:
    for before, after in ((0x80, 0), (0, 0x80)):
        assert disturbance(Reading(1980, before), Reading(1980, after)) == "power brake"


def test_blocks_are_kept_and_discarded_each_for_its_cause() -> None:
    calm, hot, low = Reading(1980, 0), Reading(1980, 0x20), Reading(1200, 0)
    watch = ClockWatch(Clocks([calm, calm, calm, hot, calm, low, low, low, calm, None]))
    kept = [watch.block(lambda n=n: n) for n in range(5)]  # type: ignore[misc]
    assert kept == [0, None, None, 3, 4]
    assert watch.discarded == {"software thermal slowdown": 1, "clock moved": 1}
    assert watch.note() == "2 of 5 blocks discarded: software thermal slowdown (1), clock moved (1)"
    assert watch.sm_mhz == [1980, 1200]
    assert watch.median_mhz() == 1590.0


def test_without_clocks_every_block_is_kept_and_nothing_said() -> None:
    watch = ClockWatch(None)
    assert watch.block(lambda: "block") == "block"
    assert (watch.note(), watch.median_mhz(), watch.blocks) == ("", None, 0)
    assert cycles_per_iteration(5_000.0, None) is None


def test_a_clock_that_moved_within_a_block_discards_it() -> None:
    calm, low = Reading(1980, 0), Reading(1800, 0)
    assert disturbance(calm, low, calm) == "clock moved"
    assert disturbance(calm, Reading(1980, 0x08), calm) == "hardware slowdown"


def test_each_arm_of_a_comparison_has_its_clock() -> None:
    watch = PaceWatch(ClockWatch(Clocks([])))
    fast, slow = Reading(2000, 0), Reading(1960, 0)
    assert watch.kept(fast, [(0, fast), (1, fast), (2, slow)])
    assert not watch.kept(fast, [(0, fast), (1, Reading(2000, 0x04)), (2, slow)])
    assert watch.kept(None, [(0, None), (1, fast), (2, slow)])
    pace = watch.pace((0, 1), 2)
    assert [pace.base_mhz, pace.head_mhz] == pytest.approx([2000.0, 1960.0])
    assert pace.note == "1 of 3 blocks discarded: power cap (1)"


def test_a_comparison_without_clocks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    watch = PaceWatch.of("GPU-1")
    assert watch.kept(watch.read(), [(0, watch.read())])
    assert watch.pace((0,), 1) == Pace(note="no clocks: pynvml cannot be imported; install gdbench[cuda]")
