"""What a cell's accelerator did, by the worker's account, held against the judge's clock and read beside NVML's."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from bench.judge.accelerator import UNHELD_CALLS
from bench.proof.subject import Answer, Watch, Watched
from bench.timing.clocks import ClockWatch, cycles_per_iteration, open_clocks
from bench.timing.noise import percent
from bench.timing.plan import GROWTH, Plan
from bench.timing.record import Flag, Timing, Void

MOST_QUEUED = 32
"""Iterations of the longest watched call: a stream takes about 1024 launches before its host must wait, and an
iteration of torch's autograd launches some thirty."""

UNTIMED_ROUNDS, ROUNDS = UNHELD_CALLS, 5
"""The first bring no time: a worker sees there how long the stream must be held."""

LONGEST_WATCH_NS = 200_000_000
"""Watching goes on no longer than this in a launch, whatever the rounds."""

LEAST_KERNEL_SHARE = 0.01
"""Of the device's time for an iteration, inside kernels. Work done elsewhere and copied leaves none of it there."""

Outcome = TypeVar("Outcome")
Ask = Callable[[int, Watch], Answer]
"""Makes one watched and checked call of that many iterations."""


@dataclass(frozen=True, slots=True)
class _Call:
    n: int
    watch: Watch
    device_ns: int | None
    host_ns: int | None
    allocated_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one launch showed, nanoseconds an iteration."""

    cold_ns: float | None
    hot_ns: float | None
    host_ns: float | None


@dataclass(slots=True)
class DeviceWatch:
    """Everything that is seen of a cell's accelerator, over all its launches.

    Attributes:
        clocks: the blocks, and the clock that they ran at.
        remarks: why something is missing, each once.
        peak_bytes: the most memory of the device that the timed calls of a launch took.
    """

    clocks: ClockWatch = field(default_factory=lambda: ClockWatch(None))
    remarks: list[str] = field(default_factory=list)
    peak_bytes: int | None = None
    _seen: list[_Seen] = field(default_factory=list)
    _unused: set[str] = field(default_factory=set)
    _kernel_share: float | None = None
    _profiled: bool = False
    _opened: bool = False

    def begin(self, subject: Watched) -> None:
        """Take note of a launch's worker; the clocks are opened with the first."""
        if not self._opened:
            self._opened = True
            self.clocks.clocks, why_not = open_clocks(subject.device_id)
            self.remark(why_not)

    def remark(self, text: str) -> None:
        """Keep a text for the note."""
        if text and text not in self.remarks:
            self.remarks.append(text)

    def look(self, subject: Watched, plan: Plan, ask: Ask) -> None:
        """Have a worker watch its device, once its timed calls are done.

        Args:
            subject: the worker.
            plan: of the timed calls.
            ask: makes one call; whatever it raises ends the looking.
        """
        # Before anything is flushed: the buffer for that is no memory of the variant's.
        peak = subject.peak_device_bytes
        if peak is not None:
            self.peak_bytes = max(peak, self.peak_bytes or 0)
        long = min(MOST_QUEUED, plan.n_large)
        short = max(1, long // GROWTH)
        calls = self._calls(ask, short, long)
        if calls is None:
            return
        seen = _Seen(
            cold_ns=_slope(calls, Watch.COLD, 0, 1, "device_ns"),
            hot_ns=_slope(calls, Watch.EVENTS, short, long, "device_ns"),
            host_ns=_slope(calls, Watch.EVENTS, short, long, "host_ns"),
        )
        self._seen.append(seen)
        self._look_for_use(calls)
        if not self._profiled:
            self._profiled = True
            self._look_for_kernels(ask, short, long, seen.hot_ns)

    def applied(self, outcome: Outcome) -> Outcome:
        """An outcome with what the device did: columns, flag and note of a timing, the reason of a `Void`."""
        if isinstance(outcome, Void):
            return cast("Outcome", self._void(outcome))
        return cast("Outcome", self._timing(outcome)) if isinstance(outcome, Timing) else outcome

    def _calls(self, ask: Ask, short: int, long: int) -> list[_Call] | None:
        """Rounds of calls; ``None`` where the worker's times cannot be true."""
        asked = ((short, Watch.EVENTS), (long, Watch.EVENTS), (0, Watch.COLD), (1, Watch.COLD))
        calls: list[_Call] = []
        spent_ns = 0
        for number in range(UNTIMED_ROUNDS + ROUNDS):
            for n, watch in asked:
                answer = self.clocks.block(lambda n=n, watch=watch: ask(n, watch))  # type: ignore[misc]
                if answer is None:
                    continue
                spent_ns += answer.elapsed_ns
                said = answer.device
                if said is None:
                    continue
                if max(said.device_ns or 0, said.host_ns or 0) > answer.elapsed_ns:
                    self.remark("the worker's device times are longer than the judge saw its calls take: left out")
                    return None
                calls.append(_Call(n, watch, said.device_ns, said.host_ns, said.allocated_bytes))
            if number >= UNTIMED_ROUNDS and spent_ns > LONGEST_WATCH_NS:
                break
        return calls

    def _look_for_use(self, calls: Sequence[_Call]) -> None:
        worked = [call for call in calls if call.n > 0]
        if any(call.allocated_bytes == 0 for call in worked):
            self._unused.add("took no memory of it")
        if any(call.device_ns == 0 for call in worked):
            self._unused.add("took none of its time")

    def _look_for_kernels(self, ask: Ask, short: int, long: int, hot_ns: float | None) -> None:
        """Whether the iterations are made of kernels; work done elsewhere and copied is made of waiting."""
        kernel_ns: list[int] = []
        # The profiler starts with the first call, and that takes a while.
        for n in (short, short, long):
            said = ask(n, Watch.KERNELS).device
            if said is None or said.kernel_ns is None:
                self.remark("no profiler: that kernels did the work was not looked at")
                return
            kernel_ns.append(said.kernel_ns)
        if hot_ns is None:
            return
        self._kernel_share = (kernel_ns[2] - kernel_ns[1]) / (long - short) / hot_ns
        if self._kernel_share < LEAST_KERNEL_SHARE:
            self._unused.add("its kernels had no part in the iterations")

    def _timing(self, timing: Timing) -> Timing:
        sm_mhz = self.clocks.median_mhz()
        used = {} if not self._unused else {Flag.DEVICE: f"did not use the device: {', '.join(sorted(self._unused))}"}
        remarks = (timing.note, self.clocks.note(), *self.remarks)
        return replace(
            timing,
            cold_ns_per_iter=self._median("cold_ns"),
            hot_ns_per_iter=self._median("hot_ns"),
            host_ns_per_iter=self._median("host_ns"),
            sm_clock_mhz=sm_mhz,
            cycles_per_iter=cycles_per_iteration(timing.ns_per_iter, sm_mhz),
            peak_device_bytes=self.peak_bytes,
            discarded=timing.discarded + self.clocks.discards,
            flags=(*timing.flags, *used),
            doubt="; ".join(filter(None, (timing.doubt, *used.values()))),
            note="; ".join(remark for remark in remarks if remark),
        )

    def _void(self, void: Void) -> Void:
        """Where blocks were discarded for the device's clock, that is why too few are left."""
        note = self.clocks.note()
        if 2 * self.clocks.discards < self.clocks.blocks or not note:
            return void
        return Void(f"inconclusive: {note}, {percent(self.clocks.discards / self.clocks.blocks)} of them")

    def _median(self, name: str) -> float | None:
        values = [value for value in (getattr(seen, name) for seen in self._seen) if value is not None]
        return float(statistics.median(values)) if values else None


def _slope(calls: Sequence[_Call], watch: Watch, short: int, long: int, name: str) -> float | None:
    """Nanoseconds an iteration between the least time of calls of two lengths; ``None`` where it does not stand out."""
    least: list[int] = []
    for n in (short, long):
        times = [getattr(call, name) for call in calls if call.watch is watch and call.n == n]
        known = [ns for ns in times if ns is not None]
        if not known:
            return None
        least.append(min(known))
    return (least[1] - least[0]) / (long - short) if least[1] > least[0] else None
