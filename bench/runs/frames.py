"""Runs as pandas frames: reading run folders back, and the typed tables that a run folder is written from."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.proof.verdict import Status
from bench.runs.benchmark_json import read_benchmark_json
from bench.runs.journal import JOURNAL_NAME, Cells, read_journal
from bench.runs.layout import RUN_FILE, TABLES, is_run, read_limited, read_run_file
from bench.runs.records import ADDED_LATER, RUN_COLUMN, Column, Record

_STATUS_DTYPE = pd.CategoricalDtype([status.value for status in Status])
ROWS_LIMIT = 2**24
"""A table of more rows is not read."""

UNPACKED_LIMIT_BYTES = 2**31
"""A table that unpacks to more is not read."""

_QUOTED_OR_LINE_END = re.compile(r'("[^"]*")|\r\n')
_FORMULA_STARTS = r"[=+\-@\t\r\n]"


@dataclass(frozen=True, slots=True)
class Run:
    """One run, or several one after the other, as frames.

    Attributes:
        verdicts: a row a cell; the columns are ``run`` and those of `bench.runs.records.VERDICT_COLUMNS`.
        timings: a row a timed cell; ``run`` and `bench.runs.records.TIMING_COLUMNS`.
        iterates: a row a component looked at; ``run`` and `bench.runs.records.ITERATE_COLUMNS`.
        environments: what each run was measured on, by the run's name.
    """

    verdicts: pd.DataFrame
    timings: pd.DataFrame
    iterates: pd.DataFrame
    environments: dict[str, dict[str, Any]]


def load(path: str | PathLike[str]) -> Run:
    """Read runs back as frames.

    Args:
        path: one run folder, a folder of run folders, or the file of ``pytest --benchmark-json``.

    Returns:
        The rows of every run found, runs in the order of their names. A run that was killed, or is still going on,
        gives the cells that it has finished.

    Raises:
        UsageError: nothing there is a run; a run is of another schema version; one of its files is damaged.
    """
    source = Path(path)
    if source.is_file():
        environment, cells = read_benchmark_json(source)
        return run_of(source.stem, environment, cells)
    if not source.is_dir():
        raise UsageError(f"{source} does not exist. Give a run folder, a folder of them, or a --benchmark-json file.")
    if is_run(source):
        return _load_folder(source)
    runs = [_load_folder(folder) for folder in sorted(source.iterdir()) if folder.is_dir() and is_run(folder)]
    if not runs:
        raise UsageError(
            f"{source} is no run folder and holds none: there is neither {RUN_FILE} nor {JOURNAL_NAME} in it or in "
            f"its folders. `gdbench run` makes one under results/."
        )
    environments = {name: environment for run in runs for name, environment in run.environments.items()}
    frames = {name: pd.concat([getattr(run, name) for run in runs], ignore_index=True) for name in TABLES}
    return Run(**frames, environments=environments)


def load_timings(folder: Path) -> pd.DataFrame:
    """The frame ``timings`` of one run folder that has a ``run.json``, as `load` gives it; no other table is read.

    Raises:
        UsageError: one of the files that are needed is damaged.
    """
    held = read_run_file(folder)
    if held["finished"] is None:
        return run_of(folder.name, held["environment"], read_journal(folder / JOURNAL_NAME)).timings
    return _named(folder.name, _read_table(folder / "timings.parquet", TABLES["timings"]))


def run_of(run: str, environment: Mapping[str, Any], cells: Cells) -> Run:
    """The frames of one run from its rows.

    Args:
        run: what the column ``run`` says.
        environment: what the run was measured on.
        cells: its rows.
    """
    frames = {name: _named(run, frame_of(getattr(cells, name), columns)) for name, columns in TABLES.items()}
    return Run(**frames, environments={run: dict(environment)})


def frame_of(records: Sequence[Record], columns: Sequence[Column]) -> pd.DataFrame:
    """Records as a frame with exactly these columns and dtypes, also when there are no records."""
    return pd.DataFrame(
        {name: _typed(_values([record.get(name) for record in records], dtype), dtype) for name, dtype, _ in columns}
    )


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """The frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """The frame as CSV in UTF-8, safe to open in a spreadsheet.

    Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers are left alone.
    """
    safe = frame.copy()
    for name in safe.columns[[isinstance(dtype, pd.StringDtype) for dtype in safe.dtypes]]:
        formula = safe[name].str.match(_FORMULA_STARTS).fillna(False)
        safe[name] = safe[name].mask(formula.astype(bool), "'" + safe[name])
    # Before Python 3.13 a carriage return is quoted only where the line end has one; unquoted it would begin a row.
    text = safe.to_csv(index=False, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    return _QUOTED_OR_LINE_END.sub(lambda found: found[1] or "\n", text).encode("utf-8")


def _load_folder(folder: Path) -> Run:
    name = folder.resolve().name
    journal = folder / JOURNAL_NAME
    if not (folder / RUN_FILE).is_file() and journal.is_file():
        return run_of(name, {}, read_journal(journal))
    held = read_run_file(folder)
    if held["finished"] is None:
        return run_of(name, held["environment"], read_journal(journal))
    frames = {
        table: _named(name, _read_table(folder / f"{table}.parquet", columns)) for table, columns in TABLES.items()
    }
    return Run(**frames, environments={name: held["environment"]})


def _read_table(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    data = read_limited(path)
    try:
        frame = _parquet_columns(data, [name for name, _, _ in columns])
        for name in ADDED_LATER - set(frame.columns):
            frame[name] = None
        return pd.DataFrame({name: _typed(frame[name], dtype) for name, dtype, _ in columns})
    except KeyError as error:
        fault = f"it has no column {error}"
    # pyarrow has an error of its own for each way in which a file can be damaged; these are what they are built on.
    except (OSError, ValueError, TypeError, ArithmeticError, NotImplementedError, MemoryError) as error:
        fault = str(error).partition("\n")[0]
    raise UsageError(
        f"{path} cannot be read as a table of gdbench: {fault}. It was cut short or changed after gdbench wrote it. "
        f"Restore it from a copy, or resume the run to write it again from {JOURNAL_NAME}."
    )


def _parquet_columns(data: bytes, wanted: Sequence[str]) -> pd.DataFrame:
    """Those of the columns that the file has, without pandas' own metadata.

    Raises:
        ValueError: a column is there twice, or the file unpacks to more than a run can have written.
        OSError, ArithmeticError, NotImplementedError: pyarrow cannot read it.
    """
    # Imported here, since pandas imports it late as well.
    parquet = import_module("pyarrow.parquet")
    file = parquet.ParquetFile(io.BytesIO(data))
    names = file.schema_arrow.names
    for name in wanted:
        if names.count(name) > 1:
            raise ValueError(f"it has {names.count(name)} columns {name!r}")
    unpacked = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
    if file.metadata.num_rows > ROWS_LIMIT or unpacked > UNPACKED_LIMIT_BYTES:
        raise ValueError(f"it claims {file.metadata.num_rows} rows of {unpacked} bytes, more than any run has")
    frame: pd.DataFrame = file.read(columns=[name for name in wanted if name in names]).to_pandas(ignore_metadata=True)
    return frame


def _named(run: str, frame: pd.DataFrame) -> pd.DataFrame:
    name, dtype, _ = RUN_COLUMN
    frame.insert(0, name, pd.Series(run, index=frame.index, dtype=dtype))
    return frame


def _typed(values: "list[Any] | pd.Series[Any]", dtype: str) -> Any:
    if dtype != "category":
        known: Any = pd.api.types.pandas_dtype(dtype)
        return pd.array(values, dtype=known)
    strange = set(values) - set(_STATUS_DTYPE.categories)
    if strange:
        raise ValueError(f"the status {strange.pop()!r:.80} is none of {', '.join(Status)}")
    return pd.Categorical(values, dtype=_STATUS_DTYPE)


def _values(values: list[Any], dtype: str) -> list[Any]:
    if dtype == "Float64":
        return [None if value is None or not math.isfinite(value) else value for value in values]
    if dtype == "string":
        return [";".join(value) if isinstance(value, list | tuple) else value for value in values]
    return values
