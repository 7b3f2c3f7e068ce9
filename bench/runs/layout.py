"""What a run folder is made of: the names of its files, how one is replaced whole, and how ``run.json`` is read."""

import os
import re
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.runs.journal import JOURNAL_NAME
from bench.runs.records import ITERATE_COLUMNS, RUN_SCHEMA, TIMING_COLUMNS, VERDICT_COLUMNS, Column
from bench.runs.strict_json import from_json

RUN_FILE = "run.json"
TABLES: dict[str, tuple[Column, ...]] = {
    "verdicts": VERDICT_COLUMNS,
    "timings": TIMING_COLUMNS,
    "iterates": ITERATE_COLUMNS,
}
"""The frames of a run; each is written as ``<name>.parquet`` and ``<name>.csv``."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a run may be called."""

FILE_LIMIT_BYTES = 2**29
"""A larger file of a run folder is not read."""

_RUN_FIELDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "environment": dict,
    "command": list,
    "seed": (int, type(None)),
    "started": str,
    "finished": (str, type(None)),
    "interrupted": bool,
}


def is_run(folder: Path) -> bool:
    """Whether the folder holds a run, finished or not."""
    return any((folder / name).is_file() for name in (RUN_FILE, JOURNAL_NAME, "verdicts.parquet"))


def read_limited(path: Path) -> bytes:
    """The bytes of a file of at most `FILE_LIMIT_BYTES`.

    Raises:
        UsageError: it is larger, or it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size <= FILE_LIMIT_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.") from error
    raise UsageError(
        f"{path} has {size} bytes and gdbench reads at most {FILE_LIMIT_BYTES}. It was not written by gdbench."
    )


def read_text(path: Path) -> str:
    """The text of a file of at most `FILE_LIMIT_BYTES` in UTF-8.

    Raises:
        UsageError: it is larger, it cannot be read, or it is not UTF-8.
    """
    try:
        return read_limited(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason}. It was not written by gdbench.") from error


def read_run_file(folder: Path) -> dict[str, Any]:
    """The contents of a run folder's ``run.json``.

    Raises:
        UsageError: it is missing, not strict JSON, of another schema version, or lacks a field.
    """
    path = folder / RUN_FILE
    document = from_json(read_text(path), str(path))
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != RUN_SCHEMA:
        raise UsageError(
            f"{path} has the schema {schema!r:.80} and this gdbench reads {RUN_SCHEMA!r}. "
            f"Read it with the version of gdbench that wrote it."
        )
    for name, kind in _RUN_FIELDS.items():
        if not isinstance(document.get(name, ...), kind):
            raise UsageError(
                f"{path} has no usable field {name!r}. The file was changed after gdbench wrote it; restore it from "
                f"a copy."
            )
    for name, usable in (
        ("run", NAME.fullmatch(document["run"]) is not None),
        ("command", all(isinstance(word, str) for word in document["command"])),
        ("inputs", isinstance(document.get("inputs"), dict | None)),
    ):
        if not usable:
            raise UsageError(f"{path} has no usable field {name!r}. Restore the file from a copy.")
    return dict(document)


def refuse_unwritable(results: Path) -> None:
    """Before any work is done rather than after it.

    Raises:
        UsageError: nothing can be written to the folder, or made where it is to be.
    """
    there = results
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return
    read_only = there.is_dir() and os.statvfs(there).f_flag & os.ST_RDONLY
    what = "its disk is read-only" if read_only else "permission denied" if there.is_dir() else f"{there} is a file"
    raise UsageError(
        f"{results} cannot be written: {what}. Get permission there, or choose another directory with -o/--results."
    )


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a reader, or a crash, finds the old file or the new one and never a part.

    Raises:
        OSError: the disk did not take it; what was at ``path`` is untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError:
        # On a full disk the part that it took is room that the rest needs.
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of the files in a folder.

    Raises:
        OSError: the disk did not take them.
    """
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def latest_run(results: Path) -> Path:
    """The run in a folder of runs that was started last, whatever the folders are called.

    Raises:
        UsageError: it holds none.
    """
    runs = [path for path in results.iterdir() if is_run(path)] if results.is_dir() else []
    if not runs:
        raise UsageError(f"{results} holds no run. `gdbench run` makes one; or name a run folder.")
    return max(runs, key=lambda path: (_started(path), path.name))


def _started(run: Path) -> str:
    """When a run was started, in UTC as its own file says it; nothing where that cannot be read."""
    try:
        return str(read_run_file(run)["started"])
    except (OSError, UsageError):
        return ""
