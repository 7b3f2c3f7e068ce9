"""Cells of which every third crashes, hangs or exits: each has its row, and their neighbours do not notice."""

from pathlib import Path

import pytest

from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED
from scripts.hostile_run import Pair, arguments, compared, complaints, source

CELLS = 63


@pytest.mark.usefixtures("quiet_machine")
def test_every_cell_has_its_row_and_honest_neighbours_theirs(tmp_path: Path) -> None:
    target = tmp_path / "cells.py"
    target.write_text(source(CELLS))
    assert code_of(arguments(target, tmp_path / "results")) == NOT_AS_EXPECTED
    [run] = (tmp_path / "results").iterdir()
    assert complaints(run, CELLS) == []


def pair(ratio: float, void: int = 0) -> Pair:
    return Pair([100.0] * 8, [100.0 * ratio] * (8 - void), 0, void)


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        ([pair(1.0), pair(1.01), pair(0.99), pair(1.0)], ""),
        # A slow spell that fell on one run of several.
        ([pair(1.0), pair(1.3), pair(0.99), pair(1.01), pair(1.0), pair(1.02)], ""),
        ([pair(1.2), pair(1.21), pair(1.19), pair(1.2)], "honest cells take 1.200 times as long"),
        ([pair(0.8), pair(0.81), pair(0.79), pair(0.8)], "honest cells take 0.800 times as long"),
        ([pair(0.6), pair(1.7), pair(1.0), pair(0.9)], "the times differ too much to compare"),
        ([pair(1.0), pair(1.0)], "2 of 2 pairs can be compared"),
        ([pair(1.0, 6)] * 4, "24 of 32 honest cells beside hostile ones are void, 0 of 32 alone"),
    ],
    ids=["alike", "a slow spell", "slower", "quicker", "too noisy", "too few", "void"],
)
def test_times_beside_hostile_cells_are_held_against_those_alone(pairs: list[Pair], complaint: str) -> None:
    _, found = compared(pairs)
    assert found[0].startswith(complaint) if found else not complaint, found
    assert len(found) == bool(complaint)
