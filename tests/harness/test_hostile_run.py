"""Cells of which every third crashes, hangs or exits: each has its row, and their neighbours do not notice."""

from pathlib import Path

import pytest

from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED
from scripts.hostile_run import arguments, compared, complaints, source

CELLS = 63


@pytest.mark.usefixtures("quiet_machine")
def test_every_cell_has_its_row_and_honest_neighbours_theirs(tmp_path: Path) -> None:
    target = tmp_path / "cells.py"
    target.write_text(source(CELLS))
    assert code_of(arguments(target, tmp_path / "results")) == NOT_AS_EXPECTED
    [run] = (tmp_path / "results").iterdir()
    assert complaints(run, CELLS) == []


def times(median: float, number: int = 100) -> list[float]:
    """So many times about a median, a tenth of them in a slow spell."""
    return [median * (1.6 if index % 10 == 0 else 1 + 0.02 * (index % 5 - 2)) for index in range(number)]


@pytest.mark.parametrize(
    ("beside", "alone", "complaint"),
    [
        (times(100.0), times(101.0), ""),
        (times(120.0), times(100.0), "honest cells take 1.200 times as long"),
        (times(80.0), times(100.0), "honest cells take 0.800 times as long"),
        (times(100.0, 5), times(100.0), "5 and 100 of 100 cells were timed"),
        (times(100.0, 40), times(100.0), "60 of 100 honest cells beside hostile ones are void, 0 alone"),
        (times(100.0, 50), times(100.0, 52), ""),
    ],
    ids=["alike", "slower", "quicker", "too few", "void", "void alike"],
)
def test_times_beside_hostile_cells_are_held_against_those_alone(
    beside: list[float], alone: list[float], complaint: str
) -> None:
    _, found = compared(beside, alone, 100)
    assert found[0].startswith(complaint) if found else not complaint, found
    assert len(found) == bool(complaint)
