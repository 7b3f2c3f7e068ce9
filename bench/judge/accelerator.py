"""What a worker can say of its accelerator: device events around a call, time inside kernels, bytes taken, latencies.

All of it is the worker's own account, in the variant's process: the judge holds it against its own clock.
Whatever fails here is a missing number and never the variant's fault. Torch alone; docs/how-to-cuda.md has the method.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, TypeVar

from bench.proof.subject import DeviceReport, Watch

Result = TypeVar("Result")

LARGEST_L2_BYTES = 128 << 20
"""What is flushed where the device does not say how large its L2 is: as large as any sold."""

FLUSHED_TIMES_L2 = 2
HOLD_CYCLES_PER_NS = 2.0
"""A spin kernel counts clock cycles, and no device runs above 2 GHz by much: the hold is at least as long as meant."""

HOLD_MARGIN = 1.5
LONGEST_HOLD_NS = 20_000_000
UNHELD_CALLS = 2
"""So many calls of a kind are made without a hold, to see how long it must be; the first may compile. They are not
timed."""

WAITED_SHARE = 0.5
"""A call that takes longer behind a hold than without one, by more than this share of it, has waited for its end."""

LATENCY_LAUNCHES = (100, 900)
"""Fewer than a stream's queue holds, which is about 1024."""

LATENCY_REPEATS = 20
_IDENTITY_LETTERS = 64


