"""The devices that each backend has here, and what launching work on them costs; asked of it in a fresh process.

What looks for CUDA cannot be forked afterwards, so nobody else may look.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.backends import backend_named, canonical_device
from bench.errors import UnavailableError
from bench.judge.device_lock import DeviceLock, lock_file
from bench.judge.protocol import Kind
from bench.proof.subject import Failure
from bench.proof.verdict import Status

_DRIVER, _ITS_MEMORY = Path("/dev/nvidiactl"), Path("/dev/nvidia-uvm")
NO_MEMORY_NODE = (
    f"{_ITS_MEMORY} is missing: run `nvidia-modprobe -u -c=0`, or any CUDA program as root, once after boot"
)
"""The driver has a privileged program make it when CUDA first starts, which no worker may run."""

Asked = Callable[[Kind, Mapping[str, object], str], Any]
"""Asks the process for something; what it is asked for, its reply or a `Failure`."""

Alone = Callable[[str], AbstractContextManager[Asked | Failure]]
"""A fresh process that no variant is in, with a backend, for as long as the block lasts."""


@dataclass(frozen=True, slots=True)
class _Found:
    names: list[str]
    said: str


class Devices:
    """What is found once is kept."""

    def __init__(self, alone: Alone) -> None:
        """Ask nothing yet.

        Args:
            alone: starts a process.
        """
        self._alone = alone
        self._found: dict[str, _Found] = {}

    def of(self, backend: str) -> list[str]:
        """The devices that a backend can use here, the CPU first; see `why_no_more`.

        Where the kernel shows no device but the CPU nothing is started.

        Raises:
            UnavailableError: the backend is not installed or not known, or does not import.
        """
        return list(self._look(backend).names)

    def why_no_more(self, backend: str) -> str:
        """What the backend said while it looked for them, or why it could not; empty where it said nothing."""
        return self._look(backend).said

    def require(self, backend: str, device: str) -> None:
        """Do nothing where a backend has a device.

        Raises:
            UnavailableError: it does not.
        """
        if device != "cpu" and device not in self.of(backend):
            here, said = ", ".join(self.of(backend)), self.why_no_more(backend)
            raise UnavailableError(f"{backend} has no device {device!r} here; it has {here}{said and f'; {said}'}")

    def latencies(self, backend: str, device: str) -> dict[str, float] | Failure:
        """What launching work on a device costs, while no other gdbench uses it.

        Args:
            backend: the library that launches.
            device: one of its devices.

        Returns:
            Nanoseconds by name, as `bench.judge.accelerator.Accelerator.latencies` describes them; empty for the CPU,
            and without those that the device does not give. Or why there is no answer.
        """
        device = canonical_device(device)
        try:
            self.require(backend, device)
        except UnavailableError as error:
            return Failure(Status.UNAVAILABLE, None, str(error))
        if device == "cpu":
            return {}
        with self._alone(backend) as ask:
            return ask if isinstance(ask, Failure) else _latencies(ask, {"backend": backend, "device": device}, device)

    def _look(self, backend: str) -> _Found:
        if backend not in self._found:
            library = backend_named(backend)
            self._found[backend] = self._ask(backend) if library.may_have_accelerator() else _Found(["cpu"], "")
        return self._found[backend]

    def _ask(self, backend: str) -> _Found:
        with self._alone(backend) as ask:
            reply = ask if isinstance(ask, Failure) else ask(Kind.DEVICES, {"backend": backend}, "look for devices")
        if isinstance(reply, Failure) and reply.status is Status.UNAVAILABLE:
            raise UnavailableError(reply.message)
        # A driver that fails, or takes too long, is no reason not to use the CPU.
        if isinstance(reply, Failure):
            return _Found(["cpu"], f"it does not say which others it has: {reply.message}")
        said = [reply["said"]] if reply["said"] else []
        if len(reply["devices"]) == 1 and _DRIVER.exists() and not _ITS_MEMORY.exists():
            said.append(NO_MEMORY_NODE)
        return _Found(reply["devices"], "; ".join(said))


def _latencies(ask: Asked, asked: Mapping[str, object], device: str) -> dict[str, float] | Failure:
    device_id = ask(Kind.IDENTITY, asked, "look for the name of the device")
    if isinstance(device_id, Failure):
        return device_id
    lock = DeviceLock(lock_file(device, device_id), device)
    try:
        reply = ask(Kind.LATENCIES, asked, "measuring of launch latencies")
    finally:
        lock.release()
    if isinstance(reply, Failure):
        return reply
    return {} if reply is None else {name: ns for name, ns in reply.items() if ns is not None and ns > 0}
