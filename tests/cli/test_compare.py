"""``gdbench compare`` and ``gdbench gate --speed`` as they are typed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.cli import code_of
from bench.errors import UsageError
from bench.gate.config import Requirement
from bench.gate.contests import Contest, Contests, unheld_row
from bench.gate.speed import Demand, contests_of
from bench.harness import Harness, Proved
from bench.judge.lane import OWN, Lane
from bench.judge.workshop import Workshop
from bench.plan import Cell, Request, plan
from bench.proof.subject import Failure
from bench.proof.verdict import Status
from bench.runs.records import COMPARISONS_SCHEMA, Record
from tests.runs.pasts import add_run

LIMITED = """\
[[tool.gdbench.gate.cells]]
variant = "numpy-analytic"
problem = "line-4"
dtype = "float64"
"""

LOOP = """\
from bench import Descent, Unsupported

def fit(problem, n_iters):
    if problem.b0 is not None or problem.x.ndim > 2:
        raise Unsupported("one regression without a bias")
    w = problem.w0
    for _ in range(n_iters):
        {wait}
        w = w - problem.lr * 2 / problem.y.size * (problem.x @ w.T - problem.y).T @ problem.x
    return Descent(w)
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("compare",), "compare needs two variants"),
        (("compare", "numpy-analytic"), "compare needs two variants"),
        (("compare", "--base", "HEAD"), "compare --base needs a TARGET"),
        (("compare", "numpy-*", "numpy-matmul"), "the base must be one"),
        (("gate", "--base", "HEAD"), "Add --speed"),
        (("gate", "--instructions"), "Add --speed"),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(arguments) == 2
    assert says in capsys.readouterr().err


def test_two_variants(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["compare", "numpy-analytic", "numpy-matmul", "--json", "-"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["schema"] == COMPARISONS_SCHEMA
    [row] = document["comparisons"]
    assert (row["base"], row["head"], row["problem"], row["dtype"]) == (
        "numpy-analytic",
        "numpy-matmul",
        "line-4",
        "float64",
    )
    assert row["verdict"] in ("slower", "faster", "same", "inconclusive")
    assert row["launches"] >= 8
    assert "numpy-matmul against numpy-analytic on line-4" in " ".join(printed.err.split())


def test_nothing_is_compared_without_a_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["compare", "numpy-analytic", "numpy-dot-mean", "--json", "-", "-q"]) == 1
    [row] = json.loads(capsys.readouterr().out)["comparisons"]
    assert (row["verdict"], row["ratio"]) == ("inconclusive", None)
    assert "numpy-dot-mean is wrong, and nothing is compared without a proof" in row["reason"]


def test_two_runs_are_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = add_run(tmp_path, 1, {"steady": 1000.0, "slower": 1000.0, "gone": 1000.0})
    head = add_run(tmp_path, 2, {"steady": 1040.0, "slower": 1300.0, "new": 1000.0})
    assert code_of(["compare", str(base), str(head), "--json", "-", "-q"]) == 0
    rows = json.loads(capsys.readouterr().out)["comparisons"]
    assert [(row["variant"], row["verdict"]) for row in rows] == [("steady", "inconclusive"), ("slower", "slower")]
    assert all(row["reason"].startswith("advisory: ") for row in rows)
    assert (rows[1]["base"], rows[1]["head"]) == (base.name, head.name)
    for more in (("-t", "float32"), ("--base", "HEAD"), ("--instructions",)):
        assert code_of(["compare", str(base), str(head), *more]) == 2
        assert "Leave the other options out" in capsys.readouterr().err
    other = add_run(tmp_path, 3, {"another": 1000.0})
    assert code_of(["compare", str(base), str(other)]) == 2
    assert "no cell in common" in capsys.readouterr().err


def test_the_speed_gate_needs_a_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gate.toml").write_text(LIMITED)
    assert code_of(["gate", "--config", str(tmp_path / "gate.toml"), "--speed"]) == 2
    assert "--base REVISION" in capsys.readouterr().err


@pytest.mark.parametrize(("within", "code"), [(1e5, 0), (1.5, 1)])
def test_a_gate_on_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str], within: float, code: int) -> None:
    (tmp_path / "gate.toml").write_text(f"{LIMITED}within_of_limit = {within}\n")
    arguments = ["gate", "--config", str(tmp_path / "gate.toml"), "--speed", "--json", "-", "-q"]
    found = code_of(arguments)
    document = json.loads(capsys.readouterr().out)
    [row] = document["comparisons"]
    # A machine too busy to time fails nobody.
    assert found == (0 if row["verdict"] == "inconclusive" else code)
    assert (row["head"], row["verdict"]) in (
        ("numpy-analytic", "same" if code == 0 else "slower"),
        ("numpy-analytic", "inconclusive"),
    )
    assert document["schema"] == "gdbench/verdicts/1"
    assert document["verdicts"][0]["status"] == "proved"


