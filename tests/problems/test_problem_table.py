"""docs/reference-problems.md holds the table that scripts/problem_table.py prints."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_reference_page_is_up_to_date() -> None:
    pytest.importorskip("sklearn")
    table = runpy.run_path(str(ROOT / "scripts" / "problem_table.py"))["table"]()
    page = (ROOT / "docs" / "reference-problems.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("|")] == table.splitlines(), (
        "docs/reference-problems.md is out of date: replace its table by the output of python scripts/problem_table.py"
    )
