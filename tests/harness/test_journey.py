"""The whole journey as a user makes it: from Python, from the command line, and interrupted on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest

import bench
from bench.cli import code_of
from bench.exit_codes import INTERRUPTED
from bench.harness import Harness, Options, Timed
from bench.plan import Cell, Request, plan
from bench.proof.verdict import Status
from bench.recording import start_run
from bench.runs.layout import read_run_file
from bench.runs.records import verdict_record

PACED = Path(__file__).parent / "targets" / "paced.py"
TWO = ("numpy-analytic", "numpy-dot-mean")
LINE: dict[str, Any] = {"problems": ("line-4",), "dtypes": ("float64",)}
VERDICT_FIELDS = {
    "variant", "backend", "family", "problem", "device", "dtype", "status", "cause", "factor", "alternatives",
    "evidence", "iterate", "error", "bound", "power", "expected", "as_expected", "seconds", "isolation",
}  # fmt: skip
TIMING_FIELDS = {
    "variant", "backend", "family", "problem", "device", "dtype", "ns_per_iter", "ci_low", "ci_high", "setup_ns",
    "first_call_ns", "launches", "limit_ns", "share_of_limit", "queue_share", "threads", "note",
}  # fmt: skip


def strict(text: str) -> Any:
    """One JSON value and nothing else, without NaN, infinities or repeated keys."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def test_verify_from_python() -> None:
    analytic, dot_mean = bench.verify(*TWO, **LINE)
    assert (analytic.finding.status, analytic.as_expected) == (Status.PROVED, True)
    assert (dot_mean.finding.cause, dot_mean.finding.factor, dot_mean.as_expected) == ("scale.sum", 4.0, True)


@pytest.mark.parametrize("face", ["command", "python"])
def test_times_stand_in_the_order_of_the_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, face: str
) -> None:
    timed, ended = Harness.time, list[Timed]()

    def the_other_way_round(*words: Any) -> list[Timed]:
        ended[:] = sorted(timed(*words), key=lambda one: one.cell.key)
        return ended

    monkeypatch.setattr(Harness, "time", the_other_way_round)
    names = ["numpy-analytic", "numpy-matmul", "numpy-batched"]
    if face == "command":
        assert code_of(["time", *names, "-p", "line-4", "-t", "float64", "--json", "-", "-q"]) == 0
        assert [row["variant"] for row in strict(capsys.readouterr().out)["timings"]] == names
    else:
        found = bench.time(*names, **LINE)
        assert found == [one.outcome for name in names for one in ended if one.cell.variant.name == name]


def test_a_mistake_of_the_proof_itself_is_a_row_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object, **__: object) -> NoReturn:
        raise MemoryError("Unable to allocate 512. GiB")

    monkeypatch.setattr("bench.harness.prove", mistaken)
    [verdict] = bench.verify(TWO[0], **LINE)
    assert verdict.finding.status is Status.JUDGE_ERROR
    assert (
        "the proof itself failed: MemoryError: Unable to allocate 512. GiB (test_journey.py:"
        in verdict.finding.evidence
    )


@pytest.mark.usefixtures("quiet_machine")
def test_time_from_python_gives_the_proved_cell_alone() -> None:
    [timing] = bench.time(*TWO, **LINE)
    assert timing.verdict.verdict.variant == "numpy-analytic"


@pytest.mark.skipif(find_spec("altair") is None, reason="the page needs gdbench[html]")
@pytest.mark.usefixtures("quiet_machine")
def test_a_run_is_a_whole_folder_and_the_next_run_another(tmp_path: Path) -> None:
    first = bench.run(*TWO, results=tmp_path, **LINE)
    kept = {file.name: file.read_bytes() for file in first.iterdir()}
    assert set(kept) == {
        "run.json", "journal.jsonl", "exchanges.bin", "verdicts.parquet", "verdicts.csv", "timings.parquet",
        "timings.csv", "iterates.parquet", "iterates.csv", "report.html",
    }  # fmt: skip
    second = bench.run(*TWO, results=tmp_path, **LINE)
    assert second != first
    assert {file.name: file.read_bytes() for file in first.iterdir()} == kept

    one, both = bench.load(first), bench.load(tmp_path)
    assert list(one.verdicts["variant"]) == list(TWO)
    assert list(one.verdicts["status"]) == ["proved", "wrong"]
    assert one.verdicts["as_expected"].all()
    assert list(one.timings["variant"]) == ["numpy-analytic"]
    assert set(both.verdicts["run"]) == {first.name, second.name}
    assert len(both.iterates) == 2 * len(one.iterates)
    own = one.iterates[(one.iterates["variant"] == "numpy-analytic") & (one.iterates["probe"] == "problem")]
    assert set(own["component"]) == {"w[0,0]"}
    assert ((own["observed"] - own["exact"]).abs() <= own["bound"]).all()


