"""A run that is killed, that has no room, that is not alone, and that may not write."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench.cli import code_of
from bench.exit_codes import HARNESS_FAILED, NOT_AS_EXPECTED, OK, USAGE
from bench.runs.layout import is_run, read_run_file

HOSTILE = Path(__file__).parent / "targets" / "hostile.py"
PLAN = (
    *(f"{HOSTILE}:{name}" for name in ("honest", "declines", "not_finite", "raises")), "-p", "line-4", "-t", "float64",
    "--launches", "2", "--budget", "0", "--quiet",
)  # fmt: skip
EXECUTE = "os.execv(sys.argv[1], sys.argv[1:])"
KILLS = 50
KILLS_A_RUN = 5
SAME_IN_EVERY_RUN = [
    "variant", "backend", "family", "problem", "device", "dtype", "status", "cause", "factor", "alternatives",
    "evidence", "iterate", "error", "bound", "power", "power_problem", "converges_in", "checked_to", "expected",
    "as_expected", "isolation",
]  # fmt: skip


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def started(*arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def verdicts_of(run: Path) -> pd.DataFrame:
    return bench.load(run).verdicts[SAME_IN_EVERY_RUN]


def iterates_of(run: Path) -> pd.DataFrame:
    return bench.load(run).iterates.drop(columns="run")


def size_of(path: Path) -> int:
    """In bytes; 0 if it is gone: a partial file is given its final name between a look at the folder and one at it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def grown(path: Path, pattern: str) -> int:
    return sum(map(size_of, path.glob(pattern)))


def has_grown(path: Path, pattern: str, enough: int) -> bool:
    return grown(path, pattern) >= enough


def killed(process: "subprocess.Popen[bytes]", moment: Callable[[], bool], seconds: float) -> bool:
    """Whether the process was still alive when it was killed, at the moment or after the seconds."""
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < deadline and not moment():
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("uninterrupted")
    assert code_of(["run", *PLAN, "-o", str(results)]) == NOT_AS_EXPECTED
    [run] = results.iterdir()
    assert list(verdicts_of(run)["status"]) == ["proved", "unsupported", "broken", "broken"]
    return run


@pytest.mark.slow
def test_after_each_of_fifty_kills_and_a_resume_the_frames_are_those_of_an_uninterrupted_run(
    tmp_path: Path, uninterrupted: Path
) -> None:
    """Each run is killed several times, as it begins and as it goes on, at moments of its progress and of the clock."""
    choice = random.Random(4)
    verdicts, iterates = verdicts_of(uninterrupted), iterates_of(uninterrupted)
    kills = number = 0
    while kills < KILLS:
        results = tmp_path / str(number)
        number += 1
        run: Path | None = None
        for _ in range(KILLS_A_RUN):
            process = started("run", "--resume", run) if run else started("run", *PLAN, "-o", results)
            pattern = choice.choice(["*", "*/journal.jsonl", "*/exchanges.bin", "*/.*.partial", "*/*.parquet"])
            enough = grown(results, pattern) + choice.randrange(1, 15_000)
            if choice.random() < 0.5:
                alive = killed(process, partial(has_grown, results, pattern, enough), 1.5)
            else:
                alive = killed(process, lambda: False, choice.uniform(0.2, 1.4))
            kills += alive
            runs = [path for path in results.glob("*") if is_run(path) and (path / "run.json").is_file()]
            run = runs[0] if runs else None
            if run is None:
                continue
            kept = verdicts_of(run)
            pd.testing.assert_frame_equal(kept, verdicts.head(len(kept)))
            if not alive:
                break
        if run is None:
            continue
        assert code_of(["run", "--resume", str(run), "--quiet"]) == NOT_AS_EXPECTED
        pd.testing.assert_frame_equal(verdicts_of(run), verdicts)
        pd.testing.assert_frame_equal(iterates_of(run), iterates)
        assert list(bench.load(run).timings["variant"]) == ["hostile.py:honest"]
        assert read_run_file(run)["interrupted"] is False
        assert code_of(["report", "--rejudge", str(run), "--quiet"]) == OK
        assert not list(run.glob(".*"))


def test_two_runs_into_one_folder_at_once_do_not_meet(tmp_path: Path, uninterrupted: Path) -> None:
    both = [started("run", *PLAN, "-o", tmp_path) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [NOT_AS_EXPECTED] * 2
    runs = sorted(tmp_path.iterdir())
    assert len(runs) == 2
    for run in runs:
        pd.testing.assert_frame_equal(verdicts_of(run), verdicts_of(uninterrupted))


def test_a_run_that_is_going_on_cannot_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = started("run", f"{HOSTILE}:sleeps", *PLAN[4:], "-o", tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/run.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        [run] = tmp_path.iterdir()
        assert code_of(["run", "--resume", str(run)]) == USAGE
        assert "is being written by another process" in capsys.readouterr().err
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("room", [200, 20_000, 60_000])
def test_a_full_disk_is_said_and_loses_nothing_that_was_kept(tmp_path: Path, room: int, uninterrupted: Path) -> None:
    """No file may grow beyond the room, which is what a quota or a full disk comes to."""

    # Not by `preexec_fn`: in a process with threads, which this one has since it read a frame, that may never return.
    narrowed = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room})); {EXECUTE}"
    program = [sys.executable, "-c", narrowed, *command("run", *PLAN[:-1], "-o", tmp_path)]
    # What the tests print goes to files as well, where the limit would hold it up.
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=240)
    runs = [run for run in tmp_path.iterdir() if (run / "run.json").is_file()]
    if room == 200:
        assert done.returncode == USAGE
        assert "cannot be written: File too large" in done.stderr
        assert runs == []
        return
    [run] = runs
    assert done.returncode == HARNESS_FAILED
    assert "Traceback" not in done.stderr
    assert f"{run} cannot be written any more: " in done.stderr
    assert f"`gdbench run --resume {run}` does what is missing" in " ".join(done.stderr.split())
    kept = verdicts_of(run)
    pd.testing.assert_frame_equal(kept, verdicts_of(uninterrupted).head(len(kept)))
    assert all(name in done.stdout for name in kept["variant"])
    assert code_of(["run", "--resume", str(run), "--quiet"]) == NOT_AS_EXPECTED
    pd.testing.assert_frame_equal(verdicts_of(run), verdicts_of(uninterrupted))


@pytest.mark.parametrize(
    ("flag", "why"), [(os.ST_RDONLY, "its disk is read-only"), (0, "permission denied")], ids=["read-only", "denied"]
)
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: int, why: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("work was done")

    access, about = os.access, os.statvfs(tmp_path)
    fields = list(about)
    fields[8] = flag
    monkeypatch.setattr(
        "bench.runs.layout.os.access", lambda place, mode: Path(place) != tmp_path and access(place, mode)
    )
    monkeypatch.setattr("bench.runs.layout.os.statvfs", lambda place: os.statvfs_result(fields))
    monkeypatch.setattr("bench.harness.Harness.__init__", refuse)
    results = tmp_path / "new" / "results"
    assert code_of(["run", *PLAN, "-o", str(results)]) == USAGE
    said = capsys.readouterr().err
    assert f"{results} cannot be written: {why}. Get permission there, or choose another directory" in said
    assert list(tmp_path.iterdir()) == []
