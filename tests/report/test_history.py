"""A history on every face: it says what changed and when, that it is advisory, and no text in it can act."""

import base64
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.cli import code_of
from bench.exit_codes import OK
from bench.report import history as words
from bench.report.markdown import history_markdown
from bench.report.terminal import history_table
from bench.runs.history import ADVICE, History, LeftOut, Line, PastRun, Point, read_history
from bench.timing.steps import Step
from tests.runs.pasts import fifteen_runs


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    fifteen_runs(folder)
    damaged = folder / "20260112T120000Z-0002"
    (damaged / "timings.parquet").write_bytes(b"PAR1")
    return folder


@pytest.fixture(scope="module")
def told(results: Path) -> History:
    return read_history(results)


@pytest.fixture
def hostile_history(hostile: str) -> History:
    runs = [PastRun(hostile, datetime(2026, 1, day, tzinfo=UTC), hostile, dirty=True) for day in (1, 2)]
    points = tuple(Point(run, 5000.0, 4000.0, 6000.0) for run in runs)
    line = Line((hostile, hostile, hostile, hostile), points, (Step(1, 1.3, 1.2, 1.4),))
    return History({hostile: hostile}, tuple(runs), (line,), (LeftOut(hostile, hostile),))


def drawn(told: History, encoding: str = "utf-8", width: int = 80) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    history_table(Console(file=stream, width=width), told)
    stream.flush()
    stream.seek(0)
    return stream.read()


def test_the_terminal_says_what_changed_and_when(told: History) -> None:
    text = drawn(told)
    assert re.search(r"^steady +line-4 +14 +5\.\d\d ±0\.1\d µs +– +[▁▂▃▄▅▆▇█]{14} *$", text, re.MULTILINE)
    slower = r"^slower +line-4 +14 +\d\d\.\d ±1\.\d µs +\+2\d %, 2026-01-19 +[▁▂▃▄▅▆▇█]{14} *$"
    assert re.search(slower, text, re.MULTILINE)
    assert re.search(r"^quicker .* 0\.4\dx, 2026-01-21 ", text, re.MULTILINE)
    assert "20260119T120000Z-0009, 2026-01-19, commit 0909090909" in text
    assert re.search(r"slower on line-4 \(cpu float64\): \+2\d % \(95 %: \+\d\d % to \+\d\d %\)", text)
    assert "20260112T120000Z-0002" in text.partition("Left out")[2]


def test_a_console_without_bars_gets_none(told: History) -> None:
    text = drawn(told, "ascii")
    assert "history" not in text
    assert "slower" in text
    assert text.isascii()
    assert "history" not in drawn(told, "cp437")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_too_long(told: History, width: int) -> None:
    assert max(map(len, drawn(told, width=width).splitlines())) <= width


def test_the_command_says_that_it_is_advisory(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["report", "--history", str(results)]) == OK
    printed = capsys.readouterr().out
    assert "3 cells over 14 runs: 2 cells with a step" in printed
    assert ADVICE in printed
    assert code_of(["report", "--history", "-o", str(results), "--format", "markdown"]) == OK
    assert "advisory: runs are not interleaved" in capsys.readouterr().out


def test_records_go_to_standard_output_and_tables_beside(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["report", "--history", str(results), "--json", "-"]) == OK
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["schema"] == "gdbench/history/1"
    assert [len(cell["steps"]) for cell in document["cells"]] == [0, 1, 1]
    assert ADVICE in printed.err
    assert code_of(["report", "--history", str(results), "--json", "-", "--quiet"]) == OK
    assert capsys.readouterr().err == ""


def test_the_markdown(told: History) -> None:
    page = history_markdown(told, ADVICE)
    assert "**20260119T120000Z-0009, 2026-01-19, commit 0909090909** slower on line-4" in page
    assert re.search(r"^\| slower \| line-4 \| 14 \| .* \| \+2\d %, 2026-01-19 \| [▁▂▃▄▅▆▇█]{14} \|$", page, re.M)
    assert "damaged" in page.partition("### Left out")[2]


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    for needed in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install 'gdbench[html]'")
    file = tmp_path_factory.mktemp("page") / "history.html"
    assert code_of(["report", "--history", str(results), "--format", "html", "--output", str(file)]) == OK
    return file.read_text(encoding="utf-8")


def test_the_page_has_a_drawing_a_cell_and_needs_nothing_from_elsewhere(page: str) -> None:
    drawings = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"', page)
    assert len(drawings) == 3 * 2
    for svg, spoken in drawings:
        assert ElementTree.fromstring(base64.b64decode(svg)).tag.endswith("svg")
        assert "on line-4 (cpu float64) over 14 runs" in spoken
    assert ADVICE in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r"https?:|@import|url\(|<script|<link", page)


def test_the_drawing_of_a_step_says_so(page: str) -> None:
    on_light = re.findall(r'class="on-light" src="data:image/svg\+xml;base64,([^"]+)" alt="[^"]+ of (\w+) on', page)
    told = {name: base64.b64decode(svg).decode() for svg, name in on_light}
    steady, slower = told["steady"], told["slower"]
    assert re.search(r">\+2\d %<", slower)
    assert " %<" not in steady
    assert "2026-01-10" in steady
    assert "2026-01-24" in steady


def test_hostile_text_does_nothing(hostile_history: History) -> None:
    text = drawn(hostile_history)
    assert "\x1b" not in text
    assert "\u202e" not in text
    markdown = history_markdown(hostile_history, ADVICE)
    assert "<script" not in markdown
    assert "\x1b" not in markdown
    pytest.importorskip("vl_convert")
    from bench.report.html import history_page

    page = history_page(hostile_history, ADVICE)
    assert "<script" not in page
    assert 'onload="' not in page
    assert "\x1b" not in page


def test_bars_follow_the_times_and_do_not_blow_up_noise() -> None:
    assert words.sparkline([100.0, 200.0]) == "▁█"
    assert set(words.sparkline([100.0, 102.0, 98.0, 101.0])) <= set("▄▅")
    assert len(words.sparkline([100.0] * 50)) == 20
