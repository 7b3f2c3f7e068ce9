"""The self-test as a user runs it: its table, its records, its exit code; and what it makes of each outcome."""

import json
import math
from dataclasses import replace

import pytest

from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.harness import Harness, Proved, Timed
from bench.proof.verdict import ProvedVerdict
from bench.selftest import corpus, run
from bench.selftest.corpus import Attack, attack, control
from bench.selftest.rows import Row, summary, summary_line
from bench.selftest.run import OPTIONS, Beside, attack_row, control_cell, control_row, selftest
from bench.timing.record import Flag, Rejected, Timing, Void

FEW = (attack("answers", "not_a_number"), attack("violence", "exits_at_once"), attack("answers", "lists"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "ATTACKS", FEW)
    monkeypatch.setattr(corpus, "CONTROLS", ("affine",))


@pytest.mark.usefixtures("few")
def test_the_command_prints_a_table_and_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["selftest", "--json", "-"]) == OK
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["schema"] == "gdbench/selftest/1"
    assert [row["came"] for row in document["rows"][:3]] == ["rejected"] * 3
    assert document["rows"][3]["kind"] == "control"
    assert document["summary"]["attacks"] == 3
    assert set(document["isolation"]) >= {"memory limit"}
    assert "answers: not a number" in printed.err
    assert "3 attacks: 3 rejected; 1 of 1 honest controls" in printed.err


def test_an_attack_that_is_not_stopped_fails_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harmless = replace(FEW[0], module="settings", function="seeds")
    monkeypatch.setattr(corpus, "ATTACKS", (harmless,))
    monkeypatch.setattr(corpus, "CONTROLS", ())
    assert code_of(["selftest"]) == NOT_AS_EXPECTED
    assert "settings: seeds is passed where rejected was due" in capsys.readouterr().out


def test_attacks_of_a_backend_that_is_not_here_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.selftest.run.is_here", lambda variant: variant.backend == "numpy")
    rows, _ = selftest(OPTIONS, (FEW[2], attack("inputs", "torch_in_place")), ())
    assert [row.name for row in rows] == [FEW[2].name]


def timed_at(ns: float, *flags: Flag) -> Timed:
    with Harness(OPTIONS) as harness:
        proved = harness.prove(control_cell(control("plain")))
    timing = Timing(
        verdict=ProvedVerdict(proved.verdict),
        ns_per_iter=ns,
        ci_low=0.98 * ns,
        ci_high=1.02 * ns,
        setup_ns=1.0,
        first_call_ns=1.0,
        launches=3,
        samples=10,
        discarded=0,
        queue_share=0.0,
        dispersion=0.0,
        setup_share=0.1,
        n_small=1,
        n_large=8,
        threads=1,
        flags=flags,
        doubt="a doubt" if flags else "",
    )
    return Timed(proved.cell, timing)


@pytest.fixture(scope="module")
def honest() -> Timed:
    return timed_at(1000.0)


@pytest.mark.parametrize(
    ("beside", "came", "expected"),
    [
        (Beside(0.99, 0.95, 1.03), "true cost", True),
        (Beside(1.5, 1.4, 1.6), "true cost", True),
        (Beside(0.85, 0.83, 0.87), "passed", False),
        (Beside(0.89, 0.85, 0.93), "no number", True),
        (Beside(None, math.nan, math.nan), "no number", True),
        (Beside(0.5, 0.4, 0.6, doubt="worked 1.9 times as long as its calls took"), "flagged", True),
        (Beside(None, math.nan, math.nan, rejected="attack: answered wrongly"), "rejected when timed", True),
    ],
)
def test_what_an_attack_beside_its_twin_comes_to(honest: Timed, beside: Beside, came: str, expected: bool) -> None:
    row = row_of(attack("settings", "seeds"), None, honest, beside=beside)
    assert (row.came, row.as_expected) == (came, expected)
    assert row.ratio == beside.ratio


@pytest.mark.parametrize(("flags", "came", "expected"), [((Flag.SETUP,), "flagged", True), ((), "passed", False)])
def test_what_a_timing_comes_to(honest: Timed, flags: tuple[Flag, ...], came: str, expected: bool) -> None:
    row = row_of(attack("settings", "seeds"), replace_timing(honest, 500.0, flags), honest)
    assert (row.came, row.as_expected) == (came, expected)


@pytest.mark.parametrize(("ended", "came"), [(Rejected("wrong"), "rejected when timed"), (Void("busy"), "no number")])
def test_what_no_timing_comes_to(honest: Timed, ended: Rejected | Void, came: str) -> None:
    row = row_of(attack("settings", "seeds"), Timed(honest.cell, ended), honest)
    assert (row.came, row.as_expected) == (came, True)


def test_what_an_attack_leaves_behind_counts_more_than_its_verdict(honest: Timed) -> None:
    row = row_of(attack("settings", "seeds"), honest, honest, harm="wrote a file")
    assert (row.came, row.as_expected, row.evidence) == ("passed", False, "wrote a file")


def test_what_this_machine_cannot_stop_is_said_and_fails_nothing(honest: Timed) -> None:
    one = attack("violence", "writes_elsewhere")
    absent = {one.caught_by.value: "absent: this kernel has none"}
    row = row_of(one, None, honest, harm="wrote a file", presence=absent)
    assert (row.came, row.as_expected) == ("passed", True)
    assert row.evidence == "this machine cannot stop it: this kernel has none"


def test_a_flag_on_a_control_fails_it(honest: Timed) -> None:
    proved = run.Seen(proved_of(honest), "")
    variant = control("plain")
    assert control_row(variant, proved, honest).as_expected
    assert not control_row(variant, proved, replace_timing(honest, 1000.0, (Flag.IDLE,))).as_expected
    assert not control_row(variant, proved, Timed(honest.cell, Rejected("wrong"))).as_expected


def test_the_summary_counts() -> None:
    rows = [
        Row(
            name=kind,
            tries="",
            kind=kind,
            due="",
            came=came,
            as_expected=came != "passed",
            mechanism="",
            evidence="",
            ratio=None,
            seconds=0.0,
        )
        for kind, came in (("attack", "rejected"), ("attack", "passed"), ("control", "proved"))
    ]
    assert summary(rows)["came"] == {"rejected": 1, "passed": 1}
    assert summary(rows)["as_expected"] is False
    assert summary_line(rows, 59.6) == (
        "2 attacks: 1 rejected, 1 passed; 1 of 1 honest controls proved and unflagged; 60 s"
    )


def proved_of(timed: Timed) -> Proved:
    assert isinstance(timed.outcome, Timing)
    return Proved(timed.cell, timed.outcome.verdict.verdict, ())


def replace_timing(timed: Timed, ns: float, flags: tuple[Flag, ...]) -> Timed:
    assert isinstance(timed.outcome, Timing)
    changed = replace(
        timed.outcome,
        ns_per_iter=ns,
        ci_low=0.98 * ns,
        ci_high=1.02 * ns,
        flags=flags,
        doubt="a doubt" if flags else "",
    )
    return Timed(timed.cell, changed)


def row_of(
    one: Attack,
    timed: Timed | None,
    honest: Timed,
    harm: str = "",
    presence: dict[str, str] | None = None,
    beside: Beside | None = None,
) -> Row:
    return attack_row(one, run.Seen(proved_of(honest), harm), timed, beside, presence or {})