class Accelerator:
    """One device other than the CPU, as torch sees it."""

    def __init__(self, device: str) -> None:
        """Take a device that torch has.

        Args:
            device: ``cuda``, ``cuda:1``, ``xpu``, ``mps``.
        """
        import torch  # noqa: PLC0415

        self._torch: Any = torch
        self._device = device
        self._kind = device.partition(":")[0]
        self._module: Any = getattr(torch, self._kind, None)
        self._unheld_ns: dict[tuple[Watch, int], list[int]] = {}
        self._flushed: Any = None

    def identity(self) -> str | None:
        """The device's UUID as NVML spells it; ``None`` where torch does not know it."""
        uuid = ""
        with suppress(Exception):
            uuid = str(getattr(self._properties(), "uuid", "") or "")
        if not uuid:
            return None
        named = uuid if uuid.startswith(("GPU-", "MIG-")) or self._kind != "cuda" else f"GPU-{uuid}"
        return named[:_IDENTITY_LETTERS]

    def watched(self, call: Callable[[], Result], n_iters: int, watch: Watch) -> tuple[Result, DeviceReport]:
        """Make a call and watch it.

        Args:
            call: starts the work, and may return before the device has done it.
            n_iters: its iterations: calls of as many take about as long to start.
            watch: what is to be looked at; `Watch.KERNELS` excludes the others.

        Raises:
            BaseException: whatever ``call`` raises, and nothing else.
        """
        return self._profiled(call) if Watch.KERNELS in watch else self._timed(call, (watch, n_iters))

    def _timed(self, call: Callable[[], Result], kind: tuple[Watch, int]) -> tuple[Result, DeviceReport]:
        unheld_ns = self._unheld_ns.setdefault(kind, [])
        held = len(unheld_ns) >= UNHELD_CALLS
        hold_ns = min(LONGEST_HOLD_NS, round(HOLD_MARGIN * min(unheld_ns))) if held else 0
        taken_before = self._taken_bytes()
        begin = self._begin(hold_ns, cold=Watch.COLD in kind[0])
        began_ns = time.perf_counter_ns()
        result = call()
        host_ns = time.perf_counter_ns() - began_ns
        device_ns = None if begin is None else self._end(begin)
        taken = self._taken_bytes()
        allocated = None if taken is None or taken_before is None else taken - taken_before
        if not held:
            unheld_ns.append(host_ns)
            return result, DeviceReport(allocated_bytes=allocated)
        # What waits for the device within its call waits for the hold as well: how long it takes to start is hidden.
        waited = host_ns > min(unheld_ns) + WAITED_SHARE * hold_ns
        host = None if waited else host_ns
        return result, DeviceReport(device_ns=device_ns, host_ns=host, allocated_bytes=allocated)

    def _begin(self, hold_ns: int, *, cold: bool) -> Any:
        """Flush, hold the stream, and record the first event behind that; ``None`` where it cannot be done."""
        try:
            self._synchronise()
            # The variant's current device stays what it was.
            with self._on_device():
                if cold:
                    self._flush()
                self._hold(hold_ns)
                return self._recorded()
        except Exception:  # noqa: BLE001 - no event, no number; the call is made all the same
            return None

    def _end(self, begin: Any) -> int | None:
        try:
            with self._on_device():
                end = self._recorded()
            end.synchronize()
            return max(0, round(1e6 * float(begin.elapsed_time(end))))
        except Exception:  # noqa: BLE001 - an error of the variant's own work shows again when it is synchronised
            return None

    def _profiled(self, call: Callable[[], Result]) -> tuple[Result, DeviceReport]:
        """Make the call under torch's profiler, which sees every kernel of the device, whoever launched it."""
        profile = self._profile()
        try:
            result = call()
        finally:
            kernel_ns = None if profile is None else self._kernel_ns(profile)
        return result, DeviceReport(kernel_ns=kernel_ns)

    def _profile(self) -> Any:
        if self._kind != "cuda":
            return None
        try:
            from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415

            self._synchronise()
            profiling = profile(activities=[ProfilerActivity.CUDA])
            profiling.__enter__()
        except Exception:  # noqa: BLE001 - a driver may forbid it
            return None
        return profiling

    def _kernel_ns(self, profiling: Any) -> int | None:
        """Time inside kernels, without copies and fills by the copy engine; ``None`` where the profiler is blind."""
        try:
            # A kernel that must be seen: with none at all, nothing is known.
            with self._on_device():
                self._torch.cuda._sleep(1)
            self._synchronise()
            profiling.__exit__(None, None, None)
            on_device = [
                event
                for event in profiling.events()
                if event.device_type == self._torch.autograd.DeviceType.CUDA
                and not event.name.startswith(("Memcpy", "Memset"))
                and not getattr(event, "is_user_annotation", False)
            ]
            if not on_device:
                return None
            return round(1e3 * sum(float(event.time_range.elapsed_us()) for event in on_device))
        except Exception:  # noqa: BLE001 - no profile, no number
            return None

    def latencies(self) -> dict[str, float | None]:
        """What launching costs, in nanoseconds.

        Returns:
            ``launch_ns``: one launch of a kernel that does nothing, in a row of them.
            ``replay_ns``: one replay of a captured graph of one such kernel, in a row of them.
            ``graph_kernel_ns``: one more such kernel in a captured graph.
            A number is ``None`` where the device has no such thing.
        """
        found: dict[str, float | None] = dict.fromkeys(("launch_ns", "replay_ns", "graph_kernel_ns"))
        # Each is a number of its own: one that fails leaves the others.
        with suppress(Exception), self._on_device():
            found["launch_ns"] = self._each_ns(lambda: self._torch.cuda._sleep(0))
        with suppress(Exception), self._on_device():
            few, many = (self._graph_of(kernels) for kernels in (1, 101))
            found["replay_ns"] = self._each_ns(few.replay)
            found["graph_kernel_ns"] = (self._once_ns(many.replay) - self._once_ns(few.replay)) / 100
        return found

    def _graph_of(self, kernels: int) -> Any:
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph):
            for _ in range(kernels):
                self._torch.cuda._sleep(0)
        return graph

    def _each_ns(self, launch: Callable[[], object]) -> float:
        """What each of many launches adds: the slope between few and many, of the quickest of each."""
        few, many = LATENCY_LAUNCHES
        few_ns, many_ns = (self._once_ns(partial(_repeat, launch, times)) for times in (few, many))
        return (many_ns - few_ns) / (many - few)

    def _once_ns(self, work: Callable[[], object]) -> int:
        return min(self._finished_ns(work) for _ in range(LATENCY_REPEATS))

    def _finished_ns(self, work: Callable[[], object]) -> int:
        self._synchronise()
        began_ns = time.perf_counter_ns()
        work()
        self._synchronise()
        return time.perf_counter_ns() - began_ns

    def _properties(self) -> Any:
        ask = getattr(self._module, "get_device_properties", None)
        return None if ask is None else ask(self._device)

    def _on_device(self) -> Any:
        chosen = getattr(self._module, "device", None)
        return nullcontext() if chosen is None else chosen(self._device)

    def _recorded(self) -> Any:
        events = self._module.event if self._kind == "mps" else self._module
        event = events.Event(enable_timing=True)
        event.record()
        return event

    def _hold(self, hold_ns: int) -> None:
        """Keep the stream busy for so long: the host is to have launched everything by then."""
        spin = getattr(self._module, "_sleep", None)
        if spin is not None and hold_ns > 0:
            spin(int(HOLD_CYCLES_PER_NS * hold_ns))

    def _flush(self) -> None:
        if self._flushed is None:
            l2_bytes = int(getattr(self._properties(), "L2_cache_size", 0)) or LARGEST_L2_BYTES
            size = FLUSHED_TIMES_L2 * l2_bytes
            self._flushed = self._torch.empty(size, dtype=self._torch.uint8, device=self._device)
        self._flushed.zero_()

    def _taken_bytes(self) -> int | None:
        """All bytes that the allocator has ever given out: a counter that only grows, and that nothing resets."""
        try:
            # The inputs are there, so that a counter at 0 does not count.
            return int(self._module.memory_stats(self._device)["allocated_bytes.all.allocated"]) or None
        except Exception:  # noqa: BLE001 - not every device counts
            return None

    def _synchronise(self) -> None:
        if self._kind == "mps":
            self._module.synchronize()
        else:
            self._module.synchronize(self._device)


def accelerator_of(backend: str, device: str) -> Accelerator | None:
    """What watches a device for a backend; ``None`` for the CPU, and for a library whose devices nothing here knows."""
    return Accelerator(device) if backend == "torch" and device != "cpu" else None


def _repeat(launch: Callable[[], object], times: int) -> None:
    for _ in range(times):
        launch()
