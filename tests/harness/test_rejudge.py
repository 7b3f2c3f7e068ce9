"""A run judged again from what its workers sent."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.cli import code_of
from bench.harness import Harness, Options
from bench.judge.workshop import WorkerLimits
from bench.plan import Request
from bench.recording import finish_run, record_proofs, start_run
from bench.rejudge import NOT_KEPT, rejudge
from bench.runs.journal import read_journal

HOSTILE = Path(__file__).parent / "targets" / "hostile.py"
ENDINGS = (
    "honest", "twice", "crashes", "crashes_late", "hangs", "exits_at_once", "raises", "not_finite", "wrong_shape",
    "declines",
)  # fmt: skip

Run = Callable[[], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of cells that end every way there is, whose code has been replaced afterwards by what must not run."""
    place = tmp_path_factory.mktemp("made")
    target = place / "hostile.py"
    shutil.copy(HOSTILE, target)
    request = Request(
        targets=(*(f"{target}:{name}" for name in ENDINGS), "numpy-analytic", "numpy-batched"),
        problems=("line-4", "batch"),
        dtypes=("float64", "float16"),
    )
    with Harness(Options(limits=WorkerLimits(call_seconds=0.3))) as harness:
        cells = [cell for cell in harness.plan(request) if cell.problem == "line-4" or "numpy-" in cell.variant.name]
        with start_run(place / "results", harness.options, ["gdbench", "run"], cells) as folder:
            for _ in record_proofs(harness, cells, folder):
                pass
            finish_run(folder)
    target.write_text("raise SystemExit('a variant was run')\n")
    return folder.path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch: pytest.MonkeyPatch, made: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("bench.judge.process.WorkerProcess.__init__", refuse)
    monkeypatch.setattr("bench.judge.inprocess.InProcess.load", refuse)


def test_every_verdict_stands_to_the_last_digit_and_the_run_is_not_touched(run: Path) -> None:
    kept = {file.name: file.read_bytes() for file in run.iterdir()}
    again = list(rejudge(run))
    assert [one.row for one in again] == read_journal(run / "journal.jsonl").verdicts
    assert all(one.stands for one in again)
    assert {one.row["status"] for one in again} == {
        "proved", "wrong", "broken", "crashed", "timeout", "unsupported",
    }  # fmt: skip
    assert all(one.unused == 0 and not one.obstacle for one in again)
    assert {file.name: file.read_bytes() for file in run.iterdir()} == kept


def test_the_command_line_judges_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["report", "--rejudge", str(run), "--json", "-"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["rejudged"] == []
    assert document["verdicts"] == read_journal(run / "journal.jsonl").verdicts
    n = len(document["verdicts"])
    assert f"judged again from the record: {n} of {n} verdicts stand, to the last digit" in printed.err


def test_a_changed_judge_gives_the_new_verdict_and_says_what_changed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.proof.prove.ENOUGH", 1e300)
    assert code_of(["report", "--rejudge", str(run), "--json", "-"]) == 1
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    recorded = {tuple(row[name] for name in KEY): row for row in read_journal(run / "journal.jsonl").verdicts}
    proved = {key for key, row in recorded.items() if row["status"] == "proved"}
    assert {tuple(one[name] for name in KEY) for one in document["rejudged"]} == proved
    for one in document["rejudged"]:
        assert one["before"]["status"] == "proved"
    for row in document["verdicts"]:
        key = tuple(row[name] for name in KEY)
        assert row["status"] == ("judge-error" if key in proved else recorded[key]["status"])
    assert "numpy-analytic · line-4 · cpu · float64: status was proved, is judge-error" in printed.err


KEY = ("variant", "problem", "device", "dtype")


def test_a_judge_that_asks_something_else_says_that_the_record_does_not_hold_it(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.proof.prove.PROBE_FEW", 4)
    assert code_of(["report", "--rejudge", str(run)]) == 1
    printed = capsys.readouterr().out
    assert (
        "numpy-analytic · line-4 · cpu · float64: today's proof asks what was not asked then: 4 iterations" in printed
    )


def test_every_tampered_byte_is_found_and_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "exchanges.bin"
    whole = path.read_bytes()
    for position in random.Random(4).sample(range(len(whole)), 12):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x40]) + whole[position + 1 :])
        assert code_of(["report", "--rejudge", str(run), "-q"]) == 2
        said = capsys.readouterr().err
        assert "damaged at byte" in said or "lacks the exchange" in said


def test_a_changed_verdict_in_the_journal_is_found(run: Path) -> None:
    journal = run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"scale.double"', b'"scale.half"'))
    changed = [one for one in rejudge(run) if not one.stands]
    assert {one.row["cause"] for one in changed} <= {"scale.double", None}
    journal.write_bytes(journal.read_bytes().replace(b'"status": "crashed"', b'"status": "proved"', 1))
    assert any(one.before["status"] == "proved" and one.row["status"] == "crashed" for one in rejudge(run))


def test_cells_that_were_never_launched_stay_as_they_are(run: Path) -> None:
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    entries[0]["exchange"] = None
    journal.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    first, *_ = rejudge(run)
    assert (first.obstacle, first.changed, first.stands) == (NOT_KEPT, (), True)


def test_a_run_of_an_earlier_gdbench_cannot_be_judged_again(run: Path) -> None:
    (run / "exchanges.bin").unlink()
    with pytest.raises(bench.errors.UsageError, match=r"it has no exchanges\.bin"):
        list(rejudge(run))
