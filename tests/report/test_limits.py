"""The share of the machine's limit, and what binds, on every face."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from rich.console import Console

from bench.report import terminal, times
from bench.report.html import html_report
from bench.report.markdown import markdown_report

Row = dict[str, Any]
WORDS = "dispatch-bound: about 41 of 47 us are Python and torch"


@pytest.fixture
def limited(make_timing: Callable[..., Row]) -> list[Row]:
    """Two cells with a limit, one of an earlier run without."""
    known: Row = {"bytes_per_iter": 64, "operations_per_iter": 16, "work_class": "pass over the data"}
    return [
        make_timing(
            "torch-manual", "line-4", "cpu", "float64", 47_000.0, limit_ns=2.9, share_of_limit=0.0000617,
            limited_by="dispatch", limit_note=WORDS, **known,
        ),
        make_timing(
            "numpy-analytic", "line-4", "cpu", "float64", 6_000.0, limit_ns=4_860.0, share_of_limit=0.81,
            limited_by="memory", limit_note="memory-bound: 81 % of the read bandwidth of L2", **known,
        ),
        make_timing("numpy-analytic", "norris", "cpu", "float64", 6_000.0),
    ]  # fmt: skip


def printed(timings: list[Row], width: int) -> str:
    stream = io.StringIO()
    terminal.timing_table(Console(file=stream, width=width), timings)
    return stream.getvalue()


def test_the_terminal_shows_the_share_and_the_words(limited: list[Row]) -> None:
    text = printed(limited, 100)
    assert max(map(len, text.splitlines())) <= 100
    assert "<0.01 % dispatch" in text
    assert "81 % memory" in text
    assert WORDS in text


def test_a_narrow_terminal_lists_the_cells(limited: list[Row]) -> None:
    text = printed(limited, 40)
    assert max(map(len, text.splitlines())) <= 40
    assert "81 % memory" in text
    assert "share of the machine's limit" in printed(limited, 60)


def test_timings_of_an_earlier_run_have_no_such_section(make_timing: Callable[..., Row]) -> None:
    old = [make_timing("numpy-analytic", "norris", "cpu", "float64", 6_000.0)]
    assert times.limit_grids(old) == []
    assert times.limit_notes(old) == []
    assert "limit" not in printed(old, 100)
    assert "limit" not in markdown_report({}, [], old)


def test_many_cells_are_not_told_one_by_one(limited: list[Row]) -> None:
    many = [limited[0] | {"problem": f"p{n}", "limit_note": f"dispatch-bound: {n}"} for n in range(9)]
    assert "dispatch-bound: 3" not in printed(many, 200)


def test_the_markdown_has_both(limited: list[Row]) -> None:
    text = markdown_report({}, [], limited)
    assert "### Share of the machine's limit" in text
    assert "81 % memory" in text
    assert WORDS in text


@pytest.mark.skipif(find_spec("altair") is None, reason="the page needs gdbench[html]")
def test_the_page_has_both_and_the_class_on_demand(limited: list[Row]) -> None:
    page = html_report({}, [], limited, [])
    assert "Share of the machine’s limit" in page
    assert WORDS in page
    assert "81 % of the read bandwidth of L2; limit 4.86 µs, pass over the data" in page
