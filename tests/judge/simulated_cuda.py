"""A torch with one CUDA device, simulated: its stream, events, clock, allocator and profiler, for tests without a GPU.

Time is the simulation's own: `Gpu.host_ns` is what the worker's clock reads; work is queued on one stream behind it.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

GHZ = 2.0
L2_BYTES = 50 << 20


@dataclass
class Gpu:
    """The host's clock, the stream, and what has been done so far.

    Attributes:
        uuid: as torch spells it.
        l2_bytes: 0 where the device does not say.
        blind: whether the profiler sees nothing.
        broken: names of calls that fail.
    """

    uuid: str = "0a1b2c3d-0000-1111-2222-333344445555"
    l2_bytes: int = L2_BYTES
    blind: bool = False
    broken: set[str] = field(default_factory=set)
    host_ns: int = 0
    free_at_ns: int = 0
    taken_bytes: int = 4096
    cold: bool = False
    flushed_bytes: list[int] = field(default_factory=list)
    spins: list[int] = field(default_factory=list)
    profile: list[Any] | None = None

    def launch(self, device_ns: int, launch_ns: int = 4_000, name: str = "kernel") -> None:
        """Queue a kernel."""
        self.host_ns += launch_ns
        began = max(self.host_ns, self.free_at_ns)
        self.free_at_ns = began + device_ns
        if self.profile is not None and not self.blind:
            self.profile.append(_event(name, device_ns))

    def wait(self) -> None:
        """Let the host wait for the stream."""
        self.host_ns = max(self.host_ns, self.free_at_ns)

    def fail(self, name: str) -> None:
        """Raise where that call is to fail."""
        if name in self.broken:
            raise RuntimeError(f"{name} does not work")

    def sleep(self, cycles: int) -> None:
        """``torch.cuda._sleep``."""
        self.fail("_sleep")
        self.spins.append(cycles)
        self.launch(round(cycles / GHZ), name="spin_kernel")

    def torch(self) -> Any:
        """What stands in for the module."""
        gpu = self

        class Event:
            def __init__(self, enable_timing: bool = False) -> None:
                assert enable_timing
                self.at_ns = -1

            def record(self) -> None:
                gpu.fail("record")
                self.at_ns = max(gpu.host_ns, gpu.free_at_ns)

            def synchronize(self) -> None:
                gpu.host_ns = max(gpu.host_ns, self.at_ns)

            def elapsed_time(self, end: "Event") -> float:
                return (end.at_ns - self.at_ns) / 1e6

        class Buffer:
            def __init__(self, size: int) -> None:
                self.size = size

            def zero_(self) -> None:
                gpu.flushed_bytes.append(self.size)
                gpu.cold = True
                gpu.launch(50_000, name="Memset (Device)")

        class Graph:
            def __init__(self) -> None:
                self.kernels = 0

            def replay(self) -> None:
                gpu.launch(1_000 * self.kernels, launch_ns=6_000)

        class Capture:
            def __init__(self, graph: Graph) -> None:
                self.graph = graph

            def __enter__(self) -> None:
                gpu.fail("capture")
                self.before = len(gpu.spins)

            def __exit__(self, *_: object) -> None:
                self.graph.kernels = len(gpu.spins) - self.before

        def empty(size: int, dtype: object, device: str) -> Buffer:
            gpu.fail("empty")
            return Buffer(size)

        cuda = SimpleNamespace(
            _sleep=self.sleep,
            Event=Event,
            CUDAGraph=Graph,
            graph=Capture,
            device=lambda device: nullcontext(),
            synchronize=lambda device: gpu.wait(),
            get_device_properties=lambda device: SimpleNamespace(uuid=gpu.uuid, L2_cache_size=gpu.l2_bytes),
            memory_stats=lambda device: {"allocated_bytes.all.allocated": gpu.taken_bytes},
        )
        return SimpleNamespace(
            cuda=cuda, empty=empty, uint8="uint8", autograd=SimpleNamespace(DeviceType=SimpleNamespace(CUDA="cuda"))
        )

    def profiler(self) -> Any:
        """What stands in for ``torch.profiler``."""
        gpu = self

        class Profile:
            def __init__(self, activities: object) -> None:
                gpu.fail("profile")

            def __enter__(self) -> None:
                self.seen: list[Any] = []
                gpu.profile = self.seen

            def __exit__(self, *_: object) -> None:
                gpu.profile = None

            def events(self) -> list[Any]:
                return self.seen

        return SimpleNamespace(profile=Profile, ProfilerActivity=SimpleNamespace(CUDA="cuda"))


def _event(name: str, device_ns: int) -> Any:
    time_range = SimpleNamespace(elapsed_us=lambda: device_ns / 1e3)
    return SimpleNamespace(name=name, device_type="cuda", time_range=time_range)
