"""What the verbs leave for a CI service: JUnit files, and GitHub's annotations and summary."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import bench
from bench.cli import code_of
from bench.exit_codes import INTERRUPTED, NOT_AS_EXPECTED, OK, USAGE
from bench.harness import Harness, Timed
from bench.recording import timing_row
from bench.timing.record import Rejected

ROOT = Path(bench.__file__).parents[1]
LINE = ("-p", "line-4", "-t", "float64", "-d", "cpu")
DOUBLED = """\
def fit(problem, n_iters):
    from bench import Descent, Unsupported

    if problem.b0 is not None or problem.x.ndim != 2:
        raise Unsupported("one regression, without a bias")
    w = problem.w0.copy()
    for _ in range(n_iters):
        w -= 4 * problem.lr / problem.y.size * ((problem.x @ w.T - problem.y).T @ problem.x)
    return Descent(w)
"""


@pytest.fixture
def doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A target whose gradient is two times too large, in the folder that commands are started in."""
    monkeypatch.chdir(tmp_path)
    Path("descent.py").write_text("# so that the function is not on the first line\n" + DOUBLED)
    return "descent.py:fit"


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A step of GitHub Actions; the file of its summary."""
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


def outcomes(file: Path) -> list[tuple[str | None, list[str]]]:
    [suite] = ElementTree.parse(file).getroot()
    return [(case.get("classname"), [child.tag for child in case]) for case in suite]


def test_verify_writes_junit_and_says_nothing_more(doubled: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = code_of(["verify", "numpy-dot-mean", doubled, *LINE, "-q", "--junit", "junit.xml"])
    assert code == NOT_AS_EXPECTED
    assert set(map(str, outcomes(Path("junit.xml")))) == {
        "('descent.py:fit', ['failure'])",
        "('numpy-dot-mean', [])",
    }
    assert capsys.readouterr() == ("", "")
    [fit] = [case for case in ElementTree.parse("junit.xml").iter("testcase") if case.get("file")]
    assert fit.get("file") == "descent.py"


def test_under_github_actions_a_cell_is_annotated_at_its_function(
    doubled: str, github: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(["verify", doubled, *LINE, "-q", "--json", "-"]) == NOT_AS_EXPECTED
    printed = capsys.readouterr()
    assert [row["cause"] for row in json.loads(printed.out)["verdicts"]] == ["scale.double"]
    [line] = printed.err.splitlines()
    assert line.startswith(
        "::error title=descent.py%3Afit on line-4 (cpu float64),file=descent.py,line=2::"
        "expected proved, became wrong (scale.double): gradient 2.00 times too large"
    )
    assert "### Not as expected" in github.read_text()


def test_a_summary_that_cannot_be_written_is_no_failure(
    github: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(github / "none" / "summary.md"))
    assert code_of(["verify", "numpy-dot-mean", *LINE, "-q"]) == OK
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("cannot be written: No such file or directory; the tables have what it would say")


def test_a_gate_leaves_both(github: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, junit = tmp_path / "gate.toml", tmp_path / "junit.xml"
    config.write_text(
        '[[tool.gdbench.gate.cells]]\nvariant = "numpy-dot-mean"\nproblem = "line-4"\nstatus = "proved"\n'
    )
    code = code_of(["gate", "--config", str(config), "-t", "float64", "-q", "--junit", str(junit)])
    assert code == NOT_AS_EXPECTED
    assert outcomes(junit) == [("numpy-dot-mean", ["failure"])]
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("::error title=numpy-dot-mean on line-4 (cpu float64)")
    assert "::expected proved, became wrong (scale.sum): gradient 4.00 times too large" in line
    assert github.read_text().startswith("## gdbench\n\n**none as expected; 1 not as expected (1 wrong)**")


def test_a_run_whose_timing_failed_is_not_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rejected(harness: object, proved: list[Any], folder: Any, on_launch: object) -> Iterator[Timed]:
        one = Timed(proved[0].cell, Rejected("a timed answer is not gradient descent's"))
        folder.append_timing(timing_row(one))
        yield one

    monkeypatch.setattr("bench.verbs.run.record_timings", rejected)
    junit = tmp_path / "junit.xml"
    code = code_of(["run", "numpy-analytic", *LINE, "-q", "-o", str(tmp_path / "results"), "--junit", str(junit)])
    assert code == NOT_AS_EXPECTED
    told = [("numpy-analytic", []), ("numpy-analytic", ["failure"])]
    assert outcomes(junit) == told
    # A report that is made later tells the same.
    [folder] = (tmp_path / "results").iterdir()
    assert code_of(["report", str(folder), "--format", "junit", "--output", str(junit)]) == 0
    assert outcomes(junit) == told
    assert code_of(["report", str(folder), "--format", "github", "--output", str(junit)]) == 0
    assert "a timed answer is not gradient descent" in junit.read_text()


@pytest.mark.parametrize("verb", ["verify", "run"])
def test_what_an_interrupt_left_undone_is_green_in_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Harness, "_proof", interrupt)
    junit, kept = tmp_path / "junit.xml", ["-o", str(tmp_path / "results")] if verb == "run" else []
    assert code_of([verb, "numpy-analytic", "numpy-matmul", *LINE, *kept, "--junit", str(junit)]) == INTERRUPTED
    assert all(children for _, children in outcomes(junit))
    assert [name for name, _ in outcomes(junit)] == ["numpy-analytic", "numpy-matmul"]
    assert "interrupted; what was finished is shown" in capsys.readouterr().err


def test_a_run_without_timings_has_nothing_to_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    assert code_of(["run", "numpy-dot-mean", *LINE, "-q", "-o", str(results)]) == OK
    assert code_of(["report", "-o", str(results), "--format", "bencher"]) == USAGE
    assert "the run has no timings" in capsys.readouterr().err
    assert code_of(["report", "-o", str(results), "--format", "junit", "--output", str(tmp_path / "j.xml")]) == OK
    assert outcomes(tmp_path / "j.xml") == [("numpy-dot-mean", [])]
