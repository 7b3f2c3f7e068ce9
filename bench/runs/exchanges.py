"""The exchanges of a run: append-only, compressed, and each found again by the checksum of what it holds."""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import UsageError

EXCHANGES_NAME = "exchanges.bin"
EXCHANGES_LIMIT_BYTES = 2**29
"""A longer file is neither written nor read."""

BLOB_LIMIT_BYTES = 2**26
"""Nothing larger is kept, and nothing that claims to be larger is unpacked."""

_MAGIC = b"gdbench1"
_HEAD = struct.Struct("<8sQQQ32s")
"""Magic, bytes packed, their CRC-32, bytes unpacked, and the SHA-256 of those."""


class DamagedError(UsageError):
    """What is kept is not what was written."""


def digest_of(blob: bytes) -> str:
    """The name under which a blob is kept: its SHA-256 in hexadecimal."""
    return sha256(blob).hexdigest()


class ExchangeFile:
    """The open exchange file of a run, written by the process that holds the run's journal.

    Attributes:
        path: the file.
    """

    __slots__ = ("_descriptor", "_held", "_length", "path")

    def __init__(self, path: Path) -> None:
        """Open for appending, make the file where there is none, and cut off a torn last blob.

        Raises:
            DamagedError: there is something else than blobs before the last one.
            OSError: the file cannot be opened.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # A blob that is damaged is not held: should it be needed again, it is written again.
            self._held: set[str] = set()
            self._length = 0
            for place in _places(path):
                try:
                    place.read()
                except DamagedError:
                    continue
                self._held.add(place.digest)
                self._length = place.end
            os.ftruncate(self._descriptor, self._length)
        except BaseException:
            self.close()
            raise

    def keep(self, blobs: Sequence[bytes]) -> bool:
        """Write blobs, and wait until the disk has them; one that is there already is not written again.

        Returns:
            Whether they are kept: not where one, or the file with them, would be larger than may be read again.

        Raises:
            OSError: the disk did not take them; the file is left as it was.
        """
        fresh = {digest_of(blob): blob for blob in blobs}
        packed = [_packed(blob, digest) for digest, blob in fresh.items() if digest not in self._held]
        size = sum(map(len, packed))
        too_large = any(len(blob) > BLOB_LIMIT_BYTES for blob in blobs)
        if too_large or self._length + size > EXCHANGES_LIMIT_BYTES:
            return False
        data = b"".join(packed)
        try:
            if os.write(self._descriptor, data) < size:
                raise OSError("only a part of the exchange was taken; the disk may be full")
            os.fsync(self._descriptor)
        except BaseException:
            # Half a blob would hide all that follow it.
            os.ftruncate(self._descriptor, self._length)
            raise
        self._length += size
        self._held |= fresh.keys()
        return True

    def close(self) -> None:
        """Let go of the file; keeping afterwards fails."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Exchanges:
    """The blobs of a finished or unfinished run, to be read."""

    __slots__ = ("_places", "path")

    def __init__(self, path: Path) -> None:
        """Find every blob in the file; a torn last one is passed over.

        Raises:
            UsageError: the file is missing, too large, or has something else between its blobs.
        """
        self.path = path
        try:
            self._places = {place.digest: place for place in _places(path)}
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}. Without it the run cannot be judged again; restore it, or "
                f"run again."
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def read(self, digest: str) -> bytes:
        """The blob of that digest.

        Raises:
            DamagedError: it is not there, or its bytes are not those that were written.
        """
        if digest not in self._places:
            raise DamagedError(
                f"{self.path} lacks the exchange {digest[:16]}…: the file was cut short or changed after gdbench wrote "
                f"it. Restore it from a copy, or run again."
            )
        return self._places[digest].read()


class _Place:
    """Where one blob lies."""

    __slots__ = ("_packed_bytes", "_packed_crc", "_path", "_raw_bytes", "_start", "digest")

    def __init__(self, path: Path, start: int, packed: tuple[int, int], raw_bytes: int, digest: str) -> None:
        self._path, self._start, self._raw_bytes = path, start, raw_bytes
        self._packed_bytes, self._packed_crc = packed
        self.digest = digest

    @property
    def end(self) -> int:
        return self._start + self._packed_bytes

    def read(self) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._start)
            packed = file.read(self._packed_bytes)
        unpacking = zlib.decompressobj()
        try:
            # Never more than was announced, and that is bounded.
            blob = unpacking.decompress(packed, self._raw_bytes + 1)
        except zlib.error:
            blob = b""
        # Deflate has bits that mean nothing; the sum over the packed bytes sees those as well.
        whole = unpacking.eof and not unpacking.unused_data and zlib.crc32(packed) == self._packed_crc
        if not whole or len(blob) != self._raw_bytes or digest_of(blob) != self.digest:
            raise DamagedError(
                f"{self._path} is damaged at byte {self._start}: the checksum of the exchange there is not the one it "
                f"was written with. Restore the file from a copy, or run again."
            )
        return blob


def _packed(blob: bytes, digest: str) -> bytes:
    packed = zlib.compress(blob, 1)
    return _HEAD.pack(_MAGIC, len(packed), zlib.crc32(packed), len(blob), bytes.fromhex(digest)) + packed


def _places(path: Path) -> Iterator[_Place]:
    size = path.stat().st_size
    if size > EXCHANGES_LIMIT_BYTES:
        raise DamagedError(f"{path} has {size} bytes and gdbench reads at most {EXCHANGES_LIMIT_BYTES}.")
    at = 0
    with path.open("rb") as file:
        while at + _HEAD.size <= size:
            file.seek(at)
            head = file.read(_HEAD.size)
            magic, packed_bytes, packed_crc, raw_bytes, digest = _HEAD.unpack(head)
            if not any(head) and not any(file.read()):
                # A machine that lost its power may leave a file that has grown and was not written.
                return
            if magic != _MAGIC or raw_bytes > BLOB_LIMIT_BYTES:
                raise DamagedError(
                    f"{path} is damaged at byte {at}: no exchange begins there. Restore the file from a copy, or run "
                    f"again."
                )
            place = _Place(path, at + _HEAD.size, (packed_bytes, packed_crc), raw_bytes, digest.hex())
            if place.end > size:
                return
            yield place
            at = place.end
