"""The Markdown report holds every cell and every time, and hostile text does nothing in it."""

import re
from typing import Any

from bench.report import tables, times
from bench.report.markdown import markdown_report

Row = dict[str, Any]


def rows_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_report_holds_every_cell(
    environment: dict[str, Any], verdicts_on_two_devices: list[Row], timings_on_two_devices: list[Row]
) -> None:
    text = markdown_report(environment, verdicts_on_two_devices, timings_on_two_devices)
    assert f"**{tables.summary(verdicts_on_two_devices)}**" in text
    rows = {tuple(row) for row in rows_of(text)}
    for name in ("numpy-analytic", "torch-bmm"):
        for dtype in ("float64", "float32"):
            timed = [row for row in timings_on_two_devices if row["variant"] == name and row["dtype"] == dtype]
            for device in {row["device"] for row in timed}:
                words = [times.time_words(row) for row in timed if row["device"] == device]
                assert any([cell.removesuffix(" ★") for cell in row[1:]] == words for row in rows if row[0] == name)
    expected = ["✗ scale.sum 4.00x (expected)"] * 2 + ["– unsupported", "✗ scale.sum 36.0x (expected)"]
    assert ("numpy-dot-mean", *expected, "– unsupported", "– unsupported") in rows
    assert "**cpu/cuda float64**" in text
    assert ("packages torch", "2.13.0") in rows


def test_surprises_come_before_the_tables(surprises: list[Row]) -> None:
    text = markdown_report({}, surprises, [])
    assert text.index("### Not as expected") < text.index("each step carries 0.900") < text.index("### Verdicts")
    assert "(expected: scale.sum)" in text
    assert "### Environment" not in text
    assert "### Time" not in text


def test_tables_are_rectangular_whatever_the_names(hostile_verdicts: list[Row], hostile_timings: list[Row]) -> None:
    text = markdown_report({"a|b": "c\n|d"}, hostile_verdicts, hostile_timings)
    tables_found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables_found
    for table in tables_found:
        assert len({len(row) for row in rows_of(table)}) == 1


def test_hostile_text_is_inert(hostile_verdicts: list[Row], hostile_timings: list[Row]) -> None:
    text = markdown_report({}, hostile_verdicts, hostile_timings)
    assert not re.search(r"[<>\x1b\u202e@]|://|www\.|(?<!\\)[`\[\]]", text)


def test_the_same_records_make_the_same_text(verdicts: list[Row], timings: list[Row]) -> None:
    assert markdown_report({}, verdicts, timings) == markdown_report({}, list(verdicts), list(timings))
