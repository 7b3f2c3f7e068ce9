import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.runs import journal as journal_module
from bench.runs.journal import Journal, read_journal

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def written(tmp_path: Path, verdict_row: Make, timing_row: Make, iterate_row: Make) -> Path:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append_verdict(verdict_row("a"), [iterate_row("a", n=n) for n in range(3)])
    journal.append_timing(timing_row("a"))
    journal.append_verdict(verdict_row("b", evidence="naïve\n\u2028"), [iterate_row("b")])
    journal.close()
    return path


def test_each_cell_is_one_line(written: Path) -> None:
    lines = written.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["kind"] for line in lines] == ["verdict", "timing", "verdict"]


def test_what_was_appended_is_read(written: Path, verdict_row: Make, timing_row: Make, iterate_row: Make) -> None:
    cells = read_journal(written)
    assert cells.verdicts == [verdict_row("a"), verdict_row("b", evidence="naïve\n\u2028")]
    assert cells.timings == [timing_row("a")]
    assert cells.iterates == [*(iterate_row("a", n=n) for n in range(3)), iterate_row("b")]


@pytest.mark.parametrize("last", ["verdict", "timing"])
def test_a_kill_at_any_byte_of_the_last_line_loses_that_line_only(written: Path, timing_row: Make, last: str) -> None:
    whole = written.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    if last == "timing":
        line = json.dumps({"kind": "timing", "timing": timing_row("b")}).encode() + b"\n"
        whole = whole[:start] + line
    for length in range(start, len(whole)):
        written.write_bytes(whole[:length])
        cells = read_journal(written)
        assert [row["variant"] for row in cells.verdicts] == ["a"]
        assert len(cells.timings) == 1
        assert len(cells.iterates) == 3
        Journal(written).close()
        assert written.read_bytes() == whole[:start]


def test_appending_after_a_kill_cuts_the_torn_line_off(written: Path, verdict_row: Make) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole[:-20])
    journal = Journal(written)
    assert [row["variant"] for row in journal.cells().verdicts] == ["a"]
    journal.append_verdict(verdict_row("c"))
    journal.close()
    assert journal.cells() == read_journal(written)
    assert [row["variant"] for row in read_journal(written).verdicts] == ["a", "c"]


def test_a_cell_that_was_judged_again_keeps_its_last_verdict_and_loses_the_timing_before_it(
    written: Path, verdict_row: Make
) -> None:
    journal = Journal(written)
    journal.append_verdict(verdict_row("a", evidence="again"))
    journal.close()
    cells = read_journal(written)
    assert [(row["variant"], row["evidence"]) for row in cells.verdicts] == [("a", "again"), ("b", "naïve\n\u2028")]
    assert cells.timings == []
    assert [row["variant"] for row in cells.iterates] == ["b"]


def test_a_cell_that_was_timed_again_keeps_its_last_timing(written: Path, timing_row: Make) -> None:
    journal = Journal(written)
    journal.append_timing(timing_row("a", ns_per_iter=3.0))
    journal.close()
    assert read_journal(written).timings == [timing_row("a", ns_per_iter=3.0)]
    assert journal.cells() == read_journal(written)


@pytest.mark.parametrize(
    ("damaged", "fact"),
    [
        (b"", "is empty"),
        (b"   ", "is empty"),
        (b'{"kind": "verdict"', "not strict JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "not an object with a kind"),
        (b"null", "not an object with a kind"),
        (b'{"kind": "rumour"}', "its kind is 'rumour'"),
        (b'{"kind": "timing"}', "its kind is 'timing' and its fields are kind"),
        (b'{"kind": "timing", "timing": {}}', "the field 'variant' is missing"),
        (b'{"kind": "timing", "timing": 3}', "not an object"),
        (b'{"kind": "timing", "kind": "timing"}', "given twice"),
        (b'{"kind": "timing", "timing": NaN}', "NaN"),
    ],
)
@pytest.mark.parametrize("line", [1, 2, 4])
def test_a_broken_whole_line_is_refused_wherever_it_is(written: Path, damaged: bytes, fact: str, line: int) -> None:
    lines = written.read_bytes().split(b"\n")
    lines.insert(line - 1, damaged)
    written.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match=f"journal.jsonl line {line} .*{fact}"):
        read_journal(written)
    with pytest.raises(UsageError, match=f"journal.jsonl line {line} "):
        Journal(written)
    assert damaged in written.read_bytes()


def test_a_faulty_iterate_row_is_refused(written: Path, verdict_row: Make, iterate_row: Make) -> None:
    entry = {"kind": "verdict", "verdict": verdict_row(), "iterates": [iterate_row(), iterate_row(n="one")]}
    written.write_text(json.dumps(entry) + "\n")
    with pytest.raises(UsageError, match=r"line 1 .*'n' is 'one', not a whole number"):
        read_journal(written)


def test_a_record_that_is_no_row_is_never_written(written: Path, verdict_row: Make) -> None:
    before = written.read_bytes()
    journal = Journal(written)
    with pytest.raises(ValueError, match="'iterate' is 'x'"):
        journal.append_verdict(verdict_row() | {"iterate": "x"})
    journal.close()
    assert written.read_bytes() == before


def test_numbers_that_are_not_finite_are_journalled_as_missing(tmp_path: Path, verdict_row: Make) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append_verdict(verdict_row(error=float("inf"), bound=float("nan")))
    journal.close()
    [row] = read_journal(journal.path).verdicts
    assert (row["error"], row["bound"]) == (None, None)


def test_a_journal_over_the_cap_is_neither_written_nor_read(
    written: Path, verdict_row: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = written.stat().st_size
    monkeypatch.setattr(journal_module, "JOURNAL_LIMIT_BYTES", size)
    journal = Journal(written)
    with pytest.raises(UsageError, match=f"would grow beyond {size} bytes"):
        journal.append_verdict(verdict_row("c"))
    journal.close()
    assert written.stat().st_size == size
    monkeypatch.setattr(journal_module, "JOURNAL_LIMIT_BYTES", size - 1)
    with pytest.raises(UsageError, match=f"has {size} bytes"):
        read_journal(written)


def test_a_line_is_one_write_and_then_synced(written: Path, verdict_row: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(written)
    happened: list[object] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        happened.append(data)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", lambda descriptor: happened.append("synced"))
    journal.append_verdict(verdict_row("c"))
    journal.close()
    assert happened == [written.read_bytes().splitlines(keepends=True)[-1], "synced"]


def test_a_line_that_the_disk_takes_half_of_is_taken_back(
    written: Path, verdict_row: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.read_bytes()
    journal = Journal(written)
    real = os.write
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:17]))
        with pytest.raises(OSError, match="only 17 of"):
            journal.append_verdict(verdict_row("c"))
    assert written.read_bytes() == before
    journal.append_verdict(verdict_row("d"))
    journal.close()
    assert [row["variant"] for row in read_journal(written).verdicts] == ["a", "b", "d"]


def test_a_line_that_cannot_be_taken_back_closes_the_journal(
    written: Path, verdict_row: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("gone")

    journal = Journal(written)
    with monkeypatch.context() as broken_disk:
        broken_disk.setattr(os, "fsync", fail)
        broken_disk.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="gone"):
            journal.append_verdict(verdict_row("c"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append_verdict(verdict_row("d"))


def test_two_writers_are_refused_and_the_second_may_follow_the_first(written: Path) -> None:
    first = Journal(written)
    with pytest.raises(UsageError, match="being written by another process"):
        Journal(written)
    first.close()
    Journal(written).close()
