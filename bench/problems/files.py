"""A problem from a user's own CSV or Parquet file."""

import difflib
import re
import textwrap
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.dtypes import FloatArray
from bench.errors import UsageError
from bench.problems import learning_rate
from bench.problems.learning_rate import LearningRate
from bench.problems.named import NamedProblem
from bench.problems.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")
LIMIT_BYTES = 2**30
"""A larger table is not read, nor one that unpacks to more."""

LIMIT_ROWS = 2**27


def load_file(
    path: str | Path, features: Sequence[str], targets: Sequence[str], *, lr: LearningRate, bias: bool
) -> NamedProblem:
    """A problem whose x and y are columns of a table, with a start at zero.

    Args:
        path: a CSV file with a header line, or a Parquet file.
        features: the columns of x, D of them.
        targets: the columns of y, M of them.
        lr: the learning rate, or ``auto``.
        bias: whether the model has one.

    Returns:
        The problem, named after the file.

    Raises:
        UsageError: the file cannot be read, a column is missing or named twice, a value is not a finite number, there
            are fewer than two rows, or the learning rate is none; the message names the offending thing.
    """
    path = Path(path)
    _check_request(features, targets)
    if lr != "auto":
        learning_rate.checked(lr)
    columns = [*features, *targets]
    table = _read(path, columns)
    if len(table) < 2:
        raise UsageError(
            f"{path} has {len(table)} row{'s' * (len(table) != 1)} of data; a regression needs at least 2."
        )
    x = np.column_stack([_numbers(path, table, column) for column in features])
    y = np.column_stack([_numbers(path, table, column) for column in targets])
    n_features, n_outputs = len(features), len(targets)
    rate = learning_rate.resolved(lr, x, n_outputs=n_outputs, bias=bias)
    return NamedProblem(
        name=_name(path),
        summary=f"{', '.join(targets)} from {', '.join(features)}",
        source=path.name,
        problem=Problem(x, y, np.zeros((n_outputs, n_features)), np.zeros(n_outputs) if bias else None, rate),
    )


def _check_request(features: Sequence[str], targets: Sequence[str]) -> None:
    for role, chosen in (("feature", features), ("target", targets)):
        if not chosen:
            raise UsageError(f"no {role} column is named. Name at least one column of the file as a {role}.")
    columns = [*features, *targets]
    for column in columns:
        if columns.count(column) > 1:
            raise UsageError(
                f"the column {column!r} is asked for twice. Name each column once, as a feature or a target."
            )


def _read(path: Path, columns: Sequence[str]) -> "pd.DataFrame":
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{path} has the suffix {path.suffix!r}; gdbench reads {' and '.join(SUFFIXES)}. Convert the file to one."
        )
    if not path.exists():
        raise UsageError(f"{path} does not exist. Check the path; a relative one starts at {Path.cwd()}.")
    if not path.is_file():
        raise UsageError(f"{path} is not a file. Name one {suffix} file.")
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise UsageError(f"{path} has {size} bytes and gdbench reads at most {LIMIT_BYTES}. Take a part of its rows.")
    parser_warning = import_module("pandas").errors.ParserWarning
    try:
        return _read_csv(path, columns) if suffix == ".csv" else _read_parquet(path, columns)
    except (OSError, ValueError, TypeError, ArithmeticError, LookupError, NotImplementedError, parser_warning) as error:
        # What pandas and pyarrow raise for files that are malformed, undecodable bytes included, is built on these.
        said, advice = str(error).rstrip("."), "Is it complete, and UTF-8?" if suffix == ".csv" else "Is it complete?"
        raise UsageError(f"{path} cannot be read as {suffix[1:]}: {said}. {advice}") from error


def _read_csv(path: Path, columns: Sequence[str]) -> "pd.DataFrame":
    pandas = import_module("pandas")
    # pandas renames repeated columns without a word: the header is read by itself, and columns are taken by position.
    header = pandas.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    _check_columns(path, header, columns)
    # Before 3.1 the default converter could miss the last bit; since then it cannot, and the argument is deprecated.
    major, minor = (int(part) for part in pandas.__version__.split(".")[:2])
    exact = {"float_precision": "round_trip"} if (major, minor) < (3, 1) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        whole: pd.DataFrame = pandas.read_csv(path, index_col=False, low_memory=False, **exact)
    table = whole.iloc[:, [header.index(column) for column in columns]]
    return table.set_axis(list(columns), axis="columns")


def _read_parquet(path: Path, columns: Sequence[str]) -> "pd.DataFrame":
    parquet = import_module("pyarrow.parquet")
    with parquet.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names, columns)
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
        if unpacked > LIMIT_BYTES or file.metadata.num_rows > LIMIT_ROWS:
            raise ValueError(f"it claims {file.metadata.num_rows} rows of {unpacked} bytes; take a part of them")
        # Without pandas' own metadata, which would turn some columns into the index.
        table: pd.DataFrame = file.read(columns=list(columns)).to_pandas(ignore_metadata=True)
    return table


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if header.count(column) > 1:
            raise UsageError(f"{path} has {header.count(column)} columns named {column!r}. Rename all but one.")
        if column not in header:
            near = difflib.get_close_matches(column, header, n=3, cutoff=0.4) or header[:10]
            raise UsageError(f"{path} has no column {column!r}. Near it: {', '.join(map(repr, near))}.")


def _numbers(path: Path, table: "pd.DataFrame", column: str) -> FloatArray:
    pandas = import_module("pandas")
    values = table[column]
    missing = values.isna().to_numpy()
    if missing.any():
        raise _bad_value(path, column, missing, "is missing (empty or NaN)")
    if values.dtype.kind in "bmM":
        raise UsageError(
            f"{path}: the column {column!r} holds {values.dtype} values, not numbers. Convert it to numbers first."
        )
    if not pandas.api.types.is_numeric_dtype(values):
        converted = pandas.to_numeric(values, errors="coerce")
        text = converted.isna().to_numpy()
        if text.any():
            shown = textwrap.shorten(repr(values.iloc[int(text.argmax())]), width=60)
            raise _bad_value(path, column, text, f"is {shown}, not a number")
        values = converted
    numbers: FloatArray = values.to_numpy(dtype=np.float64)
    infinite = ~np.isfinite(numbers)
    if infinite.any():
        raise _bad_value(path, column, infinite, f"is {numbers[int(infinite.argmax())]}, not finite")
    return numbers


def _bad_value(path: Path, column: str, where: npt.NDArray[np.bool_], what: str) -> UsageError:
    row = int(where.argmax()) + 1
    more = int(where.sum()) - 1
    others = f", and {more} more" if more else ""
    return UsageError(
        f"{path}: the value of column {column!r} in row {row} (the header not counted) {what}{others}. "
        "Mend or drop such rows first."
    )


def _name(path: Path) -> str:
    # A name starts with a letter or a digit, so that it is safe as a file name and as an argument.
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-_.")[:64] or "file"
