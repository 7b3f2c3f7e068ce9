import os
import random
import zlib
from pathlib import Path

import pytest

from bench.runs import exchanges
from bench.runs.exchanges import DamagedError, ExchangeFile, Exchanges, digest_of

BLOBS = [b"first" * 100, b"", bytes(range(48))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exchanges.bin"


@pytest.fixture
def kept(path: Path) -> Path:
    with ExchangeFile(path) as file:
        assert file.keep(BLOBS)
    return path


def test_what_is_kept_is_read_again_by_its_digest(kept: Path) -> None:
    held = Exchanges(kept)
    assert [held.read(digest_of(blob)) for blob in BLOBS] == BLOBS
    with pytest.raises(DamagedError, match="lacks the exchange"):
        held.read(digest_of(b"another"))


def test_a_blob_is_written_once(kept: Path) -> None:
    size = kept.stat().st_size
    with ExchangeFile(kept) as file:
        assert file.keep([BLOBS[2], BLOBS[0]])
    assert kept.stat().st_size == size


def test_a_torn_end_is_cut_off_wherever_it_is_torn(kept: Path) -> None:
    whole = kept.read_bytes()
    for length in random.Random(4).sample(range(len(whole)), 40):
        kept.write_bytes(whole[:length])
        before = [blob for blob in BLOBS if _has(kept, blob)]
        with ExchangeFile(kept) as file:
            assert file.keep([b"new"])
        held = Exchanges(kept)
        assert held.read(digest_of(b"new")) == b"new"
        assert [blob for blob in BLOBS if _has(kept, blob)] == before


def _has(path: Path, blob: bytes) -> bool:
    try:
        return Exchanges(path).read(digest_of(blob)) == blob
    except DamagedError:
        return False


def test_a_file_that_grew_and_was_not_written_is_a_torn_end(kept: Path) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole + bytes(5000))
    with ExchangeFile(kept):
        pass
    assert kept.read_bytes() == whole


def test_every_changed_byte_is_found(kept: Path) -> None:
    whole = kept.read_bytes()
    for position in range(len(whole)):
        kept.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        assert not all(_has(kept, blob) for blob in BLOBS), position


def test_a_damaged_blob_is_written_again_when_it_is_needed(kept: Path) -> None:
    whole = bytearray(kept.read_bytes())
    whole[70] ^= 1
    kept.write_bytes(whole)
    assert not _has(kept, BLOBS[0])
    with ExchangeFile(kept) as file:
        file.keep(BLOBS)
    assert all(_has(kept, blob) for blob in BLOBS)


def test_a_full_disk_leaves_the_file_as_it_was(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept.read_bytes()
    write = os.write
    with ExchangeFile(kept) as file:
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
            with pytest.raises(OSError, match="only a part"):
                file.keep([b"new" * 100])
        assert kept.read_bytes() == whole
        assert file.keep([b"new" * 100])
    assert _has(kept, b"new" * 100)


def test_nothing_is_kept_that_could_not_be_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "BLOB_LIMIT_BYTES", 1000)
    monkeypatch.setattr(exchanges, "EXCHANGES_LIMIT_BYTES", 2000)
    noise = random.Random(4).randbytes
    with ExchangeFile(path) as file:
        assert not file.keep([b"small", noise(1001)])
        assert file.keep([noise(900)])
        assert not file.keep([noise(990), noise(991)])
        assert path.stat().st_size < 1000
    path.write_bytes(path.read_bytes() + bytes(2000))
    with pytest.raises(DamagedError, match="reads at most 2000"):
        Exchanges(path)


def test_a_blob_that_unpacks_to_more_than_it_says_is_not_unpacked(path: Path) -> None:
    bomb = zlib.compress(bytes(10**7))
    head = exchanges._HEAD.pack(
        exchanges._MAGIC, len(bomb), zlib.crc32(bomb), 10, bytes.fromhex(digest_of(bytes(10**7)))
    )
    path.write_bytes(head + bomb)
    with pytest.raises(DamagedError, match="damaged at byte 64"):
        Exchanges(path).read(digest_of(bytes(10**7)))
