"""Annotations are one line each and escaped, ten at most; the summary never grows beyond what GitHub takes."""

import re
from pathlib import Path
from typing import Any

import pytest

from bench.report.github import SUMMARY_LIMIT_BYTES, annotations, append_summary, step_summary, workflow_error

Row = dict[str, Any]

COMMAND = re.compile(r"::error (?P<properties>[^:\r\n]*)::(?P<message>[^\r\n]*)")


def read(command: str) -> tuple[dict[str, str], str]:
    """The properties and the message, as GitHub's runner takes a command apart."""
    match = COMMAND.fullmatch(command)
    assert match is not None, command
    pairs = [pair.split("=", 1) for pair in match["properties"].split(",")]
    found = {name: unescaped(value, ("%3A", ":"), ("%2C", ",")) for name, value in pairs}
    return found, unescaped(match["message"])


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for escape, character in (*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def test_what_is_as_expected_is_not_annotated(verdicts: list[Row]) -> None:
    assert annotations(verdicts) == []


def test_each_cell_that_is_not_as_expected_is_annotated(surprises: list[Row]) -> None:
    commands = annotations(surprises, places={"torch-optim": ("gd_impls/torch_optim.py", 12)})
    found = [read(command) for command in commands]
    assert len(found) == 4
    said = "expected proved, became wrong (state.momentum): each step carries 0.900 of the one before"
    place = {"file": "gd_impls/torch_optim.py", "line": "12"}
    assert ({"title": "torch-optim on norris (cpu float64)"} | place, said) in found
    right = {"title": "numpy-dot-mean on line-4 (cpu float32)"}
    assert (right, "expected scale.sum, became proved: exact") in found


def test_a_slower_variant_and_a_failed_timing_are_annotated(comparisons: list[Row], make_timing: Any) -> None:
    failed = make_timing("numpy-matmul", "line-4", "cpu", "float64", 1.0, note="a timed answer is wrong")
    timing, speed = map(read, annotations([], comparisons, failed_timings=[failed]))
    assert timing[0]["title"] == "numpy-matmul on line-4 (cpu float64), timing"
    assert speed[0]["title"] == "numpy-analytic on line-4 (cpu float64), speed against origin/main"
    assert speed[1] == "slower than origin/main: 1.052 times its time (95 %: 1.031 to 1.075)"


@pytest.mark.parametrize(("failing", "commands"), [(10, 10), (11, 10), (40, 10)])
def test_more_than_github_shows_is_counted(make_verdict: Any, failing: int, commands: int) -> None:
    rows = [make_verdict(f"v{i}", "line-4", "cpu", "float64", as_expected=False) for i in range(failing)]
    written = annotations(rows)
    assert len(written) == commands
    more = [message for _, message in map(read, written) if "the summary has them all" in message]
    assert more == ([] if failing == 10 else [f"{failing - 9} more cells not as expected; the summary has them all"])


HOSTILE = "100%: a,b\r\n::stop-commands::x\n##[add-mask]y\x1b[2J\u2028::error::z%0A::set-env::q"


def test_no_text_is_a_command_of_its_own(make_verdict: Any) -> None:
    row = make_verdict(HOSTILE, HOSTILE, "cpu", "float64", status="broken", evidence=HOSTILE, as_expected=False)
    [command] = annotations([row], places={HOSTILE: (HOSTILE, 1)})
    properties, message = read(command)
    assert set(properties) == {"title", "file", "line"}
    assert "100%: a,b ::stop-commands::x" in properties["title"]
    assert "%0A::set-env" in message
    assert command.isprintable()
    assert workflow_error("%") == "::error ::%25"


def test_the_summary_has_the_comparisons(verdicts: list[Row], timings: list[Row], comparisons: list[Row]) -> None:
    text = step_summary(verdicts, timings, comparisons)
    assert text.index("### Speed") < text.index("### Verdicts")
    assert "| slower (not as expected) | 1.052 times its time (95 %: 1.031 to 1.075) |" in text
    assert "| inconclusive |  | the machine is busy |" in text


def test_a_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    append_summary(file, "one\n")
    append_summary(file, "two\n")
    assert file.read_text() == "before\none\ntwo\n"


@pytest.mark.parametrize(
    "before", [0, 1000, SUMMARY_LIMIT_BYTES - 80, SUMMARY_LIMIT_BYTES - 5, SUMMARY_LIMIT_BYTES + 9]
)
def test_a_summary_is_cut_at_a_line_where_github_would_drop_it(tmp_path: Path, before: int) -> None:
    file = tmp_path / "summary.md"
    file.write_bytes(b"x" * before)
    append_summary(file, "é · a line\n" * 200_000)
    written = file.read_bytes()
    assert len(written) <= max(before, SUMMARY_LIMIT_BYTES)
    added = written[before:].decode("utf-8")
    if SUMMARY_LIMIT_BYTES - before > 70:
        assert added.endswith("left out: GitHub takes 1 MiB a step.\n")
        assert set(added.splitlines()[:-1]) <= {"é · a line", ""}
    else:
        assert added == ""


def test_a_summary_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        append_summary(tmp_path, "text")
