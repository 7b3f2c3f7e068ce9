"""Lanes: a revision's tree in the place of the working tree, and what happens where it lacks something."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.cli import code_of
from bench.errors import UsageError
from bench.gate.lanes import base_lane, lacks
from bench.judge.lane import OWN, Lane
from bench.judge.loading import Loaded, LoadError
from bench.judge.strangers import refuse_strangers
from bench.proof.contract import Trouble
from bench.variants.contract import Variant

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
    for place in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{place}", os.devnull)
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
        (None, shutil.which("true"), "does not import NumPy, which the harness needs there: it says nothing"),
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


def test_a_repository_of_another_user_is_named_as_that(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    said = r"belongs to another user\. Run `git config --global --add safe\.directory"
    with pytest.raises(UsageError, match=said), base_lane("HEAD", None):
        pass


def test_all_files_of_a_revision_are_there(repository: Path) -> None:
    (repository / ".gitattributes").write_text("steps export-ignore\n")
    (repository / "away").symlink_to("/nowhere")
    (repository / "file é.py").write_text("SCALE = 1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "second")
    status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    with base_lane("HEAD", None) as lane:
        assert lane.root is not None
        assert (lane.root / "steps" / "scale.py").exists()
        assert (lane.root / "away").is_symlink()
        assert (lane.root / "file é.py").exists()
        folder = lane.root.parent
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout == status
    assert not list(folder.glob("gdbench-lane-*.index"))


def test_a_revision_whose_files_are_not_all_there(repository: Path) -> None:
    for file in (repository / ".git" / "objects").rglob("*"):
        if file.is_file() and subprocess.run(
            ["git", "cat-file", "-t", f"{file.parent.name}{file.name}"], capture_output=True, text=True, check=True
        ).stdout.startswith("blob"):
            file.unlink()
            break
    with pytest.raises(UsageError, match=r"cannot be written to .*: error: unable to read"), base_lane("HEAD", None):
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


def test_what_only_the_working_tree_has_is_not_in_the_lane(tmp_path: Path) -> None:
    top, root = tmp_path / "top", tmp_path / "root"
    loaded = Loaded(print, str(top / "later.py"))  # type: ignore[arg-type]
    refuse_strangers(loaded, sys.modules, None)
    with pytest.raises(LoadError, match=r"is not in this lane: only the working tree has later\.py") as refused:
        refuse_strangers(loaded, sys.modules, [str(top), str(root)])
    assert refused.value.trouble is Trouble.RAISED


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("top/src/helpers.py", "helpers would be compared with itself: here, too, it is the working tree's"),
        ("top/linked/helpers.py", "it is of a submodule"),
        ("top/.venv/lib/site-packages/helpers.py", "it is the installed one"),
        ("elsewhere/site-packages/deep.py", "it is the installed one"),
        ("top/vendor/helpers.py", ""),
        ("top/.venv/src/other/helpers.py", ""),
        ("elsewhere/site-packages/others.py", ""),
        ("elsewhere/helpers.py", ""),
        ("root/src/helpers.py", ""),
        ("top/tmp/lane/src/helpers.py", ""),
    ],
)
def test_what_both_lanes_would_have_from_one_place_is_refused(
    place: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, file = tmp_path.resolve(), tmp_path.resolve() / place
    # As where temporary files are kept inside of the repository.
    root = tree / "top" / "tmp" / "lane" if "lane" in place else tree / "root"
    for made in (root / "src/helpers.py", root / "libs/b/src/deep.py", root / "loop.py", file):
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    (root / "linked").mkdir()
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, file.stem, module)
    loaded = Loaded(print, str(root / "loop.py"))  # type: ignore[arg-type]
    if not says:
        refuse_strangers(loaded, before, [str(tree / "top"), str(root)])
        return
    with pytest.raises(LoadError, match=says) as refused:
        refuse_strangers(loaded, before, [str(tree / "top"), str(root)])
    assert refused.value.trouble is Trouble.UNAVAILABLE


def test_modules_and_functions_of_any_kind_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ImportError("needs more than there is")

    class Odd:
        __module__ = None  # type: ignore[assignment]

        def __call__(self, problem: object, n_iters: int) -> None: ...

    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "late", Late("late"))
    monkeypatch.setitem(sys.modules, "none", None)
    loaded = Loaded(Odd(), str(tmp_path / "loop.py"))  # type: ignore[arg-type]
    refuse_strangers(loaded, before, [str(tmp_path / "top"), str(tmp_path / "root")])


def test_a_variant_that_is_not_of_the_repository_has_no_base_there(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The project that gdbench itself is in, or the environment that it is installed in, is not this repository.
    assert code_of(["compare", "numpy-matmul", "--base", "HEAD"]) == 2
    said = capsys.readouterr().err
    assert "numpy-matmul is not a file of this repository, so that --base HEAD would compare it with itself" in said


def test_a_wrapper_of_an_installed_package_is_not_compared_with_itself(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = repository / ".venv" / "lib" / "site-packages" / "mine"
    for folder in (repository / "src" / "mine", installed):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(f"SCALE = 2\n{LOOP}")
    (repository / "wrapper.py").write_text("from mine import descent\n")
    git("add", "wrapper.py", "src")
    git("commit", "-qm", "second")
    monkeypatch.syspath_prepend(str(installed.parent))
    code, row = compared(capsys, "wrapper.py:descent", "--base", "HEAD")
    assert (code, row["verdict"]) == (1, "inconclusive")
    assert "HEAD is unavailable" in str(row["reason"])
    assert "mine would be compared with itself: here, too, it is the installed one" in str(row["reason"])
    monkeypatch.syspath_prepend(str(repository / "src"))
    code, row = compared(capsys, "wrapper.py:descent", "--base", "HEAD")
    assert row["ratio"] is not None


def test_another_interpreter_runs_the_judges_harness(capsys: pytest.CaptureFixture[str]) -> None:
    code, row = compared(capsys, "numpy-analytic", "--base-python", sys.executable)
    assert (code, row["base"], row["head"]) == (0, sys.executable, "working tree")
    assert row["verdict"] in ("same", "inconclusive", "slower", "faster")
    assert isinstance(row["ratio"], float)


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("later.py:descent", "HEAD has nothing that it could be slower than: broken"),
        ("loop.py:descent", "HEAD has nothing that it could be slower than: wrong"),
    ],
)
def test_what_a_change_adds_or_repairs_passes_the_speed_gate(
    repository: Path, capsys: pytest.CaptureFixture[str], variant: str, says: str
) -> None:
    cell = f'[[tool.gdbench.gate.cells]]\nvariant = "{variant}"\nproblem = "line-4"\ndtype = "float64"\n'
    (repository / "gate.toml").write_text(cell)
    assert code_of(["gate", "--config", "gate.toml", "--speed", "--base", "HEAD", "--json", "-", "-q"]) == 0
    [row] = json.loads(capsys.readouterr().out)["comparisons"]
    assert (row["verdict"], row["as_expected"]) == ("inconclusive", True)
    assert says in row["reason"]


def test_a_base_that_only_does_not_run_passes_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "steps" / "__init__.py").touch()
    (repository / "steps" / "made.py").write_text("SCALE = 2\n")
    (repository / ".gitignore").write_text("made.py\n")
    (repository / "loop.py").write_text(f"from steps.made import SCALE\n{LOOP}")
    git("add", "loop.py", "steps", ".gitignore")
    git("commit", "-qm", "second")
    cell = '[[tool.gdbench.gate.cells]]\nvariant = "loop.py:descent"\nproblem = "line-4"\ndtype = "float64"\n'
    (repository / "gate.toml").write_text(cell)
    assert code_of(["gate", "--config", "gate.toml", "--speed", "--base", "HEAD", "--json", "-", "-q"]) == 1
    [row] = json.loads(capsys.readouterr().out)["comparisons"]
    assert "HEAD is broken" in row["reason"]
    assert "No module named 'steps.made'" in row["reason"]


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("def descent(problem, n_iters): ...", False),
        ("class descent: ...", False),
        ("descent = made(3)", False),
        ("from mine import other as descent", False),
        ("from mine import *", False),
        ("if True:\n    def descent(problem, n_iters): ...", False),
        ("def descend(problem, n_iters): ...", True),
        ("def descent(", True),
        (None, True),
    ],
)
def test_whether_a_revision_has_a_variant(tmp_path: Path, text: str | None, lacking: bool) -> None:
    top, root = tmp_path.resolve() / "top", tmp_path.resolve() / "root"
    for folder in (top, root):
        folder.mkdir()
    if text is not None:
        (root / "loop.py").write_text(text)
    variant = Variant("descent", "numpy", "numpy", f"{top}/loop.py:descent")
    assert lacks(Lane("base", None, root, top), variant) is lacking
    assert not lacks(OWN, variant)
