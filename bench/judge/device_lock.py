"""One cell at a time on a device: a lock file for each device keeps two judges apart."""

import fcntl
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.2
SHARED = Path("/tmp")  # noqa: S108 - a lock's file is opened without following links, and nothing is written to it
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_held: dict[Path, tuple[int, int]] = {}
"""The descriptor of each lock that this process holds, and how many of its workers need it."""


def lock_file(device: str, device_id: str | None) -> Path:
    """The lock of a device, the same for every process and user of this machine.

    Args:
        device: its name for the library, which stands in where nothing else names it.
        device_id: what names it on this machine, by the worker's account.

    >>> lock_file("cuda:1", "GPU-0a1b").name, lock_file("mps", None).name, lock_file("xpu:1", "../x").name
    ('gdbench-GPU-0a1b.lock', 'gdbench-mps.lock', 'gdbench-xpu-1.lock')
    """
    known = device_id is not None and _NAME.fullmatch(device_id) is not None
    name = device_id if known else re.sub(r"[^A-Za-z0-9-]", "-", device)[:64]
    # Not where TMPDIR says, which differs between users and shells.
    place = SHARED if os.access(SHARED, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return place / f"gdbench-{name}.lock"


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class DeviceLock:
    """Held while a worker may use a device; workers of one judge share it, since a judge asks one at a time."""

    def __init__(self, path: Path, device: str, tell: Callable[[str], None] = _tell) -> None:
        """Wait until no other process holds the lock, with a message when there is a wait.

        Args:
            path: as `lock_file` gives it. Where it can neither be opened nor made there is no lock.
            device: its name, for the message.
            tell: is given the message.
        """
        self._path: Path | None = path
        if path in _held:
            descriptor, holders = _held[path]
            _held[path] = (descriptor, holders + 1)
            return
        try:
            descriptor = _opened(path)
        except OSError:
            self._path = None
            return
        try:
            waited = False
            while not _taken(descriptor):
                if not waited:
                    tell(f"waiting for {device}: another gdbench is using it ({path.name} is locked)")
                waited = True
                time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        _held[path] = (descriptor, 1)

    def release(self) -> None:
        """Let go; the last worker of this process frees the device. Once is enough, and more does no harm."""
        path, self._path = self._path, None
        if path is None:
            return
        descriptor, holders = _held.pop(path)
        if holders > 1:
            _held[path] = (descriptor, holders - 1)
        else:
            os.close(descriptor)


def _opened(path: Path) -> int:
    # Another user's file can be read and not written, which is enough for a lock.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o644)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
