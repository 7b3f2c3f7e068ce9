"""The journal of a run: one line of strict JSON a cell as it ends, so that a killed run loses nothing it finished."""

import fcntl
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from bench.errors import UsageError
from bench.runs.records import ITERATE_COLUMNS, TIMING_COLUMNS, VERDICT_COLUMNS, Record, cell_of, fault_in
from bench.runs.strict_json import from_json, plain, plain_to_json

JOURNAL_NAME = "journal.jsonl"
JOURNAL_LIMIT_BYTES = 2**29
"""A longer journal is neither written nor read."""


@dataclass(slots=True)
class Cells:
    """The rows of the cells that a journal holds, in the order in which the cells first ended.

    A cell that was judged again keeps its last verdict only, and the last timing that followed it.

    Attributes:
        verdicts: verdict rows.
        timings: timing rows.
        iterates: iterate rows.
        exchanges: for the cells whose exchange was kept, its digest in the exchange file.
    """

    verdicts: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    iterates: list[dict[str, Any]] = field(default_factory=list)
    exchanges: dict[tuple[object, ...], str] = field(default_factory=dict)


_DIGEST = re.compile("[0-9a-f]{64}")

Entry = dict[str, Any]
Entries = dict[tuple[object, ...], list[Entry]]


class Journal:
    """The open journal of a run, held by one process at a time.

    Attributes:
        path: the journal's file.
    """

    __slots__ = ("_descriptor", "_entries", "_length", "path")

    def __init__(self, path: Path) -> None:
        """Open for appending, make the file where there is none, and cut off a torn last line.

        Raises:
            UsageError: another process writes to it, or `read_journal` refuses what is in it.
            OSError: the file cannot be opened.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._entries, self._length = _read(path)
            os.ftruncate(self._descriptor, self._length)
        except BaseException:
            self.close()
            raise

    def append_verdict(self, record: Record, iterates: Sequence[Record] = (), exchange: str | None = None) -> None:
        """Write a verdict row and the iterate rows behind it, and wait until the disk has them.

        Args:
            record: the verdict row.
            iterates: its iterate rows.
            exchange: the digest of what was asked and answered; ``None`` where that is not kept.

        Raises:
            ValueError: a record is no row of the frames.
            UsageError: the journal would grow beyond `JOURNAL_LIMIT_BYTES`.
            OSError: the disk did not take the line; the journal is left as it was.
        """
        self._append({"kind": "verdict", "verdict": record, "iterates": list(iterates), "exchange": exchange})

    def append_timing(self, record: Record) -> None:
        """Write a timing row, and wait until the disk has it; raises as `append_verdict` does."""
        self._append({"kind": "timing", "timing": record})

    def cells(self) -> Cells:
        """The cells in the journal so far, those of an earlier process included."""
        return _cells(self._entries)

    def close(self) -> None:
        """Let go of the file; appending afterwards fails."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, entry: dict[str, object]) -> None:
        written_entry = plain(entry)
        if fault := _fault_in_entry(written_entry):
            raise ValueError(f"not a journal entry: {fault}")
        line = plain_to_json(written_entry).encode("ascii")
        if self._length + len(line) > JOURNAL_LIMIT_BYTES:
            raise UsageError(
                f"{self.path} would grow beyond {JOURNAL_LIMIT_BYTES} bytes. "
                f"Finish this run and put the remaining variants or problems into another."
            )
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes were taken; the disk may be full")
            os.fsync(self._descriptor)
        except OSError:
            self._take_back()
            raise
        except KeyboardInterrupt:
            # The kernel does not stop halfway: where the line is in the file, the tables must have it too.
            if os.fstat(self._descriptor).st_size > self._length:
                self._keep(line, written_entry)
            raise
        self._keep(line, written_entry)

    def _keep(self, line: bytes, entry: Entry) -> None:
        self._length += len(line)
        _enter(self._entries, entry)

    def _take_back(self) -> None:
        # Half a line makes the whole journal unreadable once another line follows it.
        try:
            os.ftruncate(self._descriptor, self._length)
        except OSError:
            self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{self.path} is being written by another process: this run is still going on, or a worker of it "
                f"outlived it. Wait for that process, or end it."
            ) from None
        except OSError:
            # Some network file systems have no locks; there the run folder's unique name alone keeps runs apart.
            return


def read_journal(path: Path) -> Cells:
    """The cells in a journal.

    A last line without its line feed is what a killed run leaves, and is passed over. Nothing else is forgiven.

    Raises:
        UsageError: the file cannot be read, a whole line is not what gdbench writes, or the file is larger than
            `JOURNAL_LIMIT_BYTES`; the message names the line.
    """
    try:
        return _cells(_read(path)[0])
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}. The cells of a run that is not finished are nowhere else; "
            "restore the file, or move the run folder away."
        ) from error


def _read(path: Path) -> tuple[Entries, int]:
    # The number is the length in bytes without a torn last line.
    size = path.stat().st_size
    if size > JOURNAL_LIMIT_BYTES:
        raise UsageError(
            f"{path} has {size} bytes and gdbench reads journals of at most {JOURNAL_LIMIT_BYTES}. "
            f"It was not written by gdbench as it is; move the run folder away."
        )
    lines = path.read_bytes().split(b"\n")[:-1]
    entries: Entries = {}
    for number, line in enumerate(lines, start=1):
        _enter(entries, _entry(line, f"{path} line {number}"))
    return entries, sum(len(line) + 1 for line in lines)


def _enter(entries: Entries, entry: Entry) -> None:
    if entry["kind"] == "verdict":
        entries[cell_of(entry["verdict"])] = [entry]
    else:
        cell = cell_of(entry["timing"])
        entries[cell] = [*(before for before in entries.get(cell, ()) if before["kind"] == "verdict"), entry]


def _cells(entries: Entries) -> Cells:
    cells = Cells()
    for entry in (entry for of_one_cell in entries.values() for entry in of_one_cell):
        if entry["kind"] == "verdict":
            cells.verdicts.append(entry["verdict"])
            cells.iterates.extend(entry["iterates"])
            if entry.get("exchange") is not None:
                cells.exchanges[cell_of(entry["verdict"])] = entry["exchange"]
        else:
            cells.timings.append(entry["timing"])
    return cells


def _entry(line: bytes, where: str) -> Entry:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(f"{where} is not UTF-8: {error.reason}.")
    if not text.strip():
        _refuse(f"{where} is empty.")
    try:
        entry = from_json(text, where)
    except UsageError as error:
        _refuse(str(error))
    if fault := _fault_in_entry(entry):
        _refuse(f"{where} is no journal entry: {fault}.")
    assert isinstance(entry, dict)
    return entry


def _refuse(fact: str) -> NoReturn:
    raise UsageError(
        f"{fact} The journal was changed or damaged after gdbench wrote it. Restore it from a copy, or move the run "
        f"folder away and run again."
    )


def _fault_in_entry(entry: Any) -> str | None:
    match entry:
        case {"kind": "verdict", "verdict": verdict, "iterates": list(iterates)}:
            exchange = entry.get("exchange")
            if exchange is not None and not (isinstance(exchange, str) and _DIGEST.fullmatch(exchange)):
                return f"its exchange is {exchange!r:.80}, not a digest"
            return fault_in([verdict], VERDICT_COLUMNS) or fault_in(iterates, ITERATE_COLUMNS)
        case {"kind": "timing", "timing": timing}:
            return fault_in([timing], TIMING_COLUMNS)
        case {"kind": kind}:
            return f"its kind is {kind!r:.40} and its fields are {', '.join(map(str, entry))}"
        case _:
            return "it is not an object with a kind"
