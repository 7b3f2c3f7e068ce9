"""The page on timing shows the trials of `gdbench compare` as they came out."""

import json
from pathlib import Path

from scripts.trials.page import table

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_figures_of_the_trials() -> None:
    trials = json.loads((ROOT / "results" / "compare-trials.json").read_text(encoding="utf-8"))["trials"]
    page = (ROOT / "docs" / "explanation-timing.md").read_text(encoding="utf-8")
    assert "\n".join(table(trials)) in page
