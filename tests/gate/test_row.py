"""The rows of comparisons: the same fields from each of their three sources, in one order."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.contests import NOT_SLOWER, Contest, Contests
from bench.gate.speed import limit_row
from bench.gate.stored import stored_rows
from bench.harness import NOT_LOADED, Harness, Proved, Timed
from bench.plan import Cell
from bench.proof.subject import Failure
from bench.proof.verdict import Status
from bench.timing.limits.work import WorkClass
from bench.timing.record import Rejected, Timing, Void
from bench.variants.contract import Variant
from tests.proof.verdicts import PROVED, a_verdict

PAGE = Path(__file__).parents[2] / "docs" / "reference-frames.md"
FIELDS = [
    "base",
    "head",
    "variant",
    "problem",
    "device",
    "dtype",
    "verdict",
    "ratio",
    "ci_low",
    "ci_high",
    "reason",
    "null_ratio",
    "base_ns_per_iter",
    "head_ns_per_iter",
    "launches",
    "limit",
    "seconds",
    "instructions_ratio",
    "as_expected",
]
CELL = Cell(Variant("mine", "numpy", "mine", "mine:fit"), "line-4", None, "cpu", "float64")


def timing(limit_ns: float | None) -> Timing:
    return Timing(
        verdict=PROVED, ns_per_iter=6.0, ci_low=5.0, ci_high=7.0, setup_ns=1.0, first_call_ns=2.0, launches=5,
        samples=100, discarded=0, queue_share=0.0, dispersion=0.0, setup_share=0.1, n_small=1, n_large=8, threads=1,
        limit_ns=limit_ns,
    )  # fmt: skip


def test_a_contest() -> None:
    unproved = Proved(CELL, a_verdict(Status.WRONG), ())
    with Harness() as harness:
        contests = Contests(harness)
        contests.know([unproved])
        row = contests.row(Contest(base=CELL, head=CELL))
    assert list(row) == FIELDS
    assert type(row["verdict"]) is str


def test_two_runs() -> None:
    names = dict(zip(("variant", "problem", "device", "dtype"), CELL.key, strict=True))
    timed = [names | {"ns_per_iter": 6.0, "ci_low": 5.0, "ci_high": 7.0}]
    [row] = stored_rows("before", timed, "after", timed)
    assert list(row) == FIELDS
    assert row["launches"] is None


@pytest.mark.parametrize(
    "outcome",
    [timing(3.0), timing(None), Void("busy"), Rejected("wrong"), Failure(Status.CRASHED, None, "signal 11")],
    ids=lambda outcome: type(outcome).__name__,
)
def test_a_limit(outcome: Timing | Void | Rejected | Failure) -> None:
    row = limit_row(Timed(CELL, outcome), 4.0)
    assert list(row) == FIELDS


def test_less_work_than_a_pass_over_the_data_is_within_any_of_its_limits() -> None:
    quick = replace(timing(0.001), work_class=WorkClass.STATISTICS)
    row = limit_row(Timed(CELL, quick), 4.0)
    assert (row["verdict"], row["as_expected"]) == ("same", True)
    assert "less than one pass over its data" in str(row["reason"])
    slow = limit_row(Timed(CELL, replace(timing(1.0), work_class=WorkClass.DATA)), 4.0)
    assert (slow["verdict"], slow["as_expected"]) == ("slower", False)


def test_a_doubtful_time_is_within_no_limit_and_decides_between_no_runs() -> None:
    row = limit_row(Timed(CELL, replace(timing(3.0), doubt="set-up is 97 % of its calls")), 4.0)
    assert (row["verdict"], row["as_expected"]) == ("inconclusive", True)
    assert "97 %" in str(row["reason"])
    names = dict(zip(("variant", "problem", "device", "dtype"), CELL.key, strict=True))
    before, after = (names | {"ns_per_iter": ns, "ci_low": ns, "ci_high": ns} for ns in (100.0, 1.0))
    [row] = stored_rows("before", [before], "after", [after | {"doubt": "set-up is 97 % of its calls"}])
    assert row["verdict"] == "inconclusive"
    assert "after is doubtful: set-up is 97 %" in str(row["reason"])


@pytest.mark.parametrize("status", [Status.UNSUPPORTED, Status.BROKEN, Status.CRASHED])
@pytest.mark.parametrize(("isolation", "passes"), [("own process", True), (NOT_LOADED, False)])
def test_a_base_that_a_change_repairs_passes_and_one_that_is_not_imported_does_not(
    status: Status, isolation: str, passes: bool
) -> None:
    head = replace(CELL, variant=replace(CELL.variant, target="mine:head"))
    base = Proved(CELL, replace(a_verdict(status), isolation=isolation), ())
    known = [base, Proved(head, a_verdict(Status.PROVED), ())]
    with Harness() as harness:
        contests = Contests(harness)
        contests.know(known)
        row = contests.row(Contest(base=CELL, head=head, may_be=NOT_SLOWER, base_may_lack=True))
    assert row["as_expected"] is passes


def test_the_page_names_every_field() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("### Comparisons")[2].partition("\n#")[0]
    first_column = "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    assert sorted(re.findall(r"`(\w+)`", first_column)) == sorted(FIELDS)
