"""The rows of comparisons: the same fields from each of their three sources, in one order."""

import re
from pathlib import Path

import pytest

from bench.gate.contests import Contest, Contests
from bench.gate.speed import limit_row
from bench.gate.stored import stored_rows
from bench.harness import Harness, Proved, Timed
from bench.plan import Cell
from bench.proof.subject import Failure
from bench.proof.verdict import Status
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
        row = Contests(harness, [unproved]).row(Contest(base=CELL, head=CELL))
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


def test_the_page_names_every_field() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("### Comparisons")[2].partition("\n#")[0]
    first_column = "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    assert sorted(re.findall(r"`(\w+)`", first_column)) == sorted(FIELDS)