def test_two_limits_on_one_cell_both_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = LIMITED.replace("analytic", "*").replace("numpy-*", "numpy-anal*")
    (tmp_path / "gate.toml").write_text(f"{LIMITED}within_of_limit = 1.5\n{wide}within_of_limit = 1e5\n")
    found = code_of(["gate", "--config", str(tmp_path / "gate.toml"), "--speed", "--json", "-", "-q"])
    rows = json.loads(capsys.readouterr().out)["comparisons"]
    assert [row["base"] for row in rows] == [f"{times} times the limit of this machine" for times in ("1.5", "100000")]
    verdicts = [row["verdict"] for row in rows]
    assert (found, verdicts) in ((1, ["slower", "same"]), (0, ["inconclusive", "inconclusive"]))
    assert rows[0]["head_ns_per_iter"] == rows[1]["head_ns_per_iter"]


@pytest.mark.parametrize(("where", "judged"), [("_proof", 0), ("arm", 1)])
def test_an_interrupted_gate_is_green_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str, judged: int
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Harness, where, interrupt)
    asked = 'faster_than = "numpy-matmul"\nwithin_of_limit = 2'
    (tmp_path / "gate.toml").write_text(f"{LIMITED}{asked}\n")
    report = tmp_path / "report.xml"
    arguments = ["gate", "--config", str(tmp_path / "gate.toml"), "--speed", "--junit", str(report), "--json", "-"]
    assert code_of(arguments) == 130
    printed = capsys.readouterr()
    assert "gate: interrupted, and so not passed" in printed.err
    document = json.loads(printed.out)
    rows = [*document["verdicts"], *document["comparisons"]]
    assert [row["as_expected"] for row in rows] == ([True, False, False] if judged else [False])
    suite = ElementTree.parse(report).getroot()
    assert int(suite.get("failures", 0)) + int(suite.get("errors", 0)) == len(rows) - judged


@pytest.mark.parametrize("status", [Status.JUDGE_ERROR, Status.CRASHED])
@pytest.mark.parametrize(
    "words", [["compare", "numpy-analytic", "numpy-matmul"], ["gate"], ["time", "numpy-analytic", "-p", "line-4"]]
)
def test_a_mistake_of_the_harness_is_told_from_one_of_the_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: Status
) -> None:
    failure = Failure(status, None, "no worker could be started")
    (tmp_path / "gate.toml").write_text(f'{LIMITED}faster_than = "numpy-matmul"\nwithin_of_limit = 2\n')
    if words[0] == "gate":
        words = [*words, "--config", str(tmp_path / "gate.toml"), "--speed"]
    # Proofs have workers; what is launched afterwards has none.
    made, launch = Harness.prove_all, Workshop.launch

    def prove_all(harness: Harness, *cells: Any, **more: Any) -> Iterator[Proved]:
        monkeypatch.setattr(Workshop, "launch", launch)
        yield from list(made(harness, *cells, **more))
        monkeypatch.setattr(Workshop, "launch", lambda *_: failure)

    monkeypatch.setattr(Harness, "prove_all", prove_all)
    assert code_of([*words, "-t", "float64", "-q"]) == (3 if status is Status.JUDGE_ERROR else 1)


