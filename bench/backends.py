"""The array libraries: what is installed, placing bytes as their arrays, and reading arrays back as bytes.

Importing this module imports no array library but NumPy; torch is imported inside the functions of its backend.
"""

import errno
import platform
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from bench.dtypes import Dtype
from bench.errors import UnavailableError
from bench.problems.problem import Array

INSTALL = {
    "numpy": "pip install numpy",
    "torch": "pip install 'gdbench[torch]'",
    "jax": "pip install jax",
    "cupy": "pip install cupy-cuda12x",
    "numba": "pip install numba",
    "triton": "pip install triton",
}
"""How to get each library that a variant may be written for or may need."""

Buffer = bytes | bytearray | memoryview
_DEVICE_NODES = Path("/dev")
_ACCELERATOR_NODES = ("nvidia*", "nvhost*", "nvgpu*", "dxg", "kfd", "dri/renderD*", "accel/accel*")
_STEP_BYTES = 1 << 18


class NotAnArrayError(TypeError):
    """A returned value is no array of the backend; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """What an array says of itself.

    Attributes:
        shape: its extents.
        dtype: the name of its dtype, ``float64`` say.
        device: where it lives, in the spelling of `canonical_device`.
    """

    shape: tuple[int, ...]
    dtype: str
    device: str


class Backend(Protocol):
    """What the worker needs of an array library."""

    name: ClassVar[str]
    array_type: ClassVar[str]
    """The type that variants receive and must return, as messages spell it."""
    dtypes: ClassVar[tuple[str, ...]]
    """The dtypes that it computes in, on one device or another."""

    def computes_in(self, device: str) -> tuple[str, ...]:
        """Those of its dtypes that a device has."""
        ...

    def installed(self) -> bool:
        """Whether it can be imported, found out without importing it."""
        ...

    def may_have_accelerator(self) -> bool:
        """Whether it could find any device but the CPU, found out without importing it; false only when sure."""
        ...

    def devices(self) -> list[str]:
        """The devices that it can use here; imports the library."""
        ...

    def place(self, data: Buffer, shape: tuple[int, ...], dtype: Dtype, device: str) -> Array:
        """A fresh array on ``device`` holding little-endian ``data``; read-only where the library can say so."""
        ...

    def facts(self, name: str, array: object) -> ArrayFacts:
        """What ``array`` says of itself.

        Raises:
            NotAnArrayError: it is not of the backend's array type; ``name`` is how the message calls it.
        """
        ...

    def read(self, array: Array) -> bytes:
        """The numbers of ``array`` as little-endian bytes in C order, once its device has computed them."""
        ...

    def holds(self, array: Array, data: Buffer) -> bool:
        """Whether ``array`` still has the bytes that it was placed with."""
        ...

    def synchronise(self, device: str) -> None:
        """Wait until ``device`` has done all that was asked of it."""
        ...

    def peak_device_bytes(self, device: str) -> int | None:
        """The most memory of ``device`` that this process's arrays have taken at once; ``None`` where nobody counts."""
        ...

    def out_of_memory(self, error: BaseException) -> bool:
        """Whether ``error`` is the library's way of saying that memory ran out."""
        ...


