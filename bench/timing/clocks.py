"""The clock of a GPU and what slows it, read by the judge around every block through NVML, which no variant can touch.

Without NVML, or for a device that it does not know, nothing is read, and the note of a timing says once why.
"""

import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Any, Protocol, TypeVar

Block = TypeVar("Block")

MOVED = 0.05
"""A clock that differs by more than this share before and after a block."""

SLOWED_BY = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""The reasons of nvml.h for which a clock is lower than it could be, beside those that a device has when it is idle or
when somebody has set its clocks (0x01, 0x02, 0x10, 0x100)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of a device at one moment.

    Attributes:
        sm_mhz: clock of its multiprocessors.
        reasons: why that clock is lower than it could be, as bits of nvml.h.
    """

    sm_mhz: int
    reasons: int


class Clocks(Protocol):
    """What can be asked for the state of a device."""

    def read(self) -> Reading | None:
        """The state now; ``None`` where the driver does not say."""
        ...


class NvmlClocks:
    """The clocks of one NVIDIA device."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        # The driver of release 535 renamed them; older bindings have the older name alone.
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        self._reasons = [getattr(nvml, name) for name in names if hasattr(nvml, name)]

    def read(self) -> Reading | None:
        """The state now; a driver that knows no reasons gives none."""
        try:
            sm_mhz = int(self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))
        except Exception:  # noqa: BLE001 - whatever the driver does, the timing goes on
            return None
        for ask in self._reasons:
            with suppress(Exception):
                return Reading(sm_mhz, int(ask(self._handle)))
        return Reading(sm_mhz, 0)


def open_clocks(device_id: str | None) -> tuple[Clocks | None, str]:
    """The clocks of a device.

    Args:
        device_id: its UUID as NVML spells it, by the worker's account; one that NVML does not know opens nothing.

    Returns:
        The clocks and an empty text, or ``None`` and why there are none.
    """
    if device_id is None or not device_id.startswith("GPU-"):
        return None, "no clocks: NVML knows whole NVIDIA devices by their UUID, and this one has none"
    try:
        nvml: Any = import_module("pynvml")
    except Exception:  # noqa: BLE001 - an old pynvml warns or fails in its own ways
        return None, "no clocks: pynvml cannot be imported; install gdbench[cuda]"
    try:
        nvml.nvmlInit()
        clocks = NvmlClocks(nvml, nvml.nvmlDeviceGetHandleByUUID(device_id))
    except Exception as error:  # noqa: BLE001 - whatever the driver does, the timing goes on
        return None, f"no clocks: NVML says {error}"
    if clocks.read() is None:
        return None, "no clocks: NVML does not tell this device's"
    return clocks, ""


def disturbance(*readings: Reading) -> str | None:
    """Why a block with these readings around and in it says nothing; ``None`` where it was left alone.

    >>> disturbance(Reading(1980, 0), Reading(1980, 0x40 | 0x01))
    'hardware thermal slowdown'
    >>> disturbance(Reading(1980, 0x02), Reading(1755, 0))
    'clock moved'
    >>> disturbance(Reading(1980, 0x02), Reading(1965, 0)) is None
    True
    """
    reasons = reduce(or_, (each.reasons for each in readings), 0)
    for bit, cause in SLOWED_BY.items():
        if reasons & bit:
            return cause
    clocks = [each.sm_mhz for each in readings]
    return "clock moved" if max(clocks) - min(clocks) > MOVED * max(clocks) else None


@dataclass(slots=True)
class ClockWatch:
    """All blocks of a cell, with the clock that they ran at.

    No block is made again for one that was discarded, so that discards are bounded by the plan of the cell.

    Attributes:
        clocks: of the device; ``None`` where there are none.
        blocks: how many were watched.
        discarded: how many were discarded for each cause.
        sm_mhz: the clock after each block that was kept.
    """

    clocks: Clocks | None
    blocks: int = 0
    discarded: dict[str, int] = field(default_factory=dict)
    sm_mhz: list[int] = field(default_factory=list)

    def block(self, made: Callable[[], Block]) -> Block | None:
        """Make a block and watch it; ``None`` in its place where it is to be discarded."""
        if self.clocks is None:
            return made()
        before = self.clocks.read()
        result = made()
        after = self.clocks.read()
        if not self.undisturbed(before, after):
            return None
        if before is not None and after is not None:
            self.sm_mhz.append(after.sm_mhz)
        return result

    def undisturbed(self, *readings: Reading | None) -> bool:
        """Count a block with these readings around and in it; whether it is to be kept."""
        self.blocks += 1
        known = [each for each in readings if each is not None]
        cause = disturbance(*known) if len(known) == len(readings) else None
        if cause is not None:
            self.discarded[cause] = self.discarded.get(cause, 0) + 1
        return cause is None

    @property
    def discards(self) -> int:
        """How many blocks were discarded."""
        return sum(self.discarded.values())

    def median_mhz(self) -> float | None:
        """The clock of the blocks that were kept; ``None`` where nothing was read."""
        return float(statistics.median(self.sm_mhz)) if self.sm_mhz else None

    def note(self) -> str:
        """What was discarded, and for which causes, the most frequent first; empty where nothing was.

        >>> ClockWatch(None, 40, {"clock moved": 2, "power brake": 5}).note()
        '7 of 40 blocks discarded: power brake (5), clock moved (2)'
        """
        if not self.discarded:
            return ""
        causes = sorted(self.discarded.items(), key=lambda each: -each[1])
        named = ", ".join(f"{cause} ({times})" for cause, times in causes)
        return f"{self.discards} of {self.blocks} blocks discarded: {named}"


