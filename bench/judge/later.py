"""Modules that a fork server imports once a variant is known to use them, so that no launch pays for the import."""

import contextlib
import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.collector import no_collector
from bench.judge.imported import file_of, imported_since
from bench.variants.installed import is_installed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_NUMBA, _DYNAMO = "numba", "torch._dynamo"
MODULES = (_NUMBA, _DYNAMO)
"""A closed list: what starts no thread, and can be forked when it is imported. 0.3 to 1 s and 2 s."""

_TELLING = {
    _NUMBA: re.compile(r"^\s*(?:import|from)\s+numba\b", re.MULTILINE),
    # torch imports it in the first call of an optimizer, or of what is compiled.
    _DYNAMO: re.compile(r"\boptim\b|\btorch\.compile\b"),
}


def used_later(before: Iterable[str], file: str) -> dict[str, bool]:
    """Those of `MODULES` that a variant uses or seems to use, each with whether it is imported already.

    Args:
        before: the names of the modules that were there before the variant was loaded.
        file: the variant's.
    """
    used = {}
    numba = file_of(sys.modules.get(_NUMBA))
    # A file of that name beside a variant is the variant's own.
    if numba is not None and is_installed(numba):
        used[_NUMBA] = True
    if "torch" in sys.modules:
        there = _DYNAMO in sys.modules
        own = _own_files(before, Path(file).resolve().parent)
        if there or any(_DYNAMO in mentioned(file, "torch") for file in own):
            used[_DYNAMO] = there
    return used


def mentioned(file: Path, backend: str) -> frozenset[str]:
    """Those of `MODULES` that a variant of this backend uses by the text of its file; none where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return frozenset()
    # A server that has no torch is not to import one for a word.
    fitting = (name for name in MODULES if name != _DYNAMO or backend == "torch")
    return frozenset(name for name in fitting if _TELLING[name].search(text))


def import_later(names: Iterable[str]) -> bool:
    """Import those of `MODULES` that are named and not there; whether there was anything to import."""
    missing = [name for name in MODULES if name in names and name not in sys.modules]
    for name in missing:
        # Only to save time: a variant that needs it will say so itself.
        with no_collector(), contextlib.suppress(Exception):
            module = importlib.import_module(name)
            if name == _NUMBA:
                _start_compiler(module)
    return bool(missing)


def _start_compiler(numba: Any) -> None:
    """Compile a loop: the first takes twice as long as any after it."""
    import numpy as np  # noqa: PLC0415 - the server has no thread but its own until it can make namespaces

    numba.njit(_total)(np.ones((1, 1)))


def _total(x: "npt.NDArray[np.float64]") -> float:
    total = 0.0
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            total += x[row, column]
    return total


def _own_files(before: Iterable[str], folder: Path) -> Iterator[Path]:
    """Of the modules that were not there before, the sources in a folder and those that are no library's."""
    for file in imported_since(before).values():
        if file.suffix == ".py" and (file.is_relative_to(folder) or not is_installed(file)):
            yield file
