"""The tables read well on a narrow console, say everything, and let nothing act on the terminal."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.problems.named import Entry
from bench.report import tables, terminal, times
from bench.report.continuous import github_action_benchmark
from bench.report.html import html_report
from bench.report.markdown import markdown_report
from bench.report.text import printable
from bench.variants.contract import Variant

Row = dict[str, Any]
Draw = Callable[[Console], None]


def drawn(draw: Draw, width: int = 80, encoding: str = "utf-8", **options: Any) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    draw(Console(file=stream, width=width, **options))
    stream.flush()
    stream.seek(0)
    return stream.read()


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_no_line_is_too_long_and_no_word_is_cut(
    width: int, verdicts_on_two_devices: list[Row], timings_on_two_devices: list[Row]
) -> None:
    def draw(console: Console) -> None:
        terminal.verdict_table(console, verdicts_on_two_devices)
        terminal.timing_table(console, timings_on_two_devices)

    text = drawn(draw, width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 80:
        for row in verdicts_on_two_devices:
            assert row["variant"] in text
            assert row["problem"] in text or row["problem"].partition("-")[0] in text
            assert all(words in text for words in tables.label_words(row))
        assert set(re.findall(r"– \w+", text)) == {"– unsupported", "– unavailable"}


def test_a_wide_console_gets_a_grid_and_a_narrow_one_a_list(verdicts: list[Row]) -> None:
    wide, narrow = (drawn(lambda console: terminal.verdict_table(console, verdicts), width) for width in (200, 80))
    assert re.search(r"^numpy-analytic( +✓ proved){6} *$", wide, re.MULTILINE)
    assert re.search(r"^torch-manual +✓ proved +line-4, ", narrow, re.MULTILINE)


def test_a_grid_folds_before_it_becomes_a_list(verdicts: list[Row]) -> None:
    few = [row for row in verdicts if row["problem"] in {"line-4", "linear-4-lr0.01", "norris"}]
    text = drawn(lambda console: terminal.verdict_table(console, few))
    assert re.search(r"^numpy-dot-mean +✗ scale.sum +✗ scale.sum +✗ scale.sum", text, re.MULTILINE)
    assert re.search(r"^ +4.00x +4.00x +36.0x", text, re.MULTILINE)


def test_the_list_has_every_cell(verdicts: list[Row]) -> None:
    text = drawn(lambda console: terminal.verdict_table(console, verdicts)).partition("Not done")[0]
    number = len({row["variant"] for row in verdicts})
    for problem in {row["problem"] for row in verdicts}:
        assert len(re.findall(rf"(?<=[ ]){re.escape(problem)}(?=,| )", text)) == number


def test_what_was_not_expected_comes_with_its_evidence(surprises: list[Row]) -> None:
    text = drawn(lambda console: terminal.verdict_table(console, surprises))
    after = text.partition("Not as expected")[2]
    assert "✗ state.momentum 0.900 or state.nesterov; expected: proved" in after
    assert "each step carries 0.900 of the one before" in after
    assert "✓ proved (not expected); expected: scale.sum" in after
    assert after.count("one regression at a time") == 1


def test_the_title_of_a_narrow_table_is_not_folded(verdicts: list[Row]) -> None:
    few = [row for row in verdicts if row["problem"] == "line-4"]
    text = drawn(lambda console: terminal.verdict_table(console, few))
    assert re.search(r"^cpu float64 · cpu float32$", text, re.MULTILINE)


def test_a_proved_run_has_nothing_to_add(verdicts: list[Row]) -> None:
    proved = [row for row in verdicts if row["status"] == "proved"]
    text = drawn(lambda console: terminal.verdict_table(console, proved))
    assert "Not as expected" not in text
    assert "Not done" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_every_time_is_printed_with_its_margin(timings: list[Row], width: int) -> None:
    text = drawn(lambda console: terminal.timing_table(console, timings), width)
    words = [times.time_words(row) for row in timings]
    assert all(text.count(time) >= words.count(time) for time in words)
    assert text.count("contention: a processor was waited for 12 % of the time") == 1


def test_a_single_dtype_shows_how_far_it_is_to_the_fastest(timings: list[Row]) -> None:
    single = [row for row in timings if row["dtype"] == "float64"]
    text = drawn(lambda console: terminal.timing_table(console, single))
    assert re.search(r"^line-4 +numpy-matmul +2\.07 ±0\.06 µs ★ +1\.0x$", text, re.MULTILINE)
    assert re.search(r"^ +torch-optim +99 ±3 µs +48x$", text, re.MULTILINE)


def test_cpu_stands_beside_cuda_with_the_ratio(timings_on_two_devices: list[Row]) -> None:
    text = drawn(lambda console: terminal.timing_table(console, timings_on_two_devices))
    assert re.search(r"^problem +variant +cpu +cuda +cpu/cuda$", text, re.MULTILINE)
    assert re.search(r"^ +torch-bmm +\S+ ±\S+ µs +\S+ ±\S+ µs +0\.\d\dx$", text, re.MULTILINE)
    assert re.search(r"^ +numpy-analytic +\S+ ±\S+ µs *$", text, re.MULTILINE)


def test_a_doubtful_time_is_never_the_fastest_and_says_why(timings: list[Row], make_timing: Callable[..., Row]) -> None:
    doubt = "set-up is 97 % of the largest call"
    cheat = make_timing("cheat", "line-4", "cpu", "float64", 900.0, doubt=doubt)
    noisy = [row | {"note": f"launches differ by {number} %"} for number, row in enumerate(timings)]
    for rows in ([*noisy, cheat], [row for row in [*noisy, cheat] if row["dtype"] == "float64"]):
        assert ("cheat", "line-4", "cpu", "float64") not in times.marked_fastest(rows)
        text = drawn(lambda console, rows=rows: terminal.timing_table(console, rows))  # type: ignore[misc]
        assert re.search(r"900 ±\d+ ns \?", text)
        assert doubt in text
        assert times.DOUBTS_TITLE in text
        assert re.search(r"^line-4 +numpy-matmul +2\.07 ±0\.06 µs ★", text, re.MULTILINE)
    for page in (html_report({}, [], [*noisy, cheat], []), markdown_report({}, [], [*noisy, cheat])):
        assert doubt in page
    assert doubt in github_action_benchmark([cheat])


def test_what_failed_while_it_was_timed_stands_apart_from_noise(make_timing: Callable[..., Row]) -> None:
    failed, void = (
        make_timing(name, "line-4", "cpu", "float64", 1.0, failed=failed, note=note) | {"ns_per_iter": None}
        for name, failed, note in (("crash", True, "exited with code 3"), ("noise", False, "the machine is too busy"))
    )
    text = drawn(lambda console: terminal.timing_table(console, [void, failed]))
    assert text.index(times.FAILED_TITLE) < text.index("exited with code 3") < text.index("Not timed")
    assert terminal.summary([], [void, failed]).endswith("; 1 failed while timed")
    assert terminal.summary([], [void]) == "no cells"
    for page in (html_report({}, [], [void, failed], []), markdown_report({}, [], [void, failed])):
        assert page.index(times.FAILED_TITLE) < page.index("exited with code 3")
        assert "; 1 failed while timed" in page


def test_no_timings_print_nothing() -> None:
    assert drawn(lambda console: terminal.timing_table(console, [])) == ""


@pytest.mark.parametrize("width", [40, 80, 400])
def test_hostile_text_cannot_reach_the_terminal(
    width: int, hostile_verdicts: list[Row], hostile_timings: list[Row]
) -> None:
    def draw(console: Console) -> None:
        terminal.verdict_table(console, hostile_verdicts)
        terminal.timing_table(console, hostile_timings)
        terminal.variant_table(console, [Variant("\x1b[2J", "[red]x", "\u202e", "\x07", summary="[bold]")])

    text = drawn(draw, width)
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= width
    assert "[red]" in text
    assert r"\x1b[31m" in text or width == 40


@given(st.text(alphabet="[]/\\redbold=# \x1b"))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_rich_finds_no_markup(text: str) -> None:
    def draw(console: Console) -> None:
        console.print(terminal.shown(console, text), end="")

    assert drawn(draw, 1000, force_terminal=True, color_system="truecolor") == printable(text)


def test_colour_obeys_no_color(monkeypatch: pytest.MonkeyPatch, verdicts: list[Row]) -> None:
    def draw(console: Console) -> None:
        terminal.verdict_table(console, verdicts)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m✓ proved" in drawn(draw, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in drawn(draw, force_terminal=True, color_system="standard")


def test_an_ascii_terminal_is_served(verdicts: list[Row], timings: list[Row]) -> None:
    def draw(console: Console) -> None:
        terminal.verdict_table(console, verdicts)
        terminal.timing_table(console, timings)

    text = drawn(draw, encoding="ascii")
    assert "+ proved" in text
    assert "2.07 +/-0.06 us *" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_same_records_draw_the_same_lines(verdicts: list[Row], timings: list[Row]) -> None:
    def draw(console: Console) -> None:
        terminal.verdict_table(console, verdicts)
        terminal.timing_table(console, timings)

    assert drawn(draw) == drawn(draw)


def test_variants_and_problems_are_listed() -> None:
    variants = [
        Variant("numpy-analytic", "numpy", "analytic", "gd_impls.analytic:numpy_analytic", summary="Written out."),
        Variant("numpy-dot-mean", "numpy", "published", "gd_impls.published:dot", expect="scale.sum"),
    ]
    text = drawn(lambda console: terminal.variant_table(console, variants), 120)
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[:5] == [
        "numpy-analytic  numpy  analytic",
        "    Written out.",
        "    gd_impls.analytic:numpy_analytic",
        "numpy-dot-mean  numpy  published  expected: scale.sum",
        "    gd_impls.published:dot",
    ]

    def load() -> Any:
        raise AssertionError("a list loads nothing")

    entries = [Entry("line-4", "Four points.", "a notebook", True, load), Entry("norris", "36.", "NIST", False, load)]
    text = drawn(lambda console: terminal.problem_table(console, entries))
    assert re.search(r"line-4 +✓ +Four points. \[a notebook\]", text)
    assert re.search(r"norris +36. \[NIST\]", text)


def test_progress_names_the_cell_and_counts() -> None:
    def draw(console: Console) -> None:
        with terminal.progress(2, console=console) as cells:
            cells.begin("[red]numpy-analytic[/red] on line-4")
            cells.finish()

    text = drawn(draw, force_terminal=True, color_system="standard")
    assert "[red]numpy-analytic[/red] on line-4" in text
    assert "1/2" in text


@pytest.mark.parametrize("options", [{"force_terminal": True, "quiet": True}, {"force_terminal": False}])
def test_progress_is_silent_where_nobody_watches(options: dict[str, bool]) -> None:
    quiet = options.get("quiet", False)

    def draw(console: Console) -> None:
        with terminal.progress(1, console=console, quiet=quiet) as cells:
            cells.begin("numpy-analytic on line-4")
            cells.finish()

    assert drawn(draw, force_terminal=options["force_terminal"]) == ""


def test_progress_goes_to_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress(1) as cells:
        cells.begin("numpy-analytic on line-4")
        cells.finish()
    assert capsys.readouterr().out == ""


def test_a_comparison_of_two_trees_names_the_variant(comparisons: list[Row]) -> None:
    text = " ".join(drawn(lambda console: terminal.comparison_table(console, comparisons), width=200).split())
    for row in comparisons:
        assert f"{row['variant']} line-4 (cpu float64) origin/main {row['verdict']}" in text
    assert "torch-manual against origin/main on line-4: the machine is busy" in text