def test_what_is_ready_first_is_compared_first_and_rows_keep_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gate.toml").write_text(f'{LIMITED.replace("analytic", "*c*")}faster_than = "numpy-analytic"\n')
    done: list[str] = []
    proved = Harness.prove

    def prove(harness: Harness, cell: Cell, *more: Any, **named: Any) -> Proved:
        done.append(f"proved {cell.variant.name}")
        return proved(harness, cell, *more, **named)

    def row(_: Contests, contest: Contest, *more: object) -> Record:
        done.append(f"compared {contest.head.variant.name}")
        return {**unheld_row(contest), "reason": "compared", "as_expected": True}

    def in_turns(_: Harness, groups: Sequence[Sequence[Cell]]) -> list[list[int]]:
        first = [number for number, cells in enumerate(groups) if cells[0].variant.name == "numpy-batched"]
        return [first, [number for number in range(len(groups)) if number not in first]]

    monkeypatch.setattr(Harness, "prove", prove)
    monkeypatch.setattr(Harness, "in_turns", in_turns)
    monkeypatch.setattr(Contests, "row", row)
    arguments = ["gate", "--config", str(tmp_path / "gate.toml"), "--speed", "--json", "-", "-q"]
    assert code_of([*arguments, "-v", "numpy-analytic", "-v", "numpy-batched"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["variant"] for row in document["verdicts"]] == ["numpy-analytic", "numpy-batched"]
    assert [(row["variant"], row["reason"]) for row in document["comparisons"]] == [("numpy-batched", "compared")]
    # A rival is proved for the contest, and again for what is asked of itself in a later turn.
    assert done == ["proved numpy-batched", "proved numpy-analytic", "compared numpy-batched", "proved numpy-analytic"]


def test_an_interrupted_compare_names_what_it_did_not_come_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Contests, "row", interrupt)
    assert code_of(["compare", "numpy-analytic", "numpy-matmul", "--json", "-"]) == 130
    printed = capsys.readouterr()
    [row] = json.loads(printed.out)["comparisons"]
    assert (row["verdict"], row["reason"], row["as_expected"]) == (
        "inconclusive", "interrupted before it was looked at", False
    )  # fmt: skip
    assert "numpy-matmul against numpy-analytic on line-4: interrupted" in printed.err


def test_a_gate_that_is_interrupted_while_it_plans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Harness, "plan", interrupt)
    (tmp_path / "gate.toml").write_text(LIMITED)
    assert code_of(["gate", "--config", str(tmp_path / "gate.toml")]) == 130
    assert "defect" not in capsys.readouterr().err


def test_a_glob_that_means_the_rival_too_compares_it_with_the_others() -> None:
    def planned(request: Request) -> Sequence[Cell]:
        return plan(request, devices_of=lambda _: ["cpu"])

    def contests(*variants: str) -> list[str]:
        requirement = Requirement(variant=variants, faster_than="numpy-analytic")
        cells = planned(Request(variants=variants, problems=("line-4",), dtypes=("float64",)))
        return [str(one) for one in contests_of([Demand(cell, requirement) for cell in cells], OWN, planned)]

    expected = "numpy-matmul against numpy-analytic · numpy-matmul · line-4 · cpu · float64"
    assert contests("numpy-analytic", "numpy-matmul") == [expected]
    # One that the command line narrowed to the rival asks nothing of it.
    requirement = Requirement(variant=("numpy-*",), faster_than="numpy-analytic")
    cells = planned(Request(variants=("numpy-analytic",), problems=("line-4",)))
    assert contests_of([Demand(cell, requirement) for cell in cells], OWN, planned) == []
    with pytest.raises(UsageError, match="numpy-analytic cannot be faster than itself"):
        contests("numpy-analytic")


