"""The problems that gdbench knows by name.

Listing them reads no file and imports no library of data sets: the modules beside this one are imported on loading.
"""

import difflib
import fnmatch
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from bench.errors import UsageError
from bench.problems.named import Entry, NamedProblem


def find(name: str) -> NamedProblem:
    """The problem of an exact name or a spec string, loaded.

    Args:
        name: a name of the catalogue, or a spec such as ``gaussian:n=1000,d=20``.

    Raises:
        UsageError: there is no such problem; the message gives the nearest names.
        UnavailableError: its data is not on this machine.

    >>> find("line-4").problem.x.ravel().tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return _entry_named(name).load()


def select(patterns: Sequence[str]) -> list[Entry]:
    """The entries that any of the patterns means, in the order of the catalogue, each once.

    Args:
        patterns: exact names, globs over the names of the catalogue, and spec strings, which follow the catalogue's
            entries in the order given.

    Raises:
        UsageError: a pattern means no problem.

    >>> [entry.name for entry in select(["line-*", "line-4", "gaussian:n=50"])]
    ['line-4', 'line-6', 'gaussian:n=50']
    """
    chosen: dict[str, Entry] = {}
    for pattern in patterns:
        matching = [entry for entry in CATALOGUE if fnmatch.fnmatchcase(entry.name, pattern)]
        for entry in matching or [_entry_named(pattern)]:
            chosen.setdefault(entry.name, entry)
    listed = [entry for entry in CATALOGUE if entry.name in chosen]
    return listed + [entry for name, entry in chosen.items() if entry not in listed]


def _entry_named(name: str) -> Entry:
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    if ":" in name:
        return _generated(name)
    names = [entry.name for entry in CATALOGUE]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"The nearest names are {', '.join(near)}" if near else f"There are {', '.join(names)}"
    raise UsageError(
        f"no problem is named {name!r}. {hint}. `gdbench list` shows them all; generated ones are written like "
        "gaussian:n=1000,d=20."
    )


def _generated(spec: str) -> Entry:
    synthetic = import_module("bench.problems.synthetic")
    recipe = synthetic.parse(spec)
    for entry in CATALOGUE:
        if entry.name == recipe.name:
            return entry
    return _entry("synthetic", recipe.name, synthetic.described(recipe), _GENERATED)


def _entry(room: str, name: str, summary: str, source: str, *, default: bool = False) -> Entry:
    return Entry(name, summary, source, default, partial(_load, room, name, summary, source))


def _load(room: str, name: str, summary: str, source: str) -> NamedProblem:
    # Imported here, because these modules import this one, and some read files.
    problem, answer = import_module(f"bench.problems.{room}").load(name)
    return NamedProblem(name, summary, source, problem, answer)


_GENERATED = "generated from its seed by NumPy's default_rng"
_RECOVERED = "start recovered from the table that notebook 001 prints"
_NIST = "NIST Statistical Reference Datasets, linear regression"

CATALOGUE: tuple[Entry, ...] = (
    _entry(
        "notebooks",
        "line-4",
        "the line y = 2 x at x = 1..4, without bias, from zero",
        "notebooks 000, 001 and 003",
        default=True,
    ),
    _entry("notebooks", "line-6", "the line y = 2 x at x = 0..5, without bias, from zero", "notebook 002"),
    _entry(
        "notebooks",
        "linear-4-lr0.01",
        "the line y = 2 x at x = 1..4, with a bias (nn.Linear)",
        f"notebook 000, whose own start is not known; {_RECOVERED}",
    ),
    _entry(
        "notebooks",
        "linear-4-lr0.001",
        "the line y = 2 x at x = 1..4, with a bias (nn.Linear)",
        f"notebook 001, last cell; {_RECOVERED}",
    ),
    _entry(
        "notebooks",
        "crop-yield",
        "yields of two crops from temperature, rainfall and humidity of five regions",
        "notebook 004, with its printed start",
        default=True,
    ),
    _entry(
        "nist", "noint1", "generated data far from the origin, a line through it", f"{_NIST}, NoInt1 (K. Eberhardt)"
    ),
    _entry("nist", "noint2", "three generated points, a line through the origin", f"{_NIST}, NoInt2 (K. Eberhardt)"),
    _entry("nist", "norris", "calibration of ozone monitors", f"{_NIST}, Norris (J. Norris)", default=True),
    _entry(
        "datasets",
        "diabetes",
        "progression of diabetes in 442 patients from ten scaled features",
        "scikit-learn load_diabetes; Efron et al., Annals of Statistics 32 (2004)",
    ),
    _entry(
        "datasets",
        "linnerud",
        "weight, waist and pulse of 20 men from three exercises",
        "scikit-learn load_linnerud; Tenenhaus, La regression PLS (1998)",
    ),
    _entry(
        "synthetic",
        "gaussian",
        "Gaussian features, condition 10, planted answer, noise 0.1",
        _GENERATED,
        default=True,
    ),
    _entry(
        "synthetic",
        "batch",
        "16 independent regressions: Gaussian features, condition 10, planted answer, noise 0.1",
        _GENERATED,
        default=True,
    ),
)
"""Every problem that has a name, the notebooks' first."""
