"""The run folder: made once, written by one process, resumed after a kill, finished whole."""

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.errors import DiskError, UsageError
from bench.runs.exchanges import EXCHANGES_NAME, ExchangeFile, digest_of
from bench.runs.journal import JOURNAL_NAME, Cells, Journal
from bench.runs.layout import RUN_FILE, TABLES, is_run, read_run_file, replace_file, sync_folder
from bench.runs.records import RUN_SCHEMA, Record, run_document
from bench.runs.strict_json import to_json

_TRIES = 16


@dataclass(frozen=True, slots=True)
class RunStart:
    """How a run was started; a resumed run keeps what the first start wrote.

    Attributes:
        run: the run's name.
        environment: what `bench.runs.environment.environment` found.
        command: the command line, word by word.
        seed: the seed of everything random in the run.
        started: when, in UTC and ISO 8601.
        inputs: what it is made from, as `bench.runs.inputs.inputs_of` says; ``None`` in runs of an earlier gdbench.
    """

    run: str
    environment: Mapping[str, Any]
    command: tuple[str, ...]
    seed: int | None
    started: str
    inputs: Mapping[str, Any] | None = None


class RunFolder:
    """A run being written: ``results/<UTC time>-<4 hex>/``.

    Attributes:
        path: the folder.
        start: how the run was started.
    """

    __slots__ = ("_exchanges", "_journal", "path", "start")

    def __init__(self, path: Path, start: RunStart, journal: Journal, exchanges: ExchangeFile) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.start = start
        self._journal = journal
        self._exchanges = exchanges

    @classmethod
    def create(
        cls,
        results: Path,
        started: datetime,
        *,
        environment: Mapping[str, Any],
        command: Sequence[str],
        seed: int | None,
        inputs: Mapping[str, Any] | None = None,
        suffixes: Iterable[str] | None = None,
    ) -> Self:
        """Make a new folder for a run; one that is there already is never used.

        Args:
            results: where runs go; made where it is missing.
            started: an aware time.
            environment: what the run is measured on.
            command: the command line, word by word.
            seed: the seed of everything random in the run.
            inputs: what it is made from.
            suffixes: what to try after the time; random four-digit hexadecimals where left out.

        Raises:
            UsageError: ``results`` cannot be written.
        """
        moment = _utc(started)
        tries = suffixes if suffixes is not None else (secrets.token_hex(2) for _ in range(_TRIES))
        with _preparing(results):
            path = _exclusive_folder(results, f"{moment:%Y%m%dT%H%M%SZ}", tries)
            # The journal is there before run.json is: a kill between the two leaves an empty run, not a broken one.
            with _opened(path) as files:
                start = RunStart(path.name, environment, tuple(command), seed, _iso(moment), inputs)
                folder = cls(path, start, *files)
                folder._write_run_file(Cells(), finished=None, interrupted=True)
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Take up a run that was interrupted, or that is to be extended.

        Raises:
            UsageError: there is no run at ``path``, its journal is missing or damaged, or another process writes it.
        """
        if not is_run(path):
            raise UsageError(
                f"{path} is no run folder: it has neither {RUN_FILE} nor {JOURNAL_NAME}. "
                f"Give the folder of one run, such as results/20260131T120000Z-1a2b."
            )
        if not (path / JOURNAL_NAME).is_file() or not (path / RUN_FILE).is_file():
            lacking = JOURNAL_NAME if (path / RUN_FILE).is_file() else RUN_FILE
            raise UsageError(
                f"{path} cannot be resumed: its {lacking} is missing. The run was killed as it began, or the file was "
                f"removed. Start a new run."
            )
        with _preparing(path), _opened(path) as files:
            held = read_run_file(path)
            folder = cls(path, run_start(held), *files)
            if held["finished"] is not None:
                folder._write_run_file(folder.finished_cells(), finished=None, interrupted=True)
        return folder

    def append_verdict(self, record: Record, iterates: Sequence[Record] = (), exchange: Sequence[bytes] = ()) -> None:
        """Put a verdict row, and the iterate rows behind it, in the journal.

        Args:
            record: the verdict row.
            iterates: its iterate rows.
            exchange: what was asked and answered, and then the data that it names; kept where it is not too large.

        Raises:
            ValueError: a record is no row of the frames.
            DiskError: the disk does not take it.
        """
        with writing(self.path):
            # First the exchange: a line in the journal never names one that is not there.
            kept = bool(exchange) and self._exchanges.keep(exchange)
            self._journal.append_verdict(record, iterates, digest_of(exchange[0]) if kept else None)

    def append_timing(self, record: Record) -> None:
        """Put a timing row in the journal; raises as `append_verdict` does."""
        with writing(self.path):
            self._journal.append_timing(record)

    def note_limits(self, limits: Mapping[str, object]) -> None:
        """Keep what the machine can do at most, as it was measured for this run, beside its environment.

        Raises:
            DiskError: the disk does not take it.
        """
        self.start = replace(self.start, environment={**self.start.environment, "limits": dict(limits)})
        with writing(self.path):
            self._write_run_file(self.finished_cells(), finished=None, interrupted=True)

    def finished_cells(self) -> Cells:
        """The rows that the journal holds so far, those of an earlier process included."""
        return self._journal.cells()

    def finish(self, finished: datetime, *, interrupted: bool = False) -> Cells:
        """Write the tables and ``run.json`` from the journal, and close the folder.

        Args:
            finished: an aware time.
            interrupted: whether cells of the plan are left undone.

        Returns:
            The rows that were written.

        Raises:
            UsageError: another run, or another process, finished this folder meanwhile.
            DiskError: the disk is full.
        """
        from bench.runs.frames import csv_bytes, frame_of, parquet_bytes  # noqa: PLC0415 - pandas takes half a second

        held = read_run_file(self.path)
        if held["run"] != self.start.run or held["finished"] is not None:
            raise UsageError(
                f"{self.path} already holds the finished run {held['run']}, which is kept. "
                f"Something else wrote there; start a new run."
            )
        cells = self.finished_cells()
        rows = {"verdicts": cells.verdicts, "timings": cells.timings, "iterates": cells.iterates}
        with writing(self.path):
            for name, columns in TABLES.items():
                frame = frame_of(rows[name], columns)
                replace_file(self.path / f"{name}.parquet", parquet_bytes(frame))
                replace_file(self.path / f"{name}.csv", csv_bytes(frame))
            # Last, because a run counts as finished once run.json says when.
            self._write_run_file(cells, finished=_iso(_utc(finished)), interrupted=interrupted)
        self.close()
        return cells

    def close(self) -> None:
        """Let go of the journal; the run can be resumed."""
        self._exchanges.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_run_file(self, cells: Cells, *, finished: str | None, interrupted: bool) -> None:
        document = {
            "schema": RUN_SCHEMA,
            "run": self.start.run,
            "command": self.start.command,
            "seed": self.start.seed,
            "started": self.start.started,
            "finished": finished,
            "interrupted": interrupted,
            "counts": {
                "verdicts": len(cells.verdicts),
                "timings": len(cells.timings),
                "iterates": len(cells.iterates),
                "statuses": dict(sorted(Counter(row["status"] for row in cells.verdicts).items())),
            },
            "inputs": self.start.inputs,
            **run_document(self.start.environment, cells.verdicts, cells.timings),
        }
        replace_file(self.path / RUN_FILE, to_json(document, indent=2).encode("ascii"))


def run_start(held: Mapping[str, Any]) -> RunStart:
    """How a run was started, by its ``run.json`` as `bench.runs.layout.read_run_file` gives it."""
    command = tuple(map(str, held["command"]))
    return RunStart(held["run"], held["environment"], command, held["seed"], held["started"], held.get("inputs"))


def _exclusive_folder(results: Path, moment: str, suffixes: Iterable[str]) -> Path:
    results.mkdir(parents=True, exist_ok=True)
    for suffix in suffixes:
        path = results / f"{moment}-{suffix}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        sync_folder(results)
        return path
    raise UsageError(
        f"{results} already has a run of {moment} under every name that was tried. "
        f"Something starts runs in a loop; choose another directory with -o/--results."
    )


@contextmanager
def _preparing(directory: Path) -> Iterator[None]:
    """Before any work is done: the user may choose another place."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written: {error.strerror or error}. "
            f"Make room or get permission there, or choose another directory with -o/--results."
        ) from error


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """While work is done: what is in the journal stays there."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"{run} cannot be written any more: {error.strerror or error}. Every cell that had ended before is kept "
            f"there. Make room, then `gdbench run --resume {run}` does what is missing."
        ) from error


@contextmanager
def _opened(run: Path) -> Iterator[tuple[Journal, ExchangeFile]]:
    """The journal, whose lock keeps other processes out, and the exchanges; closed when an error is raised."""
    with ExitStack() as on_error:
        journal = Journal(run / JOURNAL_NAME)
        on_error.callback(journal.close)
        exchanges = ExchangeFile(run / EXCHANGES_NAME)
        on_error.callback(exchanges.close)
        yield journal, exchanges
        on_error.pop_all()


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no time zone")
    return moment.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