# A process started in the background inherits that Ctrl-C is ignored; one in front of a terminal does not.
IN_FRONT = """\
import signal, sys
from bench.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""


def until(condition: Callable[[], bool], process: "subprocess.Popen[str]", seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it was to be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("quiet_machine")
def test_an_interrupted_run_keeps_what_is_finished_and_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = [f"{PACED}:prompt", f"{PACED}:slow", "numpy-dot-mean", "-p", "line-4", "-t", "float64"]
    started = subprocess.Popen(
        [sys.executable, "-c", IN_FRONT, "run", *selection, "-o", str(tmp_path)],
        env=os.environ | {"GDBENCH_TEST_SECONDS_A_CALL": "5"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journals: list[Path] = []

    def one_verdict_is_kept() -> bool:
        journals[:] = tmp_path.glob("*/journal.jsonl")
        return bool(journals) and b"\n" in journals[0].read_bytes()

    until(one_verdict_is_kept, started)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    out, err = started.communicate(timeout=60)
    assert started.returncode == INTERRUPTED, err
    assert "Traceback" not in err
    assert "interrupted; what was finished is shown" in err
    assert "paced.py:prompt" in out

    [folder] = tmp_path.iterdir()
    begun = (folder / "journal.jsonl").read_bytes()
    assert list(bench.load(folder).verdicts["variant"]) == ["paced.py:prompt"]
    assert read_run_file(folder)["interrupted"] is True

    monkeypatch.delenv("GDBENCH_TEST_SECONDS_A_CALL", raising=False)
    assert code_of(["run", "--resume", str(folder), "--quiet"]) == 0
    resumed = bench.load(folder)
    assert list(resumed.verdicts["variant"]) == ["paced.py:prompt", "paced.py:slow", "numpy-dot-mean"]
    assert set(resumed.timings["variant"]) == {"paced.py:prompt", "paced.py:slow"}
    assert read_run_file(folder)["interrupted"] is False
    assert (folder / "journal.jsonl").read_bytes().startswith(begun)

    whole = (folder / "journal.jsonl").read_bytes()
    assert code_of(["run", "--resume", str(folder), "--quiet"]) == 0
    assert (folder / "journal.jsonl").read_bytes() == whole
    capsys.readouterr()


def test_an_interrupt_while_the_disk_takes_a_row_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [verdict] = bench.verify("numpy-analytic", **LINE)

    def interrupt(descriptor: int) -> NoReturn:
        raise KeyboardInterrupt

    with start_run(tmp_path, Options(), ["gdbench", "run"], []) as folder:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr("bench.runs.journal.os.fsync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                folder.append_verdict(verdict_record(verdict))
        folder.finish(datetime.now(UTC), interrupted=True)
    assert list(bench.load(folder.path).verdicts["variant"]) == ["numpy-analytic"]


def test_verify_prints_one_strict_object_and_the_tables_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    code = code_of(["verify", TWO[0], "-p", "line-4", "-t", "float64", TWO[1], "--json", "-"])  # targets anywhere
    printed = capsys.readouterr()
    document = strict(printed.out)
    assert code == 0
    assert document["schema"] == "gdbench/verdicts/1"
    assert document["environment"]["gdbench"] == bench.__version__
    assert [row["variant"] for row in document["verdicts"]] == list(TWO)
    for row in document["verdicts"]:
        assert row.keys() >= VERDICT_FIELDS
    assert "1 proved, 1 wrong as expected; 0 not as expected" in printed.err


def test_time_prints_a_row_for_every_cell_whatever_the_clock_says(capsys: pytest.CaptureFixture[str]) -> None:
    code = code_of(["time", *TWO, "-p", "line-4", "-t", "float64", "--launches", "2", "--json", "-"])
    printed = capsys.readouterr()
    document = strict(printed.out)
    assert code == 0
    assert document["schema"] == "gdbench/timings/1"
    timed, untimed = document["timings"]
    for row in (timed, untimed):
        assert row.keys() >= TIMING_FIELDS | {"status"}
    assert (timed["variant"], timed["status"]) == ("numpy-analytic", "proved")
    if timed["ns_per_iter"] is None:
        assert timed["note"].startswith("the machine is too ")
        assert f"numpy-analytic on line-4 (cpu float64) {timed['note']}" in " ".join(printed.err.split())
    else:
        assert 0 < timed["ci_low"] <= timed["ns_per_iter"] <= timed["ci_high"]
    assert (untimed["ns_per_iter"], untimed["note"]) == (None, "not timed: wrong")


def test_time_says_so_where_no_cell_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["time", "numpy-dot-mean", "-p", "line-4", "-t", "float64"]) == 0
    assert "no cell is proved, so nothing was timed" in capsys.readouterr().err


GATE = """\
[[tool.gdbench.gate.cells]]
variant = "numpy-analytic"
problem = "line-4"
dtype = "float64"
{analytic}

