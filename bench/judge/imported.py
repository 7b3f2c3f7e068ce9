"""The files that a process has imported modules from."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType


def file_of(module: ModuleType | None) -> Path | None:
    """The file of a module; ``None`` where it has none, or is none."""
    # Not as an attribute: a module that loads its contents late would load them now, or fail to.
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:
        return None
    return Path(file).resolve() if isinstance(file, str) else None


def imported_since(before: Iterable[str]) -> dict[str, Path]:
    """The modules whose names were not there before, by name, each with its file; those without one are left out."""
    found = {name: file_of(sys.modules.get(name)) for name in sorted(sys.modules.keys() - set(before))}
    return {name: file for name, file in found.items() if file is not None}
