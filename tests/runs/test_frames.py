import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench.errors import UsageError
from bench.runs.folder import RunFolder
from bench.runs.frames import Run, load, run_of
from bench.runs.journal import Cells
from bench.runs.layout import TABLES

Make = Callable[..., dict[str, Any]]
NewRun = Callable[..., RunFolder]
FINISHED = datetime(2026, 1, 31, 12, 1, 0, tzinfo=UTC)


@pytest.fixture
def filled(new_run: NewRun, verdict_row: Make, timing_row: Make, iterate_row: Make) -> Callable[..., RunFolder]:
    def make(suffix: str = "0001") -> RunFolder:
        folder = new_run(suffix)
        folder.append_verdict(verdict_row("a", iterate=3, power=1e9), [iterate_row("a", n=n) for n in range(3)])
        folder.append_timing(timing_row("a"))
        folder.append_verdict(
            verdict_row("b", status="wrong", cause="scale.sum", factor=4.0, alternatives=("x", "y")), [iterate_row("b")]
        )
        return folder

    return make


def check_dtypes(run: Run) -> None:
    for table, columns in TABLES.items():
        frame = getattr(run, table)
        found = {name: str(dtype) for name, dtype in frame.dtypes.items()}
        assert found == {"run": "string", **{name: dtype for name, dtype, _ in columns}}
        assert list(frame.columns) == ["run", *(name for name, _, _ in columns)]
        assert list(frame.index) == list(range(len(frame)))
    assert list(run.verdicts["status"].cat.categories) == [
        "proved",
        "wrong",
        "broken",
        "crashed",
        "timeout",
        "out-of-memory",
        "unsupported",
        "unavailable",
        "void",
        "judge-error",
    ]


def test_a_finished_run_comes_back_with_the_documented_dtypes(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    (folder.path / "journal.jsonl").unlink()
    run = load(folder.path)
    check_dtypes(run)
    assert set(run.verdicts["run"]) == {folder.path.name}
    assert run.verdicts["variant"].tolist() == ["a", "b"]
    assert run.verdicts["alternatives"].tolist() == ["", "x;y"]
    assert run.verdicts["factor"].isna().tolist() == [True, False]
    assert run.timings["ns_per_iter"].tolist() == [2000.5]
    assert run.timings["share_of_limit"].isna().all()
    assert run.iterates["exact"].tolist() == [0.30000000000000004] * 4
    assert run.iterates["bound"].tolist() == [5e-324] * 4
    assert run.environments == {folder.path.name: {"cpu": "abacus"}}


def test_a_killed_run_gives_the_same_frames_from_its_journal(filled: NewRun) -> None:
    folder = filled()
    folder.close()
    killed = load(str(folder.path))
    check_dtypes(killed)
    RunFolder.open(folder.path).finish(FINISHED)
    finished = load(folder.path)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(killed, table), getattr(finished, table))
    assert killed.environments == finished.environments


def test_a_kill_within_the_last_line_gives_all_earlier_cells(filled: NewRun) -> None:
    folder = filled()
    folder.close()
    journal = folder.path / "journal.jsonl"
    whole = journal.read_bytes()
    before_last = whole.rindex(b"\n", 0, -1) + 1
    # test_journal.py cuts at every byte; a load takes 20 ms, so here the cuts are near both ends and every 25 bytes.
    near_ends = {*range(before_last, before_last + 4), *range(len(whole) - 4, len(whole))}
    for length in sorted(near_ends | set(range(before_last, len(whole), 25))):
        journal.write_bytes(whole[:length])
        run = load(folder.path)
        assert run.verdicts["variant"].tolist() == ["a"]
        assert run.timings["variant"].tolist() == ["a"]
        assert run.iterates["n"].tolist() == [0, 1, 2]
    journal.write_bytes(whole)
    assert load(folder.path).verdicts["variant"].tolist() == ["a", "b"]