class NumpyBackend:
    """NumPy, on the CPU."""

    name: ClassVar[str] = "numpy"
    array_type: ClassVar[str] = "numpy.ndarray"
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32", "float16")

    def computes_in(self, device: str) -> tuple[str, ...]:  # noqa: ARG002 - a Backend
        """All of them."""
        return self.dtypes

    def installed(self) -> bool:
        """Always: gdbench itself needs NumPy."""
        return True

    def may_have_accelerator(self) -> bool:
        """Never."""
        return False

    def devices(self) -> list[str]:
        """The CPU alone."""
        return ["cpu"]

    def place(self, data: Buffer, shape: tuple[int, ...], dtype: Dtype, device: str) -> Array:
        """A copy of ``data`` as a read-only array."""
        if device != "cpu":
            raise UnavailableError(f"numpy computes on cpu only, not on {device!r}")
        array = np.ndarray(shape, _numpy_dtype(dtype.name), data).copy()
        array.flags.writeable = False
        return array

    def facts(self, name: str, array: object) -> ArrayFacts:
        """Shape and dtype; a subclass is looked at as the plain array beneath it."""
        if not isinstance(array, np.ndarray):
            raise NotAnArrayError(not_an_array(name, array, self.array_type))
        plain: npt.NDArray[Any] = np.asarray(array)
        return ArrayFacts(plain.shape, _dtype_name(plain.dtype), "cpu")

    def read(self, array: Array) -> bytes:
        """The numbers of ``array``."""
        plain: npt.NDArray[Any] = np.asarray(array)
        return plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes()

    def holds(self, array: Array, data: Buffer) -> bool:
        """Compare piece by piece, so that a large array is never copied as a whole and pieces stay in a near cache."""
        if len(data) <= _STEP_BYTES:
            return bool(array.tobytes() == bytes(data))
        if array.nbytes != len(data):
            return False
        seen = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        pieces = (slice(start, start + _STEP_BYTES) for start in range(0, len(data), _STEP_BYTES))
        return all(bytearray(seen[piece]) == data[piece] for piece in pieces)

    def synchronise(self, device: str) -> None:
        """Nothing: NumPy returns when it is done."""

    def peak_device_bytes(self, device: str) -> int | None:  # noqa: ARG002 - a Backend
        """None: arrays are in the worker's own memory."""
        return None

    def out_of_memory(self, error: BaseException) -> bool:
        """NumPy raises `MemoryError`; a mapping that the kernel refuses is an `OSError`."""
        return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


class TorchBackend:
    """PyTorch, on the CPU and whatever accelerator it is built for: CUDA, Intel's, Apple's."""

    name: ClassVar[str] = "torch"
    array_type: ClassVar[str] = "torch.Tensor"
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32", "float16", "bfloat16")

    def computes_in(self, device: str) -> tuple[str, ...]:
        """All of them; Apple's devices have no float64."""
        return tuple(name for name in self.dtypes if name != "float64") if device == "mps" else self.dtypes

    def installed(self) -> bool:
        """Whether torch is found on the import path."""
        return find_spec("torch") is not None

    def may_have_accelerator(self) -> bool:
        """Whether the kernel shows a graphics device; then starting torch for a second and a half is worth it."""
        return platform.system() != "Linux" or any(next(_DEVICE_NODES.glob(name), None) for name in _ACCELERATOR_NODES)

    def devices(self) -> list[str]:
        """The CPU, and each device of each accelerator; the first of a kind is plain ``cuda``, ``xpu`` or ``mps``."""
        import torch  # noqa: PLC0415

        kinds = _accelerators(torch)
        return ["cpu", *(canonical_device(f"{kind}:{index}") for kind, count in kinds for index in range(count))]

    def place(self, data: Buffer, shape: tuple[int, ...], dtype: Dtype, device: str) -> Array:
        """A fresh tensor that shares no memory with ``data``."""
        import torch  # noqa: PLC0415

        _warn_of_read_only_memory()
        tensor = torch.frombuffer(data, dtype=getattr(torch, dtype.name)).reshape(shape)
        return tensor.clone() if device == "cpu" else tensor.to(device, copy=True)

    def facts(self, name: str, array: object) -> ArrayFacts:
        """Shape, dtype and device; a subclass is looked at as the plain tensor beneath it."""
        import torch  # noqa: PLC0415

        if not isinstance(array, torch.Tensor):
            raise NotAnArrayError(not_an_array(name, array, self.array_type))
        plain = _plain_tensor(array)
        if plain.layout is not torch.strided:
            layout = str(plain.layout).removeprefix("torch.")
            raise NotAnArrayError(f"{name} is a {layout} tensor, not a dense one")
        return ArrayFacts(tuple(plain.shape), _torch_name(plain.dtype), canonical_device(_torch_name(plain.device)))

    def read(self, array: Array) -> bytes:
        """The numbers of ``array``, brought to the CPU."""
        return _host_array(array).tobytes()

    def holds(self, array: Array, data: Buffer) -> bool:
        """Bring the tensor to the CPU and compare there."""
        return NUMPY.holds(_host_array(array), data)

    def synchronise(self, device: str) -> None:
        """Wait for every stream of the device."""
        if device == "cpu":
            return
        import torch  # noqa: PLC0415

        kind = device.partition(":")[0]
        if kind == "mps":
            torch.mps.synchronize()
        else:
            getattr(torch, kind).synchronize(device)

    def peak_device_bytes(self, device: str) -> int | None:
        """What torch's allocator for the device has given out at most; that of mps does not count."""
        if device == "cpu":
            return None
        import torch  # noqa: PLC0415

        counted = getattr(getattr(torch, device.partition(":")[0]), "max_memory_allocated", None)
        return None if counted is None else int(counted(device))

    def out_of_memory(self, error: BaseException) -> bool:
        """``torch.OutOfMemoryError``, and the plain `RuntimeError` of torch's CPU allocator."""
        if NUMPY.out_of_memory(error):
            return True
        if not isinstance(error, RuntimeError):
            return False
        return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)


