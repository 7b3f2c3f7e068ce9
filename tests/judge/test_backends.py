"""What is installed, and arrays made of bytes and read back."""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.backends import BACKENDS, KNOWN, NUMPY, NotAnArrayError, backend_named
from bench.dtypes import DTYPES, encode
from bench.errors import UnavailableError
from bench.judge.running import Runner
from bench.proof.contract import Trouble


def test_importing_the_judge_starts_no_array_library() -> None:
    program = (
        "import sys, bench.judge.workshop, bench.judge.inprocess;"
        "print(sorted({'torch', 'pandas', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.backends.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"^torch is not installed: pip install 'gdbench\[torch\]'$"):
        backend_named("torch")


def test_every_backend_says_what_it_computes_in() -> None:
    assert set(BACKENDS) <= set(KNOWN)
    for backend in BACKENDS.values():
        assert set(backend.dtypes) <= set(DTYPES)


def test_without_a_device_node_there_is_no_accelerator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.backends._DEVICE_NODES", tmp_path)
    assert not BACKENDS["torch"].may_have_accelerator()
    (tmp_path / "nvidiactl").touch()
    assert BACKENDS["torch"].may_have_accelerator()
    assert not NUMPY.may_have_accelerator()


@pytest.mark.parametrize("dtype", NUMPY.dtypes)
def test_numpy_array_is_read_only_fresh_and_compared_bit_by_bit(dtype: str) -> None:
    data = encode([[0.0, 1.0, 2.0]], DTYPES[dtype])
    first, second = (NUMPY.place(data, (1, 3), DTYPES[dtype], "cpu") for _ in range(2))
    assert not np.shares_memory(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first += 1
    assert NUMPY.read(first) == data
    assert NUMPY.holds(first, data)
    first.flags.writeable = True
    first[0, 0] = -0.0
    assert not NUMPY.holds(first, data)


def test_large_array_is_compared_to_its_end() -> None:
    values = np.arange(500_000.0)
    data = memoryview(encode(values, DTYPES["float64"]))
    array = NUMPY.place(data, (500, 1000), DTYPES["float64"], "cpu")
    assert NUMPY.holds(array, data)
    array.flags.writeable = True
    array[-1, -1] += 1
    assert not NUMPY.holds(array, data)
    assert not NUMPY.holds(array[:, :-1], data)


def test_numpy_computes_on_the_cpu_only() -> None:
    with pytest.raises(UnavailableError, match="not on 'cuda'"):
        NUMPY.place(b"", (0,), DTYPES["float64"], "cuda")


@pytest.mark.parametrize(
    ("value", "what"), [([1.0], "a list"), (1, "an int"), (None, "None"), (np.float32(1), "a numpy.float32")]
)
def test_what_is_no_array_is_named(value: object, what: str) -> None:
    with pytest.raises(NotAnArrayError, match=f"^w is {what}, not a numpy.ndarray$"):
        NUMPY.facts("w", value)


def torch_with(**modules: Any) -> Any:
    """A torch that has these accelerators, each with its number of devices, under their own names alone."""
    kinds = {
        kind: SimpleNamespace(device_count=lambda count=count: count, is_available=lambda count=count: count > 0)
        for kind, count in ({"cuda": 0, "xpu": 0, "mps": 0} | modules).items()
    }
    mps = kinds.pop("mps")
    return SimpleNamespace(**kinds, backends=SimpleNamespace(mps=mps))


@pytest.mark.parametrize(
    ("modules", "devices"),
    [
        ({}, ["cpu"]),
        ({"cuda": 2}, ["cpu", "cuda", "cuda:1"]),
        ({"xpu": 1}, ["cpu", "xpu"]),
        ({"mps": 1}, ["cpu", "mps"]),
    ],
)
def test_an_older_torch_is_asked_for_each_accelerator(
    modules: dict[str, int], devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_with(**modules))
    assert BACKENDS["torch"].devices() == devices


@pytest.mark.parametrize(("kind", "count", "devices"), [("xpu", 2, ["cpu", "xpu", "xpu:1"]), (None, 0, ["cpu"])])
def test_a_newer_torch_says_which_accelerator_it_has(
    kind: str | None, count: int, devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator = SimpleNamespace(
        is_available=lambda: count > 0,
        current_accelerator=lambda: None if kind is None else SimpleNamespace(type=kind),
        device_count=lambda: count,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(accelerator=accelerator))
    assert BACKENDS["torch"].devices() == devices


def test_every_accelerator_is_waited_for_and_counted_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    counting = SimpleNamespace(synchronize=waited.append, max_memory_allocated=lambda device: 77)
    mps = SimpleNamespace(synchronize=lambda: waited.append("mps"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=counting, xpu=counting, mps=mps))
    backend = BACKENDS["torch"]
    devices = ["cpu", "cuda:1", "xpu", "mps"]
    for device in devices:
        backend.synchronise(device)
    assert waited == devices[1:]
    assert [backend.peak_device_bytes(device) for device in devices] == [None, 77, 77, None]


def test_apples_devices_have_no_float64() -> None:
    assert BACKENDS["torch"].computes_in("cpu") == BACKENDS["torch"].dtypes
    assert set(BACKENDS["torch"].dtypes) - set(BACKENDS["torch"].computes_in("mps")) == {"float64"}


def test_the_installed_torch_has_every_call_that_is_used_on_an_accelerator() -> None:
    torch: Any = pytest.importorskip("torch")
    from torch.autograd.profiler_util import FunctionEvent
    from torch.profiler import ProfilerActivity, profile

    names = "_sleep Event CUDAGraph graph device synchronize get_device_properties memory_stats max_memory_allocated"
    assert [name for name in names.split() if not hasattr(torch.cuda, name)] == []
    names = "Event device synchronize get_device_properties memory_stats max_memory_allocated device_count is_available"
    assert [name for name in names.split() if not hasattr(torch.xpu, name)] == []
    assert [name for name in ("event", "synchronize") if not hasattr(torch.mps, name)] == []
    for event in (torch.cuda.Event, torch.xpu.Event, torch.mps.event.Event):
        assert all(hasattr(event, name) for name in ("record", "synchronize", "elapsed_time"))
    inspect.signature(torch.cuda._sleep).bind(1)
    inspect.signature(torch.cuda.memory_stats).bind("cuda:1")
    inspect.signature(torch.cuda.synchronize).bind("cuda:1")
    inspect.signature(torch.cuda.graph).bind(object())
    inspect.signature(torch.accelerator.current_accelerator).bind()
    inspect.signature(profile).bind(activities=[ProfilerActivity.CUDA])
    assert torch.autograd.DeviceType.CUDA is not None
    fields = inspect.signature(FunctionEvent.__init__).parameters
    assert {"name", "start_us", "end_us", "device_type", "is_user_annotation"} <= set(fields)


@pytest.mark.parametrize(("device", "trouble"), [("xpu", Trouble.UNSUPPORTED), ("cpu", Trouble.RAISED)])
def test_a_device_without_float64_does_not_make_a_variant_broken(device: str, trouble: Trouble) -> None:
    error = RuntimeError("Required aspect fp64 is not supported on the device")
    runner = object.__new__(Runner)
    runner._backend, runner._device, runner._directory = BACKENDS["numpy"], device, Path()
    assert runner._trouble(error).trouble is trouble
