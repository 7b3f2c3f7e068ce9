"""What a project asks of its cells: ``[tool.gdbench.gate]`` in its pyproject.toml."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.proof.causes import CODES
from bench.proof.verdict import Status
from bench.variants.selection import nearest_names

SPEED_KEYS = ("max_slowdown", "faster_than", "within_of_limit")
KEYS = ("variant", "problem", "device", "dtype", "status", "cause", "within", *SPEED_KEYS)
LEAST_SLOWDOWN = 0.001
"""Less is told by no machine."""
ABOVE_ONE = math.nextafter(1.0, 2.0)

LIMIT_BYTES = 2**20
"""A larger project file is not read."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One ``[[tool.gdbench.gate.cells]]``: which cells, and what must hold of each.

    Attributes:
        variant: names and globs, ``file.py``, ``file.py:function`` and modules.
        problem: names, globs and spec strings; the default problems where empty.
        device: where to run; the CPU where empty.
        dtype: float64 and float32 where empty.
        status: what must become of it; what its registration expects where ``None``.
        cause: the cause that it must get.
        within: iterations in which it must have converged.
        max_slowdown: how much slower than its base it may be, as a share: 0.05 is 5 %. Of ``--speed`` alone, as are
            the next two.
        faster_than: the name of a variant that it must be faster than.
        within_of_limit: how many times the least that this machine needs for an iteration it may take.
    """

    variant: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()
    device: tuple[str, ...] = ("cpu",)
    dtype: tuple[str, ...] = ()
    status: str | None = None
    cause: str | None = None
    within: int | None = None
    max_slowdown: float | None = None
    faster_than: str | None = None
    within_of_limit: float | None = None


def read_gate(path: Path) -> list[Requirement]:
    """The requirements in a project file; one that asks for every default cell where it has none.

    Raises:
        UsageError: the file is missing or no TOML, or has a key or a value that means nothing.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LIMIT_BYTES + 1)
        if len(text) > LIMIT_BYTES:
            raise UsageError(f"{path} is larger than {LIMIT_BYTES} bytes. Keep the gate in a file of its own.")
        document = tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} is not there. Name the project file with --config.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder. Name the project file in it with --config.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Name another file with --config.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no valid TOML: {str(error).rstrip('.')}. Mend it there.") from None
    tool = document.get("tool")
    section = tool.get("gdbench", {}) if isinstance(tool, dict) else {}
    _only(section, ("gate",), f"{path}: [tool.gdbench]")
    gate = section.get("gate", {})
    _only(gate, ("cells",), f"{path}: [tool.gdbench.gate]")
    cells = gate.get("cells", [])
    if not isinstance(cells, list):
        raise UsageError(f"{path}: tool.gdbench.gate.cells is no array of tables. Write [[tool.gdbench.gate.cells]].")
    return [_requirement(cell, f"{path}: cell {i}") for i, cell in enumerate(cells, 1)] or [Requirement()]


def _requirement(cell: Any, where: str) -> Requirement:
    _only(cell, KEYS, where)
    status, within = cell.get("status"), cell.get("within")
    if status is not None and status not in list(Status):
        raise UsageError(f"{where}: status {status!r} is not one of {', '.join(Status)}.")
    if within is not None and (type(within) is not int or within < 1):
        raise UsageError(f"{where}: within is {within!r}; it is a number of iterations, 1 or more.")
    if cell.get("cause") is not None:
        _refuse_unknown_cause(cell["cause"], where)
    _refuse_contradiction(cell, where)
    faster_than = cell.get("faster_than")
    if faster_than is not None and not (isinstance(faster_than, str) and faster_than):
        raise UsageError(f"{where}: faster_than is {faster_than!r}; it is the name of a variant.")
    return Requirement(
        variant=_names(cell, "variant", where),
        problem=_names(cell, "problem", where),
        device=_names(cell, "device", where) or ("cpu",),
        dtype=_names(cell, "dtype", where),
        status=status,
        cause=cell.get("cause"),
        within=within,
        max_slowdown=_number(
            cell, "max_slowdown", where, LEAST_SLOWDOWN, "a share of 0.001 or more, such as 0.05 for 5 %"
        ),
        faster_than=faster_than,
        within_of_limit=_number(
            cell, "within_of_limit", where, ABOVE_ONE, "a number above 1: times the machine's limit"
        ),
    )


def _refuse_unknown_cause(cause: Any, where: str) -> None:
    if not isinstance(cause, str):
        raise UsageError(f"{where}: cause is {cause!r}; it is a code such as 'scale.sum'.")
    if cause not in CODES:
        raise UsageError(f"{where}: there is no cause {cause!r}. {nearest_names(cause, CODES)}")


def _number(cell: Mapping[str, Any], key: str, where: str, least: float, meaning: str) -> float | None:
    value = cell.get(key)
    if value is None:
        return None
    if type(value) not in (int, float) or not least <= value < 1e6:
        raise UsageError(f"{where}: {key} is {value!r}; it is {meaning}.")
    return float(value)


def _refuse_contradiction(cell: Mapping[str, Any], where: str) -> None:
    status, cause, within = cell.get("status"), cell.get("cause"), cell.get("within")
    speeds = [key for key in SPEED_KEYS if cell.get(key) is not None]
    if speeds and (cause is not None or status not in (None, Status.PROVED)):
        raise UsageError(
            f"{where}: {speeds[0]} is for cells that are proved, and {cause or status} is asked for. "
            "Leave out one of the two."
        )
    if cause is not None and status not in (None, Status.WRONG, Status.BROKEN):
        raise UsageError(f"{where}: a cell that is {status} has no cause {cause!r}. Leave out one of the two.")
    if within is not None and (cause is not None or status not in (None, Status.PROVED)):
        raise UsageError(
            f"{where}: within is for cells that are proved, and {cause or status} is asked for. "
            "Leave out one of the two."
        )


def _only(table: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is no table.")
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {key!r} means nothing here; there are {', '.join(known)}.")


def _names(cell: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = cell.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"{where}: {key} is {value!r}; it is a name or a list of names.")
    return tuple(names)
