"""What a run may go on with, and what it refuses to mix into itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED, OK, USAGE
from bench.plan import Cell
from bench.problems.catalogue import find
from bench.runs.inputs import changes, inputs_of
from bench.variants.contract import Variant

HOSTILE = Path(__file__).parent / "targets" / "hostile.py"
BESIDE = "from hostile import honest as fit, twice\n"

pytestmark = pytest.mark.usefixtures("quiet_machine")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copy(HOSTILE, tmp_path / "hostile.py")
    (tmp_path / "mine.py").write_text(BESIDE)
    (tmp_path / "table.csv").write_text("x,y\n1,2\n2,4\n3,6\n4,8.5\n")
    return tmp_path


@pytest.fixture
def half(place: Path) -> Path:
    """A run of two variants on two problems that has lost all but the first line of its journal."""
    targets = [f"{place}/mine.py:fit", f"{place}/hostile.py:twice", "-p", f"{place}/table.csv", "-p", "line-4"]
    made_from = ["--features", "x", "--target", "y", "--backend", "numpy"]
    arguments = ["run", *targets, *made_from, "-t", "float64", "--quiet", "-o", str(place / "results")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["gdbench", *arguments])
        patch.setenv("PYTHONPATH", str(place))
        patch.syspath_prepend(place)
        assert code_of(arguments) == NOT_AS_EXPECTED
    [run] = (place / "results").iterdir()
    journal = run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().partition(b"\n")[0] + b"\n")
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.iterdir()}


def refusal(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said when the run is not resumed; nothing in it has changed then."""
    before = contents(run)
    capsys.readouterr()
    assert code_of(["run", "--resume", str(run)]) == USAGE
    assert contents(run) == before
    return " ".join(capsys.readouterr().err.split())


def test_a_resume_does_only_what_is_missing(
    half: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(place)
    before = (half / "journal.jsonl").read_bytes()
    assert code_of(["run", "--resume", str(half), "--quiet"]) == NOT_AS_EXPECTED
    after = (half / "journal.jsonl").read_bytes()
    assert after.startswith(before)
    rows = [json.loads(line) for line in after.splitlines()]
    assert [row["kind"] for row in rows] == ["verdict"] * 4 + ["timing"] * 2
    assert len(bench.load(half).verdicts) == 4
    assert code_of(["run", "--resume", str(half), "--quiet"]) == NOT_AS_EXPECTED
    assert (half / "journal.jsonl").read_bytes() == after
    assert "note:" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda place: (place / "hostile.py").write_text(HOSTILE.read_text() + "\n"),
            ["the source of the variant mine.py:fit (hostile.py)", "the source of the variant hostile.py:twice"],
        ),
        (
            lambda place: (place / "mine.py").write_text(BESIDE + "\n"),
            ["the source of the variant mine.py:fit (mine.py)"],
        ),
        (lambda place: (place / "table.csv").write_text("x,y\n1,2\n2,4\n3,7\n"), ["the data of the problem table"]),
    ],
    ids=["imported", "own", "data"],
)
def test_changed_code_and_data_are_refused_by_name(
    half: Path,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], None],
    named: list[str],
) -> None:
    change(place)
    said = refusal(half, capsys)
    assert f"{half} cannot be resumed" in said
    assert "Undo that, or start a new run." in said
    for what in named:
        assert what in said
    assert said.count("the source of") + said.count("the data of") == len(named)


def test_what_is_gone_or_new_is_refused_by_name(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_run_file(half, lambda held: held["inputs"]["variants"].update(gone={"gone.py": "0"}))
    assert "the variant gone, which is no longer there" in refusal(half, capsys)
    change_run_file(half, lambda held: held["inputs"]["problems"].pop("line-4"))
    assert "the problem line-4, which the run did not have" in refusal(half, capsys)


@pytest.mark.parametrize("fact", ["numpy", "torch", "python", "gdbench", "cpu"])
def test_another_version_or_machine_is_refused_with_both_values(
    half: Path, capsys: pytest.CaptureFixture[str], fact: str
) -> None:
    change_run_file(half, lambda held: held["environment"].update({fact: "0.0.1"}))
    assert f"{fact} (0.0.1 then, " in refusal(half, capsys)


def test_gdbench_itself_may_not_have_changed(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_run_file(half, lambda held: held["inputs"].update(gdbench="0" * 64))
    assert "the source of gdbench itself" in refusal(half, capsys)


def test_what_no_row_depends_on_is_a_note(
    half: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(place)
    change_run_file(half, lambda held: held["environment"].update(pandas="0.0.1"))
    assert code_of(["run", "--resume", str(half), "--quiet"]) == NOT_AS_EXPECTED
    assert "note: since the run was started there has changed: pandas (0.0.1 then, " in capsys.readouterr().err


def test_a_run_that_does_not_say_what_it_was_made_from_is_refused(
    half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_run_file(half, lambda held: held.update(inputs=None))
    assert "does not say what it was made from" in refusal(half, capsys)


def change_run_file(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    held = json.loads((run / "run.json").read_text())
    change(held)
    (run / "run.json").write_text(json.dumps(held))


def test_a_default_selection_is_resumed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["run", "-v", "numpy-[am]*", "-p", "line-4", "-t", "float64", "--quiet", "-o", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["gdbench", *arguments])
    assert code_of(arguments) == OK
    [run] = tmp_path.iterdir()
    (run / "journal.jsonl").write_bytes(b"")
    assert code_of(["run", "--resume", str(run), "--quiet"]) == OK
    assert list(bench.load(run).verdicts["status"]) == ["proved", "proved"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a variant in a folder of its own, that imports from three other places."""
    files = {
        "variants/fit.py": "import elsewhere\nimport steps.size as size\nimport numpy\n\ndef fit(problem, n_iters):\n"
        "    from rates import rate\n",
        "steps/__init__.py": "",
        "steps/size.py": "from . import units\n",
        "steps/units.py": "from steps import size\n",
        "steps/unused.py": "1 / 0\n",
        "rates.py": "import json, no_such_module\n",
        "library/elsewhere.py": "1 / 0  # read, never run\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "library")
    return tmp_path


def sources_of(file: Path) -> dict[str, str]:
    problem = find("line-4").problem
    cell = Cell(Variant("fit", "numpy", "test", f"{file}:fit"), "line-4", problem, "cpu", "float64")
    sources: dict[str, str] = inputs_of([cell])["variants"]["fit"]
    return sources


def test_a_run_is_made_from_what_its_variants_import_of_the_project(project: Path) -> None:
    before = sources_of(project / "variants" / "fit.py")
    imported = ["elsewhere.py", "fit.py", "rates.py", "steps/__init__.py", "steps/size.py", "steps/units.py"]
    assert list(before) == imported
    for name in ("steps/units.py", "rates.py", "library/elsewhere.py"):
        with (project / name).open("a") as file:
            file.write("# changed\n")
        after = sources_of(project / "variants" / "fit.py")
        changed = changes({"variants": {"fit": before}}, {"variants": {"fit": after}})
        assert changed == [f"the source of the variant fit ({name.removeprefix('library/')})"]
        before = after


def test_what_is_installed_is_recorded_by_its_version(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.inputs.is_installed", lambda file: file.is_relative_to(project / "library"))
    assert "elsewhere.py" not in sources_of(project / "variants" / "fit.py")