@dataclass(frozen=True, slots=True)
class Pace:
    """The clocks that the sides of a comparison ran at, over all its launches.

    Attributes:
        base_mhz: of the base's calls, its copy's too; ``None`` where not known.
        head_mhz: of the head's calls.
        note: what was discarded, or why no clock is known; empty on a CPU, and where there is nothing to say.
        left_out: launches of which too little was kept to be counted.
    """

    base_mhz: float | None = None
    head_mhz: float | None = None
    note: str = ""
    left_out: int = 0


@dataclass(slots=True)
class PaceWatch:
    """The blocks of a comparison, and the clock that each of its arms ran at.

    Attributes:
        watch: all blocks.
        why_none: why there are no clocks.
        sm_mhz: the clock after each call in a block that was kept, by the number of the arm.
        left_out: launches of which too little was kept.
    """

    watch: ClockWatch
    why_none: str = ""
    sm_mhz: dict[int, list[int]] = field(default_factory=dict)
    left_out: int = 0

    @classmethod
    def of(cls, device_id: str | None) -> "PaceWatch":
        """That of a device; see `open_clocks`."""
        clocks, why_none = open_clocks(device_id)
        return cls(ClockWatch(clocks), why_none)

    def read(self) -> Reading | None:
        """The state of the device now; ``None`` where it is not known."""
        return None if self.watch.clocks is None else self.watch.clocks.read()

    def kept(self, before: Reading | None, after: Sequence[tuple[int, Reading | None]]) -> bool:
        """Whether a block is to be kept, by the readings before it and after each call, with the number of its arm."""
        if not self.watch.undisturbed(before, *(reading for _, reading in after)):
            return False
        for number, reading in after:
            if reading is not None:
                self.sm_mhz.setdefault(number, []).append(reading.sm_mhz)
        return True

    def pace(self, bases: Sequence[int], head: int) -> Pace:
        """What there is to say of the arms with these numbers."""
        note = self.watch.note() or self.why_none
        return Pace(self._mean_mhz(*bases), self._mean_mhz(head), note, self.left_out)

    def _mean_mhz(self, *numbers: int) -> float | None:
        # The mean and no median: arms take turns, and a clock that had two values had them for every arm alike.
        read = [mhz for number in numbers for mhz in self.sm_mhz.get(number, ())]
        return statistics.geometric_mean(read) if read and min(read) > 0 else None


def cycles_per_iteration(ns_per_iter: float, sm_mhz: float | None) -> float | None:
    """What an iteration takes in clock cycles of the device.

    >>> cycles_per_iteration(5_000.0, 1_980.0)
    9900.0
    """
    return None if sm_mhz is None else ns_per_iter * sm_mhz / 1e3


def ratio_in_cycles(ratio: float, base_mhz: float | None, head_mhz: float | None) -> float:
    """A ratio of times, head over base, as it is in cycles; as it was where a clock is not known.

    A head that is slower only because its blocks ran at a lower clock is not slower in cycles.

    >>> ratio_in_cycles(1.25, base_mhz=2000.0, head_mhz=1600.0)
    1.0
    """
    if not base_mhz or not head_mhz:
        return ratio
    return ratio * head_mhz / base_mhz


def holds_in_cycles(ratio: float, threshold: float, base_mhz: float | None, head_mhz: float | None) -> bool:
    """Whether a comparison's finding, slower or faster by more than a threshold, holds in cycles as well.

    Args:
        ratio: head over base, in time; above 1 is slower.
        threshold: above 1, such as 1.025: slower means beyond it, faster means below its inverse.
        base_mhz: the clock of base's blocks; ``None`` where not known, and then nothing speaks against it.
        head_mhz: the clock of head's blocks.

    >>> holds_in_cycles(1.08, 1.025, 1980.0, 1980.0), holds_in_cycles(1.08, 1.025, 1980.0, 1850.0)
    (True, False)
    >>> holds_in_cycles(0.90, 1.025, 1980.0, 1980.0), holds_in_cycles(0.90, 1.025, 1780.0, 1980.0)
    (True, False)
    """
    in_cycles = ratio_in_cycles(ratio, base_mhz, head_mhz)
    return in_cycles > threshold if ratio > 1 else in_cycles < 1 / threshold