def test_a_run_that_is_resumed_and_killed_again_gives_its_new_cells(filled: NewRun, verdict_row: Make) -> None:
    folder = filled()
    folder.finish(FINISHED, interrupted=True)
    with RunFolder.open(folder.path) as resumed:
        resumed.append_verdict(verdict_row("c"))
    assert load(folder.path).verdicts["variant"].tolist() == ["a", "b", "c"]


def test_a_journal_alone_is_a_run(filled: NewRun) -> None:
    folder = filled()
    folder.close()
    (folder.path / "run.json").unlink()
    run = load(folder.path)
    check_dtypes(run)
    assert run.verdicts["variant"].tolist() == ["a", "b"]
    assert run.environments == {folder.path.name: {}}


@pytest.mark.parametrize("finish", [True, False])
def test_an_empty_run_has_the_same_columns_and_dtypes(new_run: NewRun, finish: bool) -> None:
    folder = new_run()
    if finish:
        folder.finish(FINISHED)
    folder.close()
    run = load(folder.path)
    check_dtypes(run)
    assert (len(run.verdicts), len(run.timings), len(run.iterates)) == (0, 0, 0)


def test_a_folder_of_runs_is_read_in_the_order_of_names(filled: NewRun, new_run: NewRun) -> None:
    filled("0003").finish(FINISHED)
    filled("0001").close()
    new_run("0002").close()
    results = filled("0004").path.parent
    (results / "README.md").write_text("how these were made")
    (results / "notes").mkdir()
    run = load(results)
    check_dtypes(run)
    names = [f"20260131T120000Z-000{number}" for number in (1, 2, 3, 4)]
    assert list(run.environments) == names
    assert run.verdicts["run"].tolist() == [names[0]] * 2 + [names[2]] * 2 + [names[3]] * 2
    assert len(run.timings) == 3
    assert len(run.iterates) == 12


def test_a_run_is_called_as_its_folder_is(filled: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled()
    folder.finish(FINISHED)
    kept = folder.path.with_name("reference-cpu")
    folder.path.rename(kept)
    monkeypatch.chdir(kept)
    assert set(load(".").verdicts["run"]) == {"reference-cpu"}


def test_the_public_name_is_this_function() -> None:
    assert bench.load is load


def test_rows_that_are_not_in_a_folder_become_frames_too(verdict_row: Make) -> None:
    run = run_of("now", {}, Cells(verdicts=[verdict_row(error=float("inf"), bound=float("nan"))]))
    check_dtypes(run)
    assert run.verdicts["error"].isna().all()
    assert run.verdicts["bound"].isna().all()


def test_text_that_looks_like_a_missing_value_stays_text(new_run: NewRun, verdict_row: Make) -> None:
    folder = new_run()
    folder.append_verdict(verdict_row("NA", evidence="nan"))
    folder.finish(FINISHED)
    assert load(folder.path).verdicts[["variant", "evidence"]].to_numpy().tolist() == [["NA", "nan"]]


def test_hostile_text_survives_the_way_through_every_file(new_run: NewRun, verdict_row: Make) -> None:
    text = "\x1b[31m<script>\x00\u202e\ud800 \U0001f600"
    folder = new_run()
    folder.append_verdict(verdict_row("a", evidence=text))
    folder.finish(FINISHED)
    assert load(folder.path).verdicts["evidence"].tolist() == [text.replace("\ud800", "\ufffd")]


def test_a_path_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is no run folder and holds none"):
        load(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match="is not UTF-8"):
        load(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"schema": "gdbench/run/2"}, "has the schema 'gdbench/run/2' and this gdbench reads 'gdbench/run/1'"),
        ({"schema": None}, "has the schema None"),
        ({"environment": []}, "no usable field 'environment'"),
        ({"finished": 3}, "no usable field 'finished'"),
        ({"interrupted": None}, "no usable field 'interrupted'"),
    ],
)
def test_a_run_file_that_means_something_else_is_refused(filled: NewRun, change: dict[str, Any], fact: str) -> None:
    folder = filled()
    folder.finish(FINISHED)
    path = folder.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=fact):
        load(folder.path)
    with pytest.raises(UsageError, match=fact):
        load(folder.path.parent)


