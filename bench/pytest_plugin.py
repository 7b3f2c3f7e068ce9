"""The pytest plugin: tests that ask for a cell get one for each cell of a selection, proved once a session.

Every pytest run on a machine with gdbench loads it, so nothing but pytest is imported before a test asks for a cell.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.harness import Harness, Proved
    from bench.plan import Cell, Request

PARAMETERS = ("variant", "problem", "device", "dtype")
"""A cell's four names, each a parameter of its own, so that ``--benchmark-group-by=param:variant`` works."""

MARKERS = {
    "convergence": "checks that a variant converges as theory says",
    "cuda": "needs a CUDA device",
}
OPTIONS = {
    "variant": "a variant's name or glob, or file.py, file.py:function, package.module:function",
    "problem": "a problem's name or glob, a spec such as gaussian:n=50, or the path of a table",
    "device": "cpu, cuda, cuda:1, mps ... (default: every device there is)",
    "dtype": "float64, float32 ... (default: these two)",
}
NO_PYTEST_BENCHMARK = "pytest-benchmark is not here, so nothing can be timed: pip install 'gdbench[pytest]'"


@dataclass(slots=True)
class _Session:
    """What one pytest session knows: its cells by their names, and what has been proved of them so far."""

    harness: "Harness"
    cells: "dict[tuple[str, ...], Cell]"
    complaints: list[str]
    proved: "dict[tuple[str, ...], Proved]" = field(default_factory=dict)


_SESSION = pytest.StashKey[_Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The selection, as on gdbench's own command line."""
    group = parser.getgroup("gdbench", "gdbench (each option is repeatable)")
    for name, meaning in OPTIONS.items():
        group.addoption(f"--gdbench-{name}", action="append", default=[], metavar="NAME", help=meaning)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a cell, for every test that asks for ``gdbench_cell``, itself or through another fixture."""
    if "gdbench_cell" not in metafunc.fixturenames:
        return
    marks = []
    # Its hooks are there under whatever name pytest-benchmark was loaded.
    if "benchmark" in metafunc.fixturenames and not hasattr(metafunc.config.hook, "pytest_benchmark_group_stats"):
        marks = [pytest.mark.skip(reason=NO_PYTEST_BENCHMARK)]
    cells = _session(metafunc.config).cells.values()
    metafunc.parametrize(
        PARAMETERS,
        [
            pytest.param(
                *cell.key,
                id="-".join(cell.key),
                marks=[*marks, pytest.mark.cuda] if cell.device.startswith("cuda") else marks,
            )
            for cell in cells
        ],
    )


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Name the modules whose variants could not be read."""
    session = config.stash.get(_SESSION, None)
    return [] if session is None else [f"gdbench: {complaint}" for complaint in session.complaints]


@pytest.fixture(scope="session")
def gdbench_harness(pytestconfig: pytest.Config) -> "Harness":
    """The harness whose workers prove the session's cells."""
    return _session(pytestconfig).harness


@pytest.fixture
def gdbench_cell(pytestconfig: pytest.Config, variant: str, problem: str, device: str, dtype: str) -> "Cell":
    """The cell that the test is about."""
    return _session(pytestconfig).cells[variant, problem, device, dtype]


@pytest.fixture
def gdbench_proved(pytestconfig: pytest.Config, gdbench_cell: "Cell") -> "Proved":
    """The cell with its verdict, whatever that is; the proof is made in a worker, once a session."""
    session = _session(pytestconfig)
    if gdbench_cell.key not in session.proved:
        session.proved[gdbench_cell.key] = session.harness.prove(gdbench_cell)
    return session.proved[gdbench_cell.key]


def _session(config: pytest.Config) -> _Session:
    if _SESSION not in config.stash:
        config.stash[_SESSION] = _planned(config)
    return config.stash[_SESSION]


def _planned(config: pytest.Config) -> _Session:
    from bench.errors import GdbenchError  # noqa: PLC0415 - only when a test asks for a cell, as the next
    from bench.harness import Harness  # noqa: PLC0415

    harness = Harness()
    config.add_cleanup(lambda: harness.__exit__(None, None, None))
    complaints: list[str] = []
    try:
        cells = harness.plan(_request(config), complaints.append)
    except GdbenchError as error:
        raise pytest.Collector.CollectError(f"gdbench: {error}") from error
    return _Session(harness, {cell.key: cell for cell in cells}, complaints)


def _request(config: pytest.Config) -> "Request":
    from bench.plan import Request  # noqa: PLC0415 - only when a test asks for a cell

    # Without its entry point the plugin may be loaded after the command line was read.
    asked = {name: tuple(config.getoption(f"gdbench_{name}", default=None) or ()) for name in OPTIONS}
    places = tuple(name for name in asked["variant"] if ":" in name or name.endswith(".py"))
    return Request(
        targets=places,
        variants=tuple(name for name in asked["variant"] if name not in places),
        problems=asked["problem"],
        devices=asked["device"],
        dtypes=asked["dtype"],
    )
