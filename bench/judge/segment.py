"""Memory that judge and worker share: the judge writes to it, nobody else can, and its size stays.

A memfd, mapped by the judge before it is sealed: the seal leaves that one mapping writable and allows no other, and no
write by system call, so that not even a worker that maps it anew gets a byte changed.
"""

import fcntl
import mmap
import os
from collections.abc import Sequence

_ALIGNMENT_BYTES = 64
_SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW, _SEAL_FUTURE_WRITE = 0x1, 0x2, 0x4, 0x10
_ADD_SEALS = 1033


class SealedSegment:
    """The judge's side."""

    def __init__(self, lengths: Sequence[int]) -> None:
        """Make room for blocks of these lengths.

        Raises:
            OSError: this system has no sealed memory, or too little of it.
        """
        self.lengths = tuple(lengths)
        try:
            self.descriptor = os.memfd_create("gdbench-inputs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except AttributeError as error:
            raise OSError("this system has no sealed memory (memfd)") from error
        try:
            size = size_of(lengths)
            os.ftruncate(self.descriptor, size)
            self._map = mmap.mmap(self.descriptor, size)
            seals = _SEAL_SEAL | _SEAL_SHRINK | _SEAL_GROW | _SEAL_FUTURE_WRITE
            fcntl.fcntl(self.descriptor, _ADD_SEALS, seals)
        except (OSError, ValueError) as error:
            os.close(self.descriptor)
            raise OSError(f"no sealed memory: {error}") from error

    def write(self, blocks: Sequence[bytes]) -> None:
        """Replace the contents; the blocks have the lengths that there is room for."""
        for block, (start, stop) in zip(blocks, places(self.lengths), strict=True):
            self._map[start:stop] = block

    def write_rows(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Replace a part of each block: where it starts in it, and the bytes."""
        for (offset, row), (start, stop) in zip(rows, places(self.lengths), strict=True):
            if start + offset + len(row) > stop:
                raise ValueError(f"{len(row)} bytes at {offset} do not fit into a block of {stop - start}")
            self._map[start + offset : start + offset + len(row)] = row

    def close(self) -> None:
        """Let go of it; the worker keeps what it has mapped."""
        self._map.close()
        os.close(self.descriptor)


def mapped(descriptor: int, lengths: Sequence[int]) -> list[memoryview]:
    """The worker's side: the blocks of a segment, to be read only.

    Raises:
        OSError: the segment is not as long as that.
        ValueError: likewise.
    """
    whole = memoryview(mmap.mmap(descriptor, size_of(lengths), prot=mmap.PROT_READ))
    return [whole[start:stop] for start, stop in places(lengths)]


def places(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Where blocks of these lengths start and stop.

    >>> places((100, 8))
    [(0, 100), (128, 136)]
    """
    found, start = [], 0
    for length in lengths:
        found.append((start, start + length))
        start = -(-(start + length) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    return found


def size_of(lengths: Sequence[int]) -> int:
    """The bytes of a segment for blocks of these lengths; at least one, since none cannot be mapped."""
    return max(1, places(lengths)[-1][1])


def unavailable() -> str:
    """Why there are no sealed segments here; empty where there are.

    >>> isinstance(unavailable(), str)
    True
    """
    try:
        SealedSegment((1,)).close()
    except OSError as error:
        return str(error)
    return ""