def test_a_run_file_without_a_field_or_not_json_is_refused(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    path = folder.path / "run.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(UsageError, match=r"run\.json is not strict JSON"):
        load(folder.path)
    held = json.loads(text)
    del held["seed"]
    path.write_text(json.dumps(held))
    with pytest.raises(UsageError, match="no usable field 'seed'"):
        load(folder.path)
    path.write_text("[]")
    with pytest.raises(UsageError, match="has the schema None"):
        load(folder.path)


def test_a_truncated_table_is_refused_and_can_be_written_again(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    for table in TABLES:
        path = folder.path / f"{table}.parquet"
        whole = path.read_bytes()
        for kept_bytes in (0, 3, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:kept_bytes])
            with pytest.raises(UsageError, match=rf"{table}\.parquet cannot be read as a table.*cut short"):
                load(folder.path)
        path.write_bytes(whole)
    (folder.path / "verdicts.parquet").write_bytes(b"PAR1")
    RunFolder.open(folder.path).finish(FINISHED)
    assert load(folder.path).verdicts["variant"].tolist() == ["a", "b"]


def test_a_missing_table_is_refused(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    (folder.path / "timings.parquet").unlink()
    with pytest.raises(UsageError, match=r"timings\.parquet cannot be read: No such file"):
        load(folder.path)


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda frame: frame.drop(columns="cause"), "it has no column 'cause'"),
        (lambda frame: frame.assign(status="fine"), "the status 'fine' is none of proved"),
        (lambda frame: frame.assign(status=None), "is none of proved"),
        (lambda frame: frame.assign(iterate="three"), "cannot be read as a table"),
        (lambda frame: frame.assign(iterate=0.5), "cannot be read as a table"),
    ],
)
def test_a_table_that_means_something_else_is_refused(
    filled: NewRun, change: Callable[[pd.DataFrame], pd.DataFrame], fact: str
) -> None:
    folder = filled()
    folder.finish(FINISHED)
    path = folder.path / "verdicts.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    with pytest.raises(UsageError, match=fact):
        load(folder.path)


def test_a_table_may_have_more_columns_than_this_version_knows(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    path = folder.path / "verdicts.parquet"
    pd.read_parquet(path).assign(later=1).to_parquet(path, index=False)
    check_dtypes(load(folder.path))


def test_a_damaged_journal_is_refused_with_its_line(filled: NewRun) -> None:
    folder = filled()
    folder.close()
    with (folder.path / "journal.jsonl").open("ab") as journal:
        journal.write(b"half\n")
    with pytest.raises(UsageError, match=r"journal\.jsonl line 4 is not strict JSON"):
        load(folder.path)


def test_an_unfinished_run_without_its_journal_is_refused(filled: NewRun) -> None:
    folder = filled()
    folder.close()
    (folder.path / "journal.jsonl").unlink()
    with pytest.raises(UsageError, match=r"journal\.jsonl cannot be read: No such file.*not finished"):
        load(folder.path)


def test_a_table_without_its_run_file_is_refused(filled: NewRun) -> None:
    folder = filled()
    folder.finish(FINISHED)
    (folder.path / "run.json").unlink()
    (folder.path / "journal.jsonl").unlink()
    with pytest.raises(UsageError, match=r"run\.json cannot be read: No such file"):
        load(folder.path)


def test_a_copy_of_a_run_folder_loads(filled: NewRun, tmp_path: Path) -> None:
    folder = filled()
    folder.finish(FINISHED)
    shutil.copytree(folder.path, tmp_path / "status=wrong" / "copy")
    assert load(tmp_path / "status=wrong").verdicts["status"].tolist() == ["proved", "wrong"]
