"""Which runs become a history, which are left out and why, and what the document says."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.runs import history
from bench.runs.history import ADVICE, history_document, read_history
from bench.runs.strict_json import to_json
from tests.runs.pasts import MACHINE, add_run, fifteen_runs


@pytest.fixture
def results(tmp_path: Path) -> Path:
    fifteen_runs(tmp_path)
    return tmp_path


def test_each_cell_over_its_runs_with_its_steps(results: Path) -> None:
    told = read_history(results)
    assert [line.cell for line in told.lines] == [
        (variant, "line-4", "cpu", "float64") for variant in ("steady", "slower", "quicker")
    ]
    assert [len(line.points) for line in told.lines] == [15, 15, 15]
    assert [run.run for run in told.runs] == sorted(folder.name for folder in results.iterdir())
    steady, slower, quicker = told.lines
    assert steady.steps == ()
    assert [step.first for step in slower.steps] == [9]
    assert [step.first for step in quicker.steps] == [11]
    assert told.left_out == ()


def test_the_document_has_points_and_steps(results: Path) -> None:
    document = json.loads(to_json(history_document(read_history(results))))
    assert document["schema"] == "gdbench/history/1"
    assert document["advice"] == ADVICE
    assert document["runs"][5] == {
        "run": "20260115T120000Z-0005", "started": "2026-01-15T12:00:00+00:00", "commit": "05" * 20, "dirty": True,
    }  # fmt: skip
    slower = document["cells"][1]
    assert slower["variant"] == "slower"
    assert set(slower["points"][0]) == {"run", "ns_per_iter", "ci_low", "ci_high"}
    [step] = slower["steps"]
    assert (step["run"], step["commit"]) == ("20260119T120000Z-0009", "09" * 20)
    assert step["ci_low"] < 1.25 < step["ci_high"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"numpy": "2.3.0"}, "numpy (2.3.0, not 2.4.6)"),
        ({"python": "3.11.9"}, "python (3.11.9, not 3.12.4)"),
        ({"torch": None}, "torch (not there, not 2.13.0)"),
        ({"cpu": "Other CPU"}, "cpu (Other CPU, not Example CPU)"),
        ({"threads": {"OMP_NUM_THREADS": 2}}, "threads ({'OMP_NUM_THREADS': 2}, not {'OMP_NUM_THREADS': 1})"),
        ({"gpus": [{"name": "H200"}]}, "gpus ([{'name': 'H200'}], not [])"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_runs_of_another_making_are_left_out_and_named(tmp_path: Path, facts: dict[str, Any], said: str) -> None:
    other = add_run(tmp_path, 0, {"steady": 5000.0}, **facts)
    for day in (1, 2):
        add_run(tmp_path, day, {"steady": 5000.0})
    told = read_history(tmp_path)
    assert [(one.run, one.reason) for one in told.left_out] == [
        (other.name, f"of another making than 20260112T120000Z-0002: {said}")
    ]
    assert len(told.runs) == 2


def test_another_gdbench_kernel_or_memory_is_no_other_making(tmp_path: Path) -> None:
    add_run(tmp_path, 0, {"steady": 5000.0}, gdbench="0.1.0", platform="Linux-6.1", memory_bytes=1)
    add_run(tmp_path, 1, {"steady": 5000.0}, gdbench="0.2.0", platform="Linux-6.2", memory_bytes=2)
    assert len(read_history(tmp_path).runs) == 2


def test_cells_on_other_data_are_left_out(tmp_path: Path) -> None:
    for day, digest in enumerate("abb"):
        add_run(tmp_path, day, {"steady": 5000.0}, data={"line-4": digest, "norris": "same"})
    told = read_history(tmp_path)
    assert [len(line.points) for line in told.lines] == [2]
    assert [one.reason for one in told.left_out] == ["its cells on line-4: their data were others"]


def _cut(folder: Path) -> None:
    (folder / "timings.parquet").write_bytes(b"PAR1")


def _no_run_file(folder: Path) -> None:
    (folder / "run.json").unlink()


def _another_schema(folder: Path) -> None:
    (folder / "run.json").write_text('{"schema": "gdbench/run/9"}')


def _no_time(folder: Path) -> None:
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace('"started": "2026-01-13T12:00:00+00:00"', '"started": "Tuesday"'))


@pytest.mark.parametrize("damage", [_cut, _no_run_file, _another_schema, _no_time])
def test_a_damaged_run_is_named_and_passed_over(results: Path, damage: Any) -> None:
    damage(results / "20260113T120000Z-0003")
    told = read_history(results)
    [left_out] = told.left_out
    assert left_out.run == "20260113T120000Z-0003"
    assert left_out.reason.startswith("damaged: ")
    assert len(told.runs) == 14


def test_a_copy_counts_once(results: Path) -> None:
    shutil.copytree(results / "20260113T120000Z-0003", results / "kept")
    told = read_history(results)
    assert len(told.runs) == 15
    assert [one.reason for one in told.left_out] == ["a copy of kept"]


def test_what_is_no_run_is_no_matter(results: Path) -> None:
    (results / "notes").mkdir()
    (results / "README.md").write_text("mine")
    assert read_history(results).left_out == ()


def test_an_unfinished_run_gives_what_it_has(tmp_path: Path) -> None:
    add_run(tmp_path, 0, {"steady": 5000.0, "slower": 9000.0})
    add_run(tmp_path, 1, {"steady": 5000.0}, finish=False)
    assert [(line.cell[0], len(line.points)) for line in read_history(tmp_path).lines] == [("steady", 2), ("slower", 1)]


def test_a_cell_without_a_time_is_no_point(tmp_path: Path) -> None:
    for day, ns in enumerate((5000.0, None, 5000.0)):
        add_run(tmp_path, day, {"steady": ns, "never": None})
    [line] = read_history(tmp_path).lines
    assert [point.run.run[-1] for point in line.points] == ["0", "2"]


def test_only_the_latest_runs_are_told(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_RUNS", 10)
    told = read_history(results)
    assert told.runs[0].run == "20260115T120000Z-0005"
    assert {one.reason for one in told.left_out} == {"older than the latest 10 runs"}


def test_too_few_runs_is_an_error_that_says_what_was_left_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cell that was timed in two runs"):
        read_history(tmp_path)
    add_run(tmp_path, 0, {"steady": 5000.0}, numpy="2.3.0")
    add_run(tmp_path, 1, {"steady": 5000.0})
    add_run(tmp_path, 2, {"slower": 5000.0})
    with pytest.raises(UsageError, match=r"2 of its runs .* 20260110T120000Z-0000: of another making .*numpy \(2.3.0"):
        read_history(tmp_path)


def test_no_folder_and_one_run_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        read_history(tmp_path / "none")
    with pytest.raises(UsageError, match="is one run"):
        read_history(add_run(tmp_path, 0, {"steady": 5000.0}))


def test_an_environment_that_says_nothing_is_a_making_too(tmp_path: Path) -> None:
    nothing: dict[str, Any] = dict.fromkeys(MACHINE)
    for day in (0, 1):
        add_run(tmp_path, day, {"steady": 5000.0}, git="nonsense", **nothing)
    assert [run.commit for run in read_history(tmp_path).runs] == [None, None]
