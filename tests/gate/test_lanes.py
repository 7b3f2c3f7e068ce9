"""Lanes: a revision's tree in the place of the working tree, and what happens where it lacks something."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import code_of
from bench.errors import UsageError
from bench.gate.lanes import base_lane
from bench.judge.lane import OWN, Lane

LOOP = """\
from bench import Descent


def descent(problem, n_iters):
    x, y, w, b = problem.x, problem.y, problem.w0, problem.b0
    for _ in range(n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        w = w - problem.lr * (SCALE / y.size * error).T @ x
        b = None if b is None else b - problem.lr * (SCALE / y.size * error).sum(axis=0)
    return Descent(w, b)
"""


def git(*words: str) -> None:
    names = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
    subprocess.run(["git", *names, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose first commit has a gradient twice too large, which the working tree has mended."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "scale.py").write_text("SCALE = 4\n")
    (tmp_path / "loop.py").write_text(f"from steps.scale import SCALE\n{LOOP}")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "steps" / "scale.py").write_text("SCALE = 2\n")
    (tmp_path / "later.py").write_text(f"SCALE = 2\n{LOOP}")
    return tmp_path


def test_a_revision_is_unpacked_beside_the_repository(repository: Path) -> None:
    with base_lane("HEAD", None) as lane:
        assert (lane.name, lane.python, lane.top) == ("HEAD", None, repository.resolve())
        assert lane.root is not None
        assert (lane.root / "steps" / "scale.py").read_text() == "SCALE = 4\n"
        assert not (lane.root / "later.py").exists()
        root = lane.root
    assert not root.exists()
    assert (repository / "steps" / "scale.py").read_text() == "SCALE = 2\n"


@pytest.mark.parametrize(
    ("revision", "python", "says"),
    [
        ("no-such-branch", None, "git knows no such revision here"),
        ("--help", None, "git knows no such revision here"),
        (None, "no-such-python", "there is no such program"),
    ],
)
def test_what_is_no_lane(repository: Path, revision: str | None, python: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says), base_lane(revision, python):
        pass


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="in no git repository"), base_lane("HEAD", None):
        pass


def test_without_either_it_is_the_working_tree() -> None:
    with base_lane(None, None) as lane:
        assert lane is OWN


def test_paths_in_a_lane(tmp_path: Path) -> None:
    top, root = (tmp_path / "top").resolve(), (tmp_path / "root").resolve()
    lane = Lane("base", None, root, top)
    assert lane.target(f"{top}/a/loop.py:step") == f"{root}/a/loop.py:step"
    assert lane.target("package.module:step") == "package.module:step"
    assert lane.target("/elsewhere/loop.py:step") == "/elsewhere/loop.py:step"
    assert lane.first_on_path([f"{top}/src", "/elsewhere", sys.prefix]) == [f"{root}/src"]
    assert OWN.target(f"{top}/loop.py:step") == f"{top}/loop.py:step"


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = code_of(["compare", *arguments, "--json", "-", "--quiet"])
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "gdbench/comparisons/1"
    [row] = document["comparisons"]
    return code, row


def test_each_lane_has_its_own_code(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, row = compared(capsys, "loop.py:descent", "--base", "HEAD")
    assert (code, row["base"], row["head"], row["verdict"]) == (1, "HEAD", "working tree", "inconclusive")
    assert "HEAD is wrong" in str(row["reason"])
    assert row["as_expected"] is False


def test_a_lane_without_the_variant_does_not_borrow_it(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, row = compared(capsys, "later.py:descent", "--base", "HEAD")
    assert code == 1
    assert "there is no file" in str(row["reason"])


def test_a_module_that_the_lane_lacks_is_not_the_working_trees(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository))
    code, row = compared(capsys, "later:descent", "--base", "HEAD")
    assert code == 1
    assert "is not in this lane" in str(row["reason"])


def test_another_interpreter_runs_the_judges_harness(capsys: pytest.CaptureFixture[str]) -> None:
    code, row = compared(capsys, "numpy-analytic", "--base-python", sys.executable)
    assert (code, row["base"], row["head"]) == (0, sys.executable, "working tree")
    assert row["verdict"] in ("same", "inconclusive", "slower", "faster")
    assert isinstance(row["ratio"], float)
