"""Cells of which every third crashes, hangs or exits: each has its row, and their neighbours do not notice."""

from pathlib import Path

import pytest

from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED
from scripts.hostile_run import arguments, complaints, source

CELLS = 63


@pytest.mark.usefixtures("quiet_machine")
def test_every_cell_has_its_row_and_honest_neighbours_theirs(tmp_path: Path) -> None:
    target = tmp_path / "cells.py"
    target.write_text(source(CELLS))
    assert code_of(arguments(target, tmp_path / "results")) == NOT_AS_EXPECTED
    [run] = (tmp_path / "results").iterdir()
    assert complaints(run, CELLS) == []
