"""What a fork server imports once it is known to be used, and where its libraries lie."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.dtypes import DTYPES
from bench.judge.forkserver import SHORTENING_VARIABLES, ForkServer
from bench.judge.kernel import ADDR_NO_RANDOMIZE, PERSONALITY_ASKED, personality
from bench.judge.later import import_later, mentioned, used_later
from bench.judge.workshop import Workshop
from bench.problems.catalogue import find
from bench.proof.subject import Failure
from bench.variants.contract import Variant

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

NEEDS_DYNAMO = """\
import sys
import torch

def descend(problem, n_iters):
    torch.optim
    raise RuntimeError("it is there" if "torch._dynamo" in sys.modules else "it is not there")
"""
TELLS_A_PLACE = """\
import ctypes

def descend(problem, n_iters):
    raise RuntimeError(hex(ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value))
"""
TELLS_WHAT_SHORTENS = """\
import os

def descend(problem, n_iters):
    raise RuntimeError(str(sorted(name for name in os.environ if "TF32" in name)))
"""


def said_by(source: str, backend: str, folder: Path, modules: Sequence[str] = ()) -> str:
    """What a variant raises in a worker of a server of its own."""
    (folder / "variant.py").write_text(source, encoding="utf-8")
    with Workshop() as workshop:
        workshop.expect(backend, modules)
        launched = workshop.launch(Variant("it", backend, backend, f"{folder}/variant.py:descend"), "cpu")
        assert not isinstance(launched, Failure)
        with launched as worker:
            answer = worker.call(find("line-4").problem, 1, DTYPES["float64"])
    assert isinstance(answer, Failure)
    return answer.message


def test_the_server_has_one_thread_until_it_can_make_namespaces() -> None:
    # A process with more threads may not enter a user namespace, and NumPy may start as many as it is allowed.
    shown = "import sys, bench.judge.server; print([name for name in ('numpy', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_no_worker_computes_with_shorter_numbers_because_of_where_gdbench_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SHORTENING_VARIABLES:
        monkeypatch.setenv(name, "1")
    assert "RuntimeError: []" in said_by(TELLS_WHAT_SHORTENS, "numpy", tmp_path)


@needs_torch
def test_what_an_optimizer_imports_is_there_before_its_first_call(tmp_path: Path) -> None:
    assert "it is there" in said_by(NEEDS_DYNAMO, "torch", tmp_path)


@needs_torch
def test_nobody_else_waits_for_it(tmp_path: Path) -> None:
    assert "it is not there" in said_by(NEEDS_DYNAMO.replace("torch.optim", "torch"), "torch", tmp_path)


def _places_can_be_fixed() -> bool:
    try:
        before = personality(PERSONALITY_ASKED)
        personality(before | ADDR_NO_RANDOMIZE)
        personality(before)
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _places_can_be_fixed(), reason="this system does not let a process fix where its libraries lie")
def test_workers_of_any_server_have_their_libraries_in_the_same_places(tmp_path: Path) -> None:
    first, other = (said_by(TELLS_A_PLACE, "numpy", tmp_path) for _ in range(2))
    assert "0x" in first
    assert first == other


@pytest.mark.skipif(not _places_can_be_fixed(), reason="this system does not say where its libraries lie")
def test_the_judge_keeps_random_places() -> None:
    before = personality(PERSONALITY_ASKED)
    with Workshop() as workshop:
        workshop.presence()
        assert personality(PERSONALITY_ASKED) == before


def module_from(file: Path, text: str = "") -> ModuleType:
    """A module that seems to have been imported from there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    return module


@pytest.mark.parametrize(
    ("place", "text", "used"),
    [
        ("helper.py", "from torch import optim", {"torch._dynamo": False}),
        ("helper.py", "step = torch.compile(step)", {"torch._dynamo": False}),
        ("helper.py", "optimal = re.compile('')", {}),
        ("site-packages/library/part.py", "from torch import optim", {}),
    ],
)
def test_a_variant_and_its_helpers_are_looked_at_and_libraries_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, text: str, used: dict[str, bool]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    before = list(sys.modules)
    monkeypatch.setitem(sys.modules, "the_helper", module_from(tmp_path / place, text))
    assert used_later(before, str(tmp_path / "variant" / "it.py")) == used


@pytest.mark.parametrize(("place", "used"), [("site-packages/numba/__init__.py", {"numba": True}), ("numba.py", {})])
def test_only_the_installed_library_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, used: dict[str, bool]
) -> None:
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    before = list(sys.modules)
    monkeypatch.setitem(sys.modules, "numba", module_from(tmp_path / place))
    found = used_later(before, str(tmp_path / "it.py"))
    assert {name: there for name, there in found.items() if name == "numba"} == used


@pytest.mark.parametrize(
    ("text", "backend", "modules"),
    [
        ("from numba import njit", "numpy", {"numba"}),
        ("def f():\n    import numba", "torch", {"numba"}),
        ("# numba would be faster", "numpy", set()),
        ("from torch import nn, optim", "torch", {"torch._dynamo"}),
        ("from scipy import optim", "numpy", set()),
    ],
)
def test_what_a_file_names_is_known_before_it_is_loaded(
    tmp_path: Path, text: str, backend: str, modules: set[str]
) -> None:
    file = tmp_path / "variant.py"
    file.write_text(text, encoding="utf-8")
    assert mentioned(file, backend) == modules
    assert mentioned(tmp_path / "another.py", backend) == set()


@needs_torch
def test_a_server_has_what_it_was_told_before_its_first_worker(tmp_path: Path) -> None:
    source = NEEDS_DYNAMO.replace("    torch.optim\n", "")
    assert "it is not there" in said_by(source, "torch", tmp_path)
    assert "it is there" in said_by(source, "torch", tmp_path, ["torch._dynamo"])


def test_what_does_not_import_stops_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert not import_later(["numba", "os"])
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr("importlib.import_module", lambda name: 1 / 0)
    assert import_later(["numba"])


def test_the_compiler_is_started_before_a_variant_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr("importlib.import_module", lambda name: SimpleNamespace(njit=compiled.append))
    assert import_later(["numba"])
    (loop,) = compiled
    assert loop(np.arange(6.0).reshape(2, 3)) == 15.0


def test_a_server_is_asked_once_for_a_new_worker() -> None:
    server = object.__new__(ForkServer)
    server.forks, server._modules = True, frozenset()
    assert not server.import_later({"numba": True})
    assert server.import_later({"numba": True, "torch._dynamo": False})
    assert not server.import_later({"torch._dynamo": False})
    server.forks, server._modules = False, frozenset()
    assert not server.import_later({"torch._dynamo": False})
