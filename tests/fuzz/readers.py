"""Every reader of gdbench as one function of the bytes in a file. It may refuse them with a message, and only so."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.dtypes import DTYPES
from bench.errors import UsageError
from bench.gate.config import read_gate
from bench.judge.exchange import read_exchange
from bench.judge.protocol import HEADER, ProtocolError, read_reply, unpack_body, unpack_header
from bench.problems.files import load_file
from bench.proof.contract import Due
from bench.proof.subject import Watch
from bench.runs.benchmark_json import read_benchmark_json
from bench.runs.exchanges import Exchanges
from bench.runs.frames import frame_of, load, parquet_bytes
from bench.runs.journal import read_journal
from bench.runs.layout import read_run_file
from bench.runs.records import ITERATE_COLUMNS, TIMING_COLUMNS
from bench.runs.strict_json import from_json

FOLDER = Path(tempfile.mkdtemp(prefix="gdbench-fuzz-"))


def _written(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def strict_json(data: bytes) -> None:
    from_json(data.decode("utf-8", "surrogateescape"), "the text")


def run_file(data: bytes) -> None:
    read_run_file(_written("run/run.json", data).parent)


def journal(data: bytes) -> None:
    load(_written("journal/journal.jsonl", data).parent)
    read_journal(FOLDER / "journal/journal.jsonl")


def verdicts(data: bytes) -> None:
    folder = _written("frames/verdicts.parquet", data).parent
    if not (folder / "run.json").exists():
        _written("frames/run.json", (Path(__file__).parent / "corpus/run_file-finished").read_bytes())
        for table, columns in (("timings", TIMING_COLUMNS), ("iterates", ITERATE_COLUMNS)):
            _written(f"frames/{table}.parquet", parquet_bytes(frame_of([], columns)))
    load(folder)


def benchmark_json(data: bytes) -> None:
    read_benchmark_json(_written("benchmark.json", data))


def gate(data: bytes) -> None:
    read_gate(_written("pyproject.toml", data))


def table_csv(data: bytes) -> None:
    load_file(_written("table.csv", data), ["x"], ["y"], lr="auto", bias=True)


def table_parquet(data: bytes) -> None:
    load_file(_written("table.parquet", data), ["x"], ["y"], lr="auto", bias=True)


def exchange_file(data: bytes) -> None:
    held = Exchanges(_written("exchanges.bin", data))
    for digest in held:
        held.read(digest)


def exchange(data: bytes) -> None:
    first, *others = data.split(b"\x00") or [b""]
    read_exchange(first, lambda digest: others[0] if others else b"", "the exchange")


def frame(data: bytes) -> None:
    try:
        header = unpack_header(data.ljust(HEADER.size, b"\x00"))
        unpack_body(header, memoryview(data)[HEADER.size :])
    except ProtocolError as error:
        raise UsageError(str(error)) from error


def answer(data: bytes) -> None:
    """An answer of a worker that was asked to look at its device: w (1, 1), b (1,), losses (2,) in float32."""
    try:
        header = unpack_header(data.ljust(HEADER.size, b"\x00"))
        read = unpack_body(header, memoryview(data)[HEADER.size :])
        read_reply(read, Due((1, 1), (1,), (2,)), DTYPES["float32"], "cuda", Watch.EVENTS)
    except ProtocolError as error:
        raise UsageError(str(error)) from error


READERS: dict[str, Callable[[bytes], None]] = {
    reader.__name__: reader
    for reader in (
        strict_json,
        run_file,
        journal,
        verdicts,
        benchmark_json,
        gate,
        table_csv,
        table_parquet,
        exchange_file,
        exchange,
        frame,
        answer,
    )
}


def read(name: str, data: bytes) -> bool:
    """Whether the reader took the bytes; anything but a refusal with a message leaves as it is."""
    try:
        READERS[name](data)
    except UsageError:
        return False
    return True