NUMPY = NumpyBackend()
BACKENDS: dict[str, Backend] = {"numpy": NUMPY, "torch": TorchBackend()}
KNOWN = ("numpy", "torch", "jax", "cupy")
"""Every backend that a variant may name; those missing in `BACKENDS` are reported unavailable."""


def backend_named(name: str) -> Backend:
    """The backend of that name, when it is installed.

    Raises:
        UnavailableError: it is not installed, gdbench cannot run it yet, or no such backend is known.

    >>> backend_named("numpy").dtypes
    ('float64', 'float32', 'float16')
    >>> backend_named("tensorflow")
    Traceback (most recent call last):
        ...
    bench.errors.UnavailableError: backend 'tensorflow' is not known; gdbench knows numpy, torch, jax, cupy
    """
    if name not in KNOWN:
        raise UnavailableError(f"backend {name!r} is not known; gdbench knows {', '.join(KNOWN)}")
    if name not in BACKENDS:
        raise UnavailableError(f"gdbench cannot run {name} variants yet; it runs {', '.join(BACKENDS)}")
    backend = BACKENDS[name]
    if not backend.installed():
        raise UnavailableError(f"{name} is not installed: {INSTALL[name]}")
    return backend


def canonical_device(name: str) -> str:
    """One spelling for each device: the first of a kind goes without its number.

    >>> canonical_device("cuda:0"), canonical_device("cuda:1"), canonical_device("cpu")
    ('cuda', 'cuda:1', 'cpu')
    """
    return name.removesuffix(":0")


def not_an_array(name: str, value: object, wanted: str) -> str:
    """The message for a value that is no array of the backend.

    >>> not_an_array("w", 2.0, "numpy.ndarray")
    'w is a float, not a numpy.ndarray'
    """
    return f"{name} is {type_name(value)}, not a {wanted}"


def type_name(value: object) -> str:
    """A value's type with its article, for messages: ``a list``, ``an int``, ``a numpy.float64``, ``None``."""
    if value is None:
        return "None"
    kind = type(value)
    full = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if full[:1].lower() in 'aeiou' else 'a'} {full}"


# Names and dtypes are looked up in every call, and NumPy and torch spell them anew each time.
@cache
def _numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(name).newbyteorder("<")


@cache
def _dtype_name(dtype: np.dtype[Any]) -> str:
    return dtype.name


@cache
def _torch_name(dtype_or_device: object) -> str:
    return str(dtype_or_device).removeprefix("torch.")


@cache
def _warn_of_read_only_memory() -> None:
    """Have torch say once, unheard, that it must not write to such memory: every tensor there is cloned before use."""
    import torch  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.frombuffer(bytes(1), dtype=torch.uint8)


def _accelerators(torch: Any) -> list[tuple[str, int]]:
    """The kinds of accelerator that torch can use here, and how many devices of each."""
    if hasattr(torch, "accelerator"):
        current = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return [] if current is None else [(current.type, torch.accelerator.device_count())]
    # Before torch 2.6 each kind is asked for by its own name.
    kinds = [("cuda", torch.cuda), ("xpu", getattr(torch, "xpu", None))]
    found = [(kind, module.device_count()) for kind, module in kinds if module is not None and module.is_available()]
    return [*found, ("mps", 1)] if torch.backends.mps.is_available() else found


def _plain_tensor(tensor: Any) -> Any:
    import torch  # noqa: PLC0415

    if type(tensor) is torch.Tensor:
        return tensor.detach()
    # A subclass may answer for its shape and its numbers as it likes; with this off the tensor beneath it answers.
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.detach()


def _host_array(tensor: Any) -> npt.NDArray[Any]:
    import torch  # noqa: PLC0415

    host = _plain_tensor(tensor)
    if not host.is_cpu:
        host = host.cpu()
    # NumPy has no bfloat16: its bytes pass as those of int16.
    array: npt.NDArray[Any] = (host.view(torch.int16) if host.dtype is torch.bfloat16 else host).numpy()
    return array
