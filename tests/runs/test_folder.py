import errno
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import DiskError, UsageError
from bench.runs.folder import RunFolder
from bench.runs.journal import read_journal
from bench.runs.layout import replace_file

Make = Callable[..., dict[str, Any]]
NewRun = Callable[..., RunFolder]
STARTED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
FINISHED = STARTED + timedelta(minutes=1)
FACTS: dict[str, Any] = {"environment": {}, "command": ["gdbench", "run"], "seed": 1}
FILES = {
    "journal.jsonl",
    "exchanges.bin",
    "run.json",
    *(f"{table}.{kind}" for table in ("verdicts", "timings", "iterates") for kind in ("parquet", "csv")),
}


def run_json(folder: RunFolder) -> dict[str, Any]:
    held = json.loads((folder.path / "run.json").read_text())
    assert isinstance(held, dict)
    return held


def test_a_folder_is_named_for_the_time_in_utc(tmp_path: Path) -> None:
    started = datetime(2026, 2, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    with RunFolder.create(tmp_path / "new" / "results", started, **FACTS) as folder:
        assert re.fullmatch(r"20260131T230203Z-[0-9a-f]{4}", folder.path.name)
        assert folder.start.started == "2026-01-31T23:02:03+00:00"


def test_a_folder_that_is_there_is_never_used(new_run: NewRun) -> None:
    new_run("0001").close()
    with new_run("unused", suffixes=["0001", "0002"]) as second:
        assert second.path.name.endswith("-0002")
    with pytest.raises(UsageError, match=r"under every name that was tried.*-o/--results"):
        new_run("unused", suffixes=["0001", "0002"])


def test_a_start_without_time_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        RunFolder.create(tmp_path, datetime(2026, 1, 31), **FACTS)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_results_that_cannot_be_written_are_named(tmp_path: Path, below: str) -> None:
    results = tmp_path / "results"
    results.write_text("a file")
    with pytest.raises(UsageError) as refused:
        RunFolder.create(results / below, STARTED, **FACTS)
    assert f"{results / below} cannot be written: " in str(refused.value)
    assert os.strerror(errno.ENOTDIR if below else errno.EEXIST) in str(refused.value)
    assert "-o/--results" in str(refused.value)


def test_a_new_folder_says_that_it_is_not_finished(new_run: NewRun) -> None:
    with new_run() as folder:
        assert run_json(folder) == {
            "schema": "gdbench/run/1",
            "run": "20260131T120000Z-0001",
            "command": ["gdbench", "run"],
            "seed": 7,
            "started": "2026-01-31T12:00:00+00:00",
            "finished": None,
            "interrupted": True,
            "counts": {"verdicts": 0, "timings": 0, "iterates": 0, "statuses": {}},
            "inputs": None,
            "environment": {"cpu": "abacus"},
            "verdicts": [],
            "timings": [],
        }


def test_finishing_writes_every_file_from_the_journal(
    new_run: NewRun, verdict_row: Make, timing_row: Make, iterate_row: Make
) -> None:
    folder = new_run()
    folder.append_verdict(verdict_row("a"), [iterate_row("a"), iterate_row("a", n=2)])
    folder.append_timing(timing_row("a"))
    folder.append_verdict(verdict_row("b", status="wrong", cause="scale.sum", factor=4.0))
    folder.finish(FINISHED)
    assert {path.name for path in folder.path.iterdir()} == FILES
    held = run_json(folder)
    assert held["finished"] == "2026-01-31T12:01:00+00:00"
    assert held["interrupted"] is False
    assert held["counts"] == {"verdicts": 2, "timings": 1, "iterates": 2, "statuses": {"proved": 1, "wrong": 1}}
    assert held["verdicts"][0] == verdict_row("a")
    assert held["timings"] == [timing_row("a")]
    for table, rows in (("verdicts", 2), ("timings", 1), ("iterates", 2)):
        assert len(pd.read_parquet(folder.path / f"{table}.parquet")) == rows
        assert len(pd.read_csv(folder.path / f"{table}.csv")) == rows


def test_csv_repeats_numbers_exactly_and_is_safe_in_a_spreadsheet(
    new_run: NewRun, verdict_row: Make, iterate_row: Make
) -> None:
    folder = new_run()
    texts = ["=1+1", "+1", "-1", "@A1", "\tx", "\rx", "\nx", "plain =1", "", 'quoted "a", b\nc']
    for number, text in enumerate(texts):
        folder.append_verdict(
            verdict_row(f"v{number}", evidence=text, alternatives=("=a", "b"), factor=-2.5),
            [iterate_row(observed=-0.1)],
        )
    folder.append_verdict(verdict_row("=cmd()", evidence="e"))
    folder.finish(FINISHED)
    frame = pd.read_csv(folder.path / "verdicts.csv", keep_default_na=False, dtype=str, lineterminator="\n")
    assert list(frame["evidence"]) == [*("'" + text for text in texts[:7]), *texts[7:], "e"]
    assert list(frame["variant"])[-1] == "'=cmd()"
    assert set(frame["alternatives"]) == {"'=a;b", ""}
    assert set(frame["factor"]) == {"-2.5", ""}
    iterates = (folder.path / "iterates.csv").read_text().splitlines()
    assert iterates[1] == 'numpy-analytic,notebook,cpu,float64,problem,1,"w[0,0]",-0.1,0.30000000000000004,5e-324'


def test_the_apostrophe_is_in_the_csv_only(new_run: NewRun, verdict_row: Make) -> None:
    folder = new_run()
    folder.append_verdict(verdict_row("a", evidence="=1+1"))
    folder.finish(FINISHED)
    assert pd.read_parquet(folder.path / "verdicts.parquet")["evidence"].tolist() == ["=1+1"]
    assert run_json(folder)["verdicts"][0]["evidence"] == "=1+1"


def test_a_killed_run_is_resumed_where_it_was(new_run: NewRun, verdict_row: Make, timing_row: Make) -> None:
    killed = new_run()
    killed.append_verdict(verdict_row("a"))
    killed.append_timing(timing_row("a"))
    killed.close()
    with (killed.path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind": "verd')
    resumed = RunFolder.open(killed.path)
    assert resumed.start == killed.start
    cells = resumed.finished_cells()
    assert cells.verdicts == [verdict_row("a")]
    assert cells.timings == [timing_row("a")]
    resumed.append_verdict(verdict_row("b"))
    resumed.finish(FINISHED)
    assert run_json(resumed)["started"] == "2026-01-31T12:00:00+00:00"
    assert [row["variant"] for row in run_json(resumed)["verdicts"]] == ["a", "b"]


def test_an_interrupted_run_is_finished_twice_by_resuming_it(new_run: NewRun, verdict_row: Make) -> None:
    first = new_run()
    first.append_verdict(verdict_row("a"))
    first.finish(FINISHED, interrupted=True)
    assert run_json(first)["interrupted"] is True
    second = RunFolder.open(first.path)
    assert run_json(second)["finished"] is None
    second.append_verdict(verdict_row("b"))
    second.finish(FINISHED + timedelta(hours=1))
    assert run_json(second)["finished"] == "2026-01-31T13:01:00+00:00"
    assert len(pd.read_parquet(second.path / "verdicts.parquet")) == 2


def test_a_run_cannot_be_resumed_while_it_goes_on(new_run: NewRun) -> None:
    with new_run() as folder, pytest.raises(UsageError, match="being written by another process"):
        RunFolder.open(folder.path)


@pytest.mark.parametrize("change", [{"finished": "2026-01-31T12:00:30+00:00"}, {"run": "20250101T000000Z-ffff"}])
def test_a_finished_run_that_came_meanwhile_is_kept(new_run: NewRun, verdict_row: Make, change: dict[str, str]) -> None:
    folder = new_run()
    folder.append_verdict(verdict_row("a"))
    held = json.dumps(run_json(folder) | change)
    (folder.path / "run.json").write_text(held)
    with pytest.raises(UsageError, match="already holds the finished run"):
        folder.finish(FINISHED)
    folder.close()
    assert (folder.path / "run.json").read_text() == held
    assert not (folder.path / "verdicts.parquet").exists()


def test_a_run_is_finished_once(new_run: NewRun) -> None:
    folder = new_run()
    folder.finish(FINISHED)
    with pytest.raises(UsageError, match="already holds the finished run"):
        folder.finish(FINISHED)


@pytest.mark.parametrize("missing", ["journal.jsonl", "run.json"])
def test_a_folder_without_one_of_the_two_cannot_be_resumed(new_run: NewRun, missing: str) -> None:
    folder = new_run()
    folder.close()
    (folder.path / missing).unlink()
    with pytest.raises(UsageError, match=f"cannot be resumed: its {missing} is missing"):
        RunFolder.open(folder.path)


def test_what_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run folder"):
        RunFolder.open(tmp_path)
    with pytest.raises(UsageError, match="is no run folder"):
        RunFolder.open(tmp_path / "nowhere")


def test_a_run_of_an_unknown_schema_is_not_resumed_and_is_let_go(new_run: NewRun) -> None:
    folder = new_run()
    folder.close()
    text = (folder.path / "run.json").read_text()
    (folder.path / "run.json").write_text(text.replace("run/1", "run/2"))
    with pytest.raises(UsageError, match="'gdbench/run/2'"):
        RunFolder.open(folder.path)
    (folder.path / "run.json").write_text(text)
    RunFolder.open(folder.path).close()


def test_a_full_disk_is_named_and_what_was_there_stays(
    new_run: NewRun, verdict_row: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run()
    folder.append_verdict(verdict_row("a"))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        said = f"{folder.path} cannot be written any more: {os.strerror(errno.ENOSPC)}.*--resume {folder.path}"
        with pytest.raises(DiskError, match=said):
            folder.append_verdict(verdict_row("b"), exchange=[b"asked and answered"])
        with pytest.raises(DiskError, match=os.strerror(errno.ENOSPC)):
            folder.finish(FINISHED)
    assert {path.name for path in folder.path.iterdir()} == {"journal.jsonl", "exchanges.bin", "run.json"}
    assert (folder.path / "exchanges.bin").read_bytes() == b""
    assert [row["variant"] for row in read_journal(folder.path / "journal.jsonl").verdicts] == ["a"]
    folder.finish(FINISHED)
    assert {path.name for path in folder.path.iterdir()} - FILES == set()


def test_a_file_is_replaced_only_after_the_new_one_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")
    seen: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(path.read_bytes()))
    replace_file(path, b"new")
    assert seen == [b"old", b"new"]
    assert os.listdir(tmp_path) == ["run.json"]