[[tool.gdbench.gate.cells]]
variant = "numpy-dot-mean"
problem = "line-4"
dtype = "float64"
{dot_mean}
"""


@pytest.mark.parametrize(
    ("analytic", "dot_mean", "code", "said"),
    [
        ('status = "proved"\nwithin = 60', 'cause = "scale.sum"', 0, "gate: passed, all 2 cells of 2 requirements"),
        ("", "", 0, "gate: passed"),
        ('cause = "scale.sum"', "", 1, "gate: FAILED, 1 of 2 cells"),
        ("", 'status = "proved"', 1, "gate: FAILED, 1 of 2 cells"),
        ("", 'cause = "scale.half"', 1, "expected: scale.half"),
        ("within = 46", "", 1, "it converges in 47 iterations, and 46 are allowed"),
        ("within = 47", "", 0, "gate: passed"),
    ],
    ids=["good", "as-registered", "suddenly-right", "suddenly-wrong", "another-cause", "too-slow", "just-in-time"],
)
def test_the_gate_is_red_when_a_cell_is_not_what_it_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], analytic: str, dot_mean: str, code: int, said: str
) -> None:
    config = tmp_path / "project.toml"
    config.write_text(GATE.format(analytic=analytic, dot_mean=dot_mean))
    assert code_of(["gate", "--config", str(config)]) == code
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_gate_is_narrowed_by_the_command_line_and_never_widened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "project.toml"
    config.write_text(GATE.format(analytic='status = "proved"', dot_mean='status = "wrong"'))
    assert code_of(["gate", "--config", str(config), "-v", "*-dot-*"]) == 0
    assert "all 1 cells" in capsys.readouterr().out
    assert code_of(["gate", "--config", str(config), "-v", "numpy-matmul"]) == 2
    assert "asks nothing of the cells that -v and -p select" in capsys.readouterr().err


def planned(request: Request, devices: tuple[str, ...] = ("cpu",)) -> list[Cell]:
    return plan(request, devices_of=lambda backend: devices)


def test_a_variant_of_a_backend_that_cannot_be_run_is_a_row() -> None:
    for backend in ("jax", "cupy"):
        [verdict] = bench.verify(f"{PACED}:prompt", backend=backend, **LINE)
        assert verdict.finding.status is Status.UNAVAILABLE
        assert verdict.finding.evidence == f"gdbench cannot run {backend} variants yet; it runs numpy, torch"
        assert not verdict.as_expected  # the variant was asked for by name


def test_what_is_asked_for_by_name_is_required_and_what_a_wildcard_finds_is_not() -> None:
    def required(**asked: Any) -> bool:
        [cell] = planned(Request(**(LINE | asked)))
        return cell.required

    assert required(targets=("numpy-analytic",), problems=("line-[4]",))
    assert required(variants=("numpy-analytic",), problems=("line-[4]",))
    assert required(targets=(f"{PACED}:prompt",), problems=("line-[4]",))
    assert not required(variants=("numpy-analyti?",))  # the data named are here; the backend was not asked for
    assert required(variants=("numpy-analyti?",), problems=("line-[4]",), devices=("cpu",))
    assert not required(variants=("numpy-analyti?",), problems=("line-[4]",))


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_one_spelling_of_a_device_is_one_cell() -> None:
    cells = planned(
        Request(variants=("torch-manual",), problems=("line-4",), dtypes=("float64",), devices=("cuda", "cuda:0")),
        devices=("cpu", "cuda"),
    )
    assert [(cell.device, cell.obstacle) for cell in cells] == [("cuda", None)]


def test_a_plan_without_a_cell_is_refused() -> None:
    with pytest.raises(bench.errors.UsageError, match="nothing is selected"):
        planned(Request(variants=("numpy-analytic",)), devices=())
