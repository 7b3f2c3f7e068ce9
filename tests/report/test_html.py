"""The page stands alone, holds every cell, is well-formed, and hostile text does nothing in it."""

import base64
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

for needed in ("jinja2", "altair", "vl_convert"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: pip install 'gdbench[html]'")

from bench.errors import UnavailableError
from bench.report import charts, paper, tables, times
from bench.report.html import html_report
from bench.report.markdown import markdown_report

Row = dict[str, Any]
VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})


class Reader(HTMLParser):
    """Checks the balance of the tags and gathers what a browser would act on."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def images(reader: Reader) -> list[str]:
    prefix = "data:image/svg+xml;base64,"
    sources = [value for name, value in reader.attributes if name == "src"]
    assert all(source.startswith(prefix) for source in sources)
    return [base64.b64decode(source.removeprefix(prefix)).decode() for source in sources]


@pytest.fixture(scope="module")
def few_problems(timings_on_two_devices: list[Row]) -> list[Row]:
    return [row for row in timings_on_two_devices if row["problem"] in {"line-4", "batch"}]


@pytest.fixture(scope="module")
def page(
    environment: dict[str, Any], verdicts_on_two_devices: list[Row], few_problems: list[Row], iterates: list[Row]
) -> str:
    return html_report(environment, verdicts_on_two_devices, few_problems, iterates)


def test_the_page_holds_every_cell_and_every_time(
    page: str, verdicts_on_two_devices: list[Row], few_problems: list[Row]
) -> None:
    reader = read(page)
    rows = {tuple(row) for row in reader.rows}
    for name in {row["variant"] for row in verdicts_on_two_devices}:
        for device in ("cpu", "cuda"):
            mine = [row for row in verdicts_on_two_devices if (row["variant"], row["device"]) == (name, device)]
            labels = [tables.label(row) for row in mine if row["dtype"] == "float64"]
            assert (name, *labels) in rows
    cells = [cell.removesuffix(" ★") for row in reader.rows for cell in row]
    assert all(times.time_words(row) in cells for row in few_problems)
    assert "All 216 cells are as expected" in " ".join(reader.text)
    assert "2.13.0" in reader.text


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    reader = read(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert reader.tags.isdisjoint({"script", "link", "iframe", "object", "form", "a"})
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in reader.attributes


def test_drawings_are_svg_for_both_papers_with_words_beside_them(page: str) -> None:
    reader = read(page)
    drawn = images(reader)
    # Two problems and one story, each for light and dark.
    assert len(drawn) == 6
    for svg in drawn:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert paper.LIGHT.ink in drawn[0]
    assert paper.DARK.ink in drawn[1]
    spoken = [value for name, value in reader.attributes if name == "alt"]
    assert all(spoken)
    assert any("torch-bmm cuda float32" in words for words in spoken)


def test_the_story_names_both_variants(page: str) -> None:
    text = " ".join(" ".join(read(page).text).split())
    assert "w[0,0] on line-4, cpu float64" in text
    assert "numpy-dot-mean: ✗ scale.sum 4.00x (expected)" in text
    assert "numpy-analytic: ✓ proved" in text


def test_a_story_needs_a_wrong_and_a_proved_variant(verdicts: list[Row], iterates: list[Row]) -> None:
    story = charts.story_of(verdicts, iterates)
    assert story is not None
    assert (story.wrong["variant"], story.proved["variant"]) == ("numpy-dot-mean", "numpy-analytic")
    assert {row["dtype"] for row in story.points} == {"float64"}
    proved = [row for row in verdicts if row["status"] == "proved"]
    assert charts.story_of(proved, iterates) is None
    assert charts.story_of(verdicts, []) is None
    assert charts.story_of(verdicts, [row | {"probe": "A"} for row in iterates]) is None


def test_a_story_ends_when_it_is_told(verdicts: list[Row], iterates: list[Row]) -> None:
    after = [
        row | {"n": n, "observed": 2.0, "exact": 2.0}
        for row in iterates
        if row["n"] == 20 and row["dtype"] == "float64"
        for n in range(21, 2000)
    ]
    story = charts.story_of(verdicts, [*iterates, *after])
    assert story is not None
    assert max(row["n"] for row in story.points) <= 30


def test_a_diverging_variant_leaves_the_picture(verdicts: list[Row], iterates: list[Row]) -> None:
    wild = [
        row | {"observed": (-10.0) ** row["n"] if row["n"] < 15 else float("inf")}
        if row["variant"] == "numpy-dot-mean"
        else row
        for row in iterates
    ]
    story = charts.story_of(verdicts, wild)
    assert story is not None
    light = charts.story_drawing(story).light
    svg = base64.b64decode(light.partition(",")[2]).decode()
    labels = [float(label.replace("−", "-")) for label in re.findall(r">([−\d.]+)</text>", svg)]
    assert labels
    assert max(labels) <= 20


def test_hostile_text_is_inert(hostile: str, hostile_verdicts: list[Row], hostile_timings: list[Row]) -> None:
    page = html_report({hostile: hostile}, hostile_verdicts, hostile_timings, [])
    reader = read(page)
    assert "script" not in reader.tags
    assert {name for name, _ in reader.attributes if name.startswith("on")} == set()
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert any("<script>alert(1)</script>" in text for text in reader.text)
    for svg in images(reader):
        elements = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
        assert "script" not in elements


def test_the_same_records_make_the_same_page(
    environment: dict[str, Any], verdicts: list[Row], timings: list[Row], iterates: list[Row]
) -> None:
    few = [row for row in timings if row["problem"] == "batch"]
    pages = {html_report(environment, verdicts, few, iterates) for _ in range(2)}
    assert len(pages) == 1


def test_many_notes_of_noise_are_folded(make_timing: Callable[..., Row]) -> None:
    rows = [make_timing(f"v{n}", "p", "cpu", "float64", 100.0, note=f"slowed by {n} %") for n in range(9)]
    assert "<summary>Noise, in 9 notes</summary>" in html_report({}, [], rows, [])
    few = html_report({}, [], rows[:8], [])
    assert "<h3>Noise</h3>" in few
    assert "<summary>Noise" not in few


def test_a_run_without_timings_or_iterates_has_a_page(surprises: list[Row]) -> None:
    text = " ".join(read(html_report({}, surprises, [], [])).text)
    assert "4 of 108 cells are not as expected" in text
    assert "each step carries 0.900 of the one before" in text
    assert "Time per iteration" not in text
    assert "No cells" in html_report({}, [], [], [])


def test_a_page_of_an_unfinished_run_says_so(surprises: list[Row]) -> None:
    said = "This run is not finished"
    for unfinished in (True, False):
        page = html_report({}, surprises, [], [], unfinished=unfinished)
        assert (said in page) is unfinished
        assert (said in markdown_report({}, surprises, [], unfinished=unfinished)) is unfinished


def test_odd_times_do_not_break_the_axis(make_timing: Callable[..., Row]) -> None:
    rows = [
        make_timing("negative", "p", "cpu", "float64", -3.0),
        make_timing("wide", "p", "cpu", "float64", 10.0, ci_low=-50.0, ci_high=float("inf")),
        make_timing("long", "p", "cpu", "float64", 4e10),
    ]
    (drawing,) = charts.timing_drawings(rows)
    assert "NaN" not in base64.b64decode(drawing.light.partition(",")[2]).decode()
    assert charts.timing_drawings(rows[:1]) == []


def placed(svg: str, kind: str) -> list[tuple[float, ElementTree.Element]]:
    """Where the marks of a kind begin, and the marks."""
    (group,) = (
        one for one in ElementTree.fromstring(svg).iter() if one.get("class", "").startswith(f"mark-{kind} role-mark")
    )
    return [(float(one.attrib["transform"].partition("(")[2].partition(",")[0]), one) for one in group]


@pytest.mark.parametrize("times_the_time", [1.02, 3.0, 50.0, float("inf")])
def test_no_number_lies_on_an_interval(make_timing: Callable[..., Row], times_the_time: float) -> None:
    rows = [
        make_timing("quick", "p", "cpu", "float64", 2e3),
        make_timing("noisy", "p", "cpu", "float64", 2e6, ci_low=2e6 / times_the_time, ci_high=2e6 * times_the_time),
        make_timing("noisy", "p", "cpu", "float32", 3e6, ci_low=1e6, ci_high=5e6),
    ]
    (drawing,) = charts.timing_drawings(rows)
    svg = base64.b64decode(drawing.light.partition(",")[2]).decode()
    ends = [x + float(line.attrib["x2"]) for x, line in placed(svg, "rule")]
    points, numbers = ([x for x, _ in placed(svg, kind)] for kind in ("symbol", "text"))
    assert (len(ends), len(points), len(numbers)) == (3, 3, 3)
    assert len(set(numbers)) == 1
    assert max(*ends, *points) < numbers[0]


@pytest.mark.parametrize("module", ["jinja2", "altair", "vl_convert"])
def test_what_is_missing_is_named_with_the_remedy(
    module: str, monkeypatch: pytest.MonkeyPatch, verdicts: list[Row], timings: list[Row]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnavailableError, match=rf"needs {module}.*pip install 'gdbench\[html\]'"):
        html_report({}, verdicts, timings[:1], [])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours: WCAG 2.2, success criterion 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_every_word_has_enough_contrast(page: str) -> None:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?--lane-5.*?)\}", page, re.DOTALL)
    )
    for colours in (light, dark):
        for name in ("ink", "quiet", "good", "fault", "bad", "declined", *(f"lane-{index}" for index in range(6))):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name
        for name in ("fault", "bad"):
            assert contrast(colours[name], colours[f"{name}-tint"]) >= 4.5, name
            assert contrast(colours["quiet"], colours[f"{name}-tint"]) >= 4.5, name
        assert contrast(colours["good"], colours["fastest-tint"]) >= 4.5