def test_a_gate_that_is_narrowed_asks_no_more_of_a_cell() -> None:
    cells = plan(Request(variants=("numpy-analytic",), problems=("line-4",)), devices_of=lambda _: ["cpu"])
    silent, limited = (
        Requirement(variant=("numpy-analytic",)),
        Requirement(variant=("numpy-matmul",), within_of_limit=2),
    )
    demands = [Demand(cell, silent) for cell in cells]
    assert contests_of(demands, OWN, lambda _: (), requirements=[silent, limited]) == []
    with pytest.raises(UsageError, match="--base REVISION"):
        contests_of(demands, OWN, lambda _: (), requirements=[silent])


@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("arguments", [(), ("--json", "-", "-q")], ids=["tables", "json"])
def test_the_verdict_stands_when_the_reader_has_left(
    tmp_path: Path, wrong: bool, code: int, arguments: Sequence[str]
) -> None:
    cell = LIMITED.replace("analytic", "dot-mean") if wrong else LIMITED
    (tmp_path / "gate.toml").write_text(f"{cell}status = 'proved'\n")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        program = [sys.executable, "-m", "bench", "gate", "--config", str(tmp_path / "gate.toml"), *arguments]
        done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, check=False, text=True, timeout=120)
    finally:
        os.close(writer)
    assert done.returncode == code, done.stderr
    assert "Broken" not in done.stderr
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *program], stderr=subprocess.PIPE, check=False, text=True, timeout=120
    )
    assert closed.returncode == code, closed.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("max_slowdown = 0", "max_slowdown is 0"),
        ('max_slowdown = "5 %"', "max_slowdown is '5 %'"),
        ("within_of_limit = 0.5", "within_of_limit is 0.5"),
        ("faster_than = 3", "faster_than is 3"),
        ('faster_than = "numpy-matmul"\nstatus = "wrong"', "faster_than is for cells that are proved"),
    ],
)
def test_a_demand_that_means_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str) -> None:
    (tmp_path / "gate.toml").write_text(f"{LIMITED}{line}\n")
    assert code_of(["gate", "--config", str(tmp_path / "gate.toml")]) == 2
    assert says in capsys.readouterr().err


def test_two_files_with_variants_of_one_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, wait in (("old", "pass"), ("new", "sum(range(2_000))")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(LOOP.format(wait=wait))
    files = [f"{tmp_path / folder / 'mine.py'}:fit" for folder in ("old", "new")]
    assert code_of(["compare", *files, "-p", "line-4", "-t", "float64", "--json", "-", "-q"]) == 0
    [row] = json.loads(capsys.readouterr().out)["comparisons"]
    assert [row["base"], row["head"]] == files
    assert row["ratio"] > 2


def test_a_run_is_compared_with_a_run_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = add_run(tmp_path, 0, {"one": 1000.0})
    assert code_of(["compare", str(run), str(tmp_path / "none")]) == 2
    assert "none is not there" in capsys.readouterr().err


def test_cells_on_other_data_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, head = (
        add_run(tmp_path, day, {"one": 1000.0 * day}, data={"line-4": str(day)}, cpu=f"{day}") for day in (1, 2)
    )
    assert code_of(["compare", str(base), str(head)]) == 2
    assert "left out, since their data are others: line-4" in capsys.readouterr().err
    other = add_run(tmp_path, 3, {"one": 3000.0}, data={"line-4": "1"}, cpu="3")
    assert code_of(["compare", str(base), str(other)]) == 0
    assert "cpu (1 then, 3 now)" in capsys.readouterr().err


def test_a_variant_beside_itself() -> None:
    [cell] = plan(
        Request(targets=("numpy-matmul",), problems=("line-4",), dtypes=("float64",)), devices_of=lambda _: ["cpu"]
    )
    assert Contest(base=cell, head=cell).names == ("numpy-matmul", "numpy-matmul, again")
    assert Contest(base=replace(cell, lane=Lane("main")), head=cell).names == ("main", "working tree")
