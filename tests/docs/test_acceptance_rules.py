"""The page of the acceptance rules agrees with its table, and the table with the corpus and with the rules."""

import csv

import pytest

from scripts.acceptance_rules import ACCEPTED, COLUMNS, HARNESS, PAGE, REJECTED, RULES, TABLE, outcome, page
from tests.faults.fault import TARGETS, Control, Fault
from tests.faults.sets import MAIN

KINDS: dict[str, tuple[Fault, ...]] = {"fault": MAIN.faults, "pair": MAIN.pairs}
AGAIN = (
    "numpy-dot-then-mean",
    "numpy-loss-after-the-update",
    "numpy-weights-transposed",
    "numpy-product-not-transposed",
    "numpy-global-weights",
    "honest-numpy-textbook",
)
"""Loops that are judged anew: no random numbers, no torch."""


def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m scripts.acceptance_rules --page writes it anew"


def test_the_table_has_every_loop_of_the_corpus() -> None:
    due = {(kind, one.name, "|".join(one.expect)) for kind, loops in KINDS.items() for one in loops}
    due |= {("control", one.name, "") for one in MAIN.controls}
    there = [(row["kind"], row["name"], row["expected"]) for row in table()]
    assert set(there) == due, "python -m scripts.acceptance_rules makes the table anew"
    assert len(there) == len(due)
    assert {row[name] for row in table() for name in COLUMNS} == {ACCEPTED, REJECTED}


def test_gdbench_misses_no_fault_and_rejects_no_honest_loop() -> None:
    for row in table():
        assert row[HARNESS] == (ACCEPTED if row["kind"] == "control" else REJECTED), row["name"]


@pytest.mark.parametrize("name", AGAIN)
def test_the_rules_judge_as_the_table_says(name: str) -> None:
    (row,) = (row for row in table() if row["name"] == name)
    loops: tuple[Fault | Control, ...] = (*MAIN.faults, *MAIN.controls)
    (loop,) = (one for one in loops if one.name == name)
    found = {rule.name: outcome(str(TARGETS / loop.function), loop.backend, rule.name) for rule in RULES}
    assert found == {rule.name: row[rule.name] for rule in RULES}
