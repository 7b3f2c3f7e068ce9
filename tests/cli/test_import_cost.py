"""What the light verbs import: help nothing heavy, the list no library of arrays, tables or statistics but NumPy."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "scipy", "pyarrow", "jinja2", "altair", "sklearn", "jax")

SHOW_IMPORTS = """\
import contextlib, io, sys
from bench.cli import code_of
with contextlib.redirect_stdout(io.StringIO()) as printed:
    try:
        code = code_of(sys.argv[1:])
    except SystemExit as left:
        code = left.code
assert code == 0 and len(printed.getvalue()) > 500, printed.getvalue()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported_by(*arguments: str) -> set[str]:
    """The top-level modules in a fresh interpreter after a command line has been carried out there."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTS, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("gate", "--help")], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    imported = imported_by(*arguments)
    assert "bench" in imported
    assert imported.isdisjoint({*HEAVY, "numpy", "rich"})


def test_the_list_starts_no_array_library_but_numpy() -> None:
    imported = imported_by("list")
    assert {"bench", "numpy", "rich"} <= imported
    assert imported.isdisjoint({*HEAVY, "gd_impls"})


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bench", "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: gdbench")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert imported.isdisjoint({*HEAVY, "numpy", "rich"})
