"""What a worker prints: kept up to a limit, thrown away beyond it, never an error for the variant; and its end."""

import io
import os
import sys

OUTPUT_LIMIT_BYTES = 1 << 20
_TAIL_BYTES = 8192


class CappedFile(io.RawIOBase):
    """A descriptor that takes this many bytes and silently drops the rest."""

    def __init__(self, descriptor: int, limit_bytes: int = OUTPUT_LIMIT_BYTES) -> None:
        self._descriptor = descriptor
        self._left_bytes = limit_bytes

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor, for those who look for it."""
        return self._descriptor

    def write(self, data: object) -> int:
        """Write what still fits, and say that all was written."""
        given = memoryview(data).cast("B")  # type: ignore[arg-type]
        kept = given[: self._left_bytes]
        if kept:
            os.write(self._descriptor, kept)
            self._left_bytes -= len(kept)
        return len(given)


def tail_of(log: int) -> str:
    """The end of what is in a file, given its descriptor."""
    try:
        start = max(0, os.fstat(log).st_size - _TAIL_BYTES)
        return os.pread(log, _TAIL_BYTES, start).decode("utf-8", "replace")
    except OSError:
        return ""


def cap_output() -> None:
    """Replace standard output and error by capped ones."""
    sys.stdout = io.TextIOWrapper(CappedFile(1), encoding="utf-8", errors="replace", write_through=True)
    sys.stderr = io.TextIOWrapper(CappedFile(2), encoding="utf-8", errors="replace", write_through=True)
