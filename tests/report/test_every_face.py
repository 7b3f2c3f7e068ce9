"""One run whose every text is hostile, through every way out: none of them lets a text do anything."""

import csv
import io
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

import bench
from bench.cli import code_of
from bench.exit_codes import OK, USAGE
from bench.recording import finish_run
from bench.report.github import MOST_ANNOTATIONS
from bench.runs.folder import RunFolder
from bench.runs.records import ITERATE_COLUMNS, TIMING_COLUMNS, VERDICT_COLUMNS

TEXTS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b\\|c\n| d |",
    "[link](javascript:alert(1)) ![x](http://d.example) `x` **b**",
    "[red]markup[/red] [link=http://d.example]x[/link]",
    "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "\u202egnp.exe\u2066\u200b\ufeff\u2028",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 5000,
    "../../etc/passwd\x00",
]
NUMBERS: dict[str, object] = {"Float64": -2.5, "Int64": 3, "boolean": False}


def rows(columns: Any, changes: Mapping[str, object]) -> list[dict[str, object]]:
    made = []
    for text in TEXTS:
        row = {name: NUMBERS.get(dtype, text) for name, dtype, _ in columns}
        made.append(row | {name: value for name, value in changes.items() if name in row})
    return made


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = {text: text for text in TEXTS} | {"nested": {text: [text] for text in TEXTS}}
    results = tmp_path_factory.mktemp("results")
    positive = {"ns_per_iter": 5000.0, "ci_low": 4000.0, "ci_high": 6000.0, "dispersion": 0.1}
    with RunFolder.create(
        results, datetime(2026, 1, 31, tzinfo=UTC), environment=environment, command=TEXTS, seed=1
    ) as folder:
        for verdict, timing, iterate in zip(
            [row | {"alternatives": [row["evidence"]]} for row in rows(VERDICT_COLUMNS, {"status": "wrong"})],
            rows(TIMING_COLUMNS, positive),
            rows(ITERATE_COLUMNS, {}),
            strict=True,
        ):
            folder.append_verdict(verdict, [iterate])
            folder.append_timing(timing)
        folder.append_timing(rows(TIMING_COLUMNS, dict.fromkeys(positive))[-1])
        finish_run(folder)
    return folder.path


def invisible(text: str) -> set[str]:
    """Characters that move a cursor, turn text around, or cannot be seen."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def test_the_page(hostile_run: Path) -> None:
    page = (hostile_run / "report.html").read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(page)
    assert elements.tags.isdisjoint({"script", "a", "iframe", "object", "form", "svg", "link"})
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    for name, value in elements.attributes:
        if name in ("src", "href"):
            assert value is not None
            assert value.startswith("data:image/")
    assert invisible(page) == set()
    assert "49" not in page.partition("{{")[0].partition("Environment")[2]


def test_the_markdown(hostile_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["report", str(hostile_run), "--format", "markdown"]) == OK
    page = capsys.readouterr().out
    assert invisible(page) == set()
    assert "<" not in page
    assert "](" not in page.replace("\\]", "")
    tables = [line for line in page.splitlines() if line.startswith("|")]
    for line, after in pairwise(tables):
        if set(after) <= set("|- "):
            width = cells(line)
            assert cells(after) == width
        assert cells(line) == width


def cells(line: str) -> int:
    return line.replace("\\|", "").count("|") - 1


def test_what_ci_services_read(hostile_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("junit", "github", "github-action-benchmark", "bencher"):
        assert code_of(["report", str(hostile_run), "--format", kind]) == OK
        page = capsys.readouterr().out
        assert invisible(page) == set()
        lines = page.splitlines()
        match kind:
            case "junit":
                assert len(ElementTree.fromstring(page)[0]) == len(TEXTS)
            case "github":
                assert [line for line in lines if line and not line.startswith("::error title=")] == []
                assert sum(map(bool, lines)) == MOST_ANNOTATIONS
            case "github-action-benchmark":
                assert len(json.loads(page)) == len(TEXTS) - 1  # one has no time
            case _:
                assert len(json.loads(page)) == len(TEXTS) - 2  # and two look alike, which names of variants never do


@pytest.mark.parametrize("width", [60, 100, 400])
def test_the_terminal(hostile_run: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, width=width, force_terminal=False)
    monkeypatch.setattr("bench.verbs.shown.console_of", lambda arguments: console)
    assert code_of(["report", str(hostile_run)]) == OK
    shown = drawn.getvalue()
    assert invisible(shown) == set()
    assert "[red]markup[/red]" in "".join(shown.split())


def test_the_csv_files(hostile_run: Path) -> None:
    for table, columns in (("verdicts", VERDICT_COLUMNS), ("timings", TIMING_COLUMNS), ("iterates", ITERATE_COLUMNS)):
        with (hostile_run / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file, strict=True))
        assert len(read) == len(TEXTS)
        for row in read:
            for name, dtype, _ in columns:
                if dtype == "string":
                    assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
                elif dtype == "Float64" and row[name]:
                    assert float(row[name]) == float(row[name])
                    assert not row[name].startswith("'")


def test_what_is_loaded_is_what_was_written(hostile_run: Path) -> None:
    run = bench.load(hostile_run)
    for frame, name in ((run.verdicts, "evidence"), (run.timings, "note"), (run.iterates, "component")):
        assert list(frame[name]) == TEXTS
        assert list(frame["variant"]) == TEXTS
    assert set(run.verdicts["factor"]) == {-2.5}
    assert list(run.verdicts["alternatives"]) == TEXTS


def test_the_json_files(hostile_run: Path) -> None:
    for name in ("run.json", "journal.jsonl"):
        data = (hostile_run / name).read_bytes()
        assert data.isascii()
        assert not [byte for byte in data if byte < 32 and byte != 10]
    assert [row["evidence"] for row in json.loads((hostile_run / "run.json").read_text())["verdicts"]] == TEXTS


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "\x1b[31m\u202e.py:fit"],
        ["verify", "numpy-analytic", "-p", "\x1b]0;x\x07"],
        ["report", "\x9b2J"],
        ["run", "--resume", "\x1b[2J"],
        ["list", "-v", "\x1b[2J"],
        ["list", "--\x1b[2J"],
        ["gate", "--config", "\x1b[2J"],
    ],
)
def test_complaints(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(arguments) == USAGE
    said = capsys.readouterr().err
    assert invisible(said) == set()
    assert "\\x" in said
