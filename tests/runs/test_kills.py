"""The run folder is killed at every step it takes on the disk, each time with what a power cut would leave."""

import subprocess
import sys
from pathlib import Path

DRIVER = '''
import os, random, signal, stat, sys, traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [{tests!r}]
from conftest import make_verdict
from bench.errors import UsageError
from bench.runs.exchanges import Exchanges, digest_of
from bench.runs.folder import RunFolder
from bench.runs.frames import load
from bench.runs.journal import read_journal
from bench.runs.layout import is_run
from bench.runs.records import cell_of, verdict_record

NAMES = ["a", "b", "c"]
ROWS = {{name: verdict_record(make_verdict(name)) for name in NAMES}}
EXCHANGES = {{name: [name.encode() * 3000, b"shared" * 500] for name in NAMES}}
# No power is cut here: what is synced and what is not, the driver decides by itself.
os.fsync = lambda descriptor: None
STARTED = datetime(2026, 1, 31, tzinfo=UTC)


def work(results: Path, resumed: Path | None = None) -> None:
    if resumed is None:
        folder = RunFolder.create(results, STARTED, environment={{}}, command=["gdbench", "run"], seed=1)
    else:
        folder = RunFolder.open(resumed)
    with folder:
        done = {{cell_of(row) for row in folder.finished_cells().verdicts}}
        for name in NAMES:
            if cell_of(ROWS[name]) not in done:
                folder.append_verdict(ROWS[name], exchange=EXCHANGES[name])
        folder.finish(STARTED)


def armed(moment: int, choice: random.Random) -> None:
    """From now on, the step of that number on the disk is the last one."""
    left, synced = moment, {{}}
    originals = {{name: getattr(os, name) for name in ("write", "fsync", "replace", "mkdir", "ftruncate")}}

    def stepping(name: str) -> Any:
        def step(*given: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left > 0:
                result = originals[name](*given, **named)
                if name == "fsync":
                    synced[os.fstat(given[0]).st_ino] = os.fstat(given[0]).st_size
                return result
            if name == "write":
                originals["write"](given[0], given[1][: choice.randrange(len(given[1]) + 1)])
            elif name == "fsync" and choice.random() < 0.7:
                # What was not synced may be there in part, or be zeros.
                about = os.fstat(given[0])
                whole = synced.get(about.st_ino, 0)
                if stat.S_ISREG(about.st_mode) and about.st_size > whole:
                    originals["ftruncate"](given[0], choice.randrange(whole, about.st_size))
                    if choice.random() < 0.3:
                        originals["ftruncate"](given[0], about.st_size)
            elif choice.random() < 0.5:
                originals[name](*given, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        return step

    for name in originals:
        setattr(os, name, stepping(name))


def check(run: Path, *, whole: bool) -> None:
    held = read_journal(run / "journal.jsonl")
    names = [row["variant"] for row in held.verdicts]
    assert names == NAMES[: len(names)] and (not whole or names == NAMES), names
    assert all(dict(row) == ROWS[row["variant"]] for row in held.verdicts)
    assert len(held.exchanges) == len(names)
    if held.exchanges:
        kept = Exchanges(run / "exchanges.bin")
        for (name, *_), digest in held.exchanges.items():
            assert [kept.read(digest), kept.read(digest_of(EXCHANGES[name][1]))] == EXCHANGES[name]
    frame = load(run).verdicts
    assert list(frame["variant"]) == names


def child(task: Any) -> bool:
    """Whether a process that does the task was killed."""
    process = os.fork()
    if process == 0:
        try:
            task()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code < 0


def main(results: Path) -> int:
    kills = 0
    for moment in range(1, 200, 2):
        choice = random.Random(moment)
        place = results / str(moment)
        place.mkdir()

        def begun() -> list[Path]:
            return [path for path in place.iterdir() if is_run(path) and (path / "run.json").is_file()]

        def killed_at(step: int, *run: Path) -> bool:
            return child(lambda: (armed(step, choice), work(place, *run)))

        if not killed_at(moment):
            return kills
        again = begun()
        for run in again:
            check(run, whole=False)
            kills += killed_at(choice.randrange(1, 40), run)
            check(run, whole=False)
        work(place, *again)
        [run] = begun()
        check(run, whole=True)
        kills += 1
    return kills


print(main(Path(sys.argv[1])))
'''


def test_a_run_killed_at_any_step_on_the_disk_loses_no_cell_and_is_resumed(tmp_path: Path) -> None:
    script = DRIVER.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 25
