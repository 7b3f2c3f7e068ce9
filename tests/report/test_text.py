"""Text from elsewhere can be read and does nothing: in the terminal, in Markdown."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.text import encodable, markdown, printable

INVISIBLE = [
    "\x00", "\x07", "\x08", "\x1b", "\x7f", "\x9b", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\ue000",
    "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("character", INVISIBLE)
def test_invisible_characters_become_their_escapes(character: str) -> None:
    shown = printable(f"a{character}b")
    assert character not in shown
    assert re.fullmatch(r"a\\[xuU][0-9a-f]+b", shown)


def test_visible_text_of_any_script_is_left_alone() -> None:
    assert printable("Größe µ 勾配 ✓") == "Größe µ 勾配 ✓"


@given(st.text())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_comes_in_one_printable_line_comes_out(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


def test_lone_surrogates_can_be_encoded() -> None:
    assert printable("\udcff").encode() == rb"\udcff"


def test_endless_text_ends() -> None:
    shown = printable("x" * 10_000)
    assert len(shown) < 2100
    assert shown.endswith("(8000 more characters)")


def test_an_ascii_terminal_gets_ascii() -> None:
    assert encodable("✗ scale.sum 勾 5 µs", "ascii") == r"x scale.sum \u52fe 5 us"


@pytest.mark.parametrize("text", ["|", "\\|", "a\n|b", "`|`", "\\\\|"])
def test_markdown_cells_stay_one_cell(text: str) -> None:
    # In GitHub's tables a pipe ends the cell unless an odd number of backslashes stands before it.
    assert not re.search(r"(?<!\\)(\\\\)*\|", markdown(text))
    assert "\n" not in markdown(text)


def test_markdown_is_inert(hostile: str) -> None:
    shown = markdown(hostile)
    assert not re.search(r"[<>\x1b\u202e]|(?<!\\)[`\[\]]|://|www\.|@", shown)
    assert "&lt;script&gt;" in shown
