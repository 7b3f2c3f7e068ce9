"""What every face shows, before one of them draws it: grids of cells, groups of reasons, the summary."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.proof.verdict import Status
from bench.report import figures

Record = Mapping[str, Any]
"""One row of the verdicts, timings or iterates."""

Key = tuple[str, str, str, str]
"""Variant, problem, device, dtype."""

UNFINISHED = "This run is not finished: cells of its plan are missing here."

Tone = Literal["good", "fault", "bad", "declined", "fastest", "plain"]
"""How a cell is coloured; its words say the same."""

_SYMBOLS = {"proved": "✓", "unsupported": "–", "unavailable": "–", "void": "?", "judge-error": "!"}
_FAULT_SYMBOL = "✗"
# What nobody remarks on when it is expected; of every other status the label says that it was.
_QUIET = frozenset({"proved", "unsupported", "unavailable", "void"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One cell of a grid.

    Attributes:
        words: pieces that a narrow face may put on lines of their own.
        tone: how it is coloured.
        detail: what stands behind it, for a face that can show it on demand.
    """

    words: tuple[str, ...]
    tone: Tone
    detail: str = ""

    @property
    def text(self) -> str:
        """The words on one line."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Grid:
    """Variants by problems.

    Attributes:
        title: the devices and dtypes that it holds for.
        variants: the rows, in the order of the records.
        problems: the columns, in the order of the records.
        cells: by variant and problem; a pair may be missing.
    """

    title: str
    variants: tuple[str, ...]
    problems: tuple[str, ...]
    cells: Mapping[tuple[str, str], Shown]


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of which the same is to be said.

    Attributes:
        label: what became of them.
        reason: why, in a sentence; may be empty.
        expected: what was expected of them, where they are not that.
        where: the cells, one line for each set of variants.
    """

    label: str
    reason: str
    expected: str
    where: tuple[str, ...]


def label_words(verdict: Record) -> tuple[str, ...]:
    """What became of a cell, in words that can stand on lines of their own.

    >>> verdict = {"status": "wrong", "cause": "scale.sum", "factor": 4.0, "as_expected": True}
    >>> label_words(verdict)
    ('✗ scale.sum', '4.00x', '(expected)')
    >>> label_words({"status": "proved", "as_expected": True})
    ('✓ proved',)
    """
    status, cause = str(verdict["status"]), verdict.get("cause")
    symbol = _SYMBOLS.get(status, _FAULT_SYMBOL)
    if figures.is_absent(cause):
        words = [f"{symbol} {status}"]
    elif cause == "unknown":
        words = [f"{symbol} {status},", "cause unknown"]
    else:
        words = [f"{symbol} {cause}", figures.factor(verdict.get("factor"), str(cause))]
        words += [f"or {other}" for other in _alternatives(verdict)]
    if bool(verdict["as_expected"]) != (status in _QUIET):
        words.append("(expected)" if verdict["as_expected"] else "(not expected)")
    return tuple(word for word in words if word)


def label(verdict: Record) -> str:
    """What became of a cell, on one line.

    >>> label({"status": "wrong", "cause": "unknown", "as_expected": False})
    '✗ wrong, cause unknown'
    >>> label({"status": "proved", "as_expected": False})
    '✓ proved (not expected)'
    """
    return " ".join(label_words(verdict))


def summary(verdicts: Sequence[Record]) -> str:
    """How many cells came out how, in one line.

    >>> proved = {"status": "proved", "as_expected": True}
    >>> summary([proved, proved, {"status": "wrong", "as_expected": True}, {"status": "crashed", "as_expected": False}])
    '2 proved, 1 wrong as expected; 1 not as expected (1 crashed)'
    """
    if not verdicts:
        return "no cells"
    expected = Counter(str(verdict["status"]) for verdict in verdicts if verdict["as_expected"])
    unexpected = Counter(str(verdict["status"]) for verdict in verdicts if not verdict["as_expected"])
    parts = [f"{expected[name]} {name}{'' if name in _QUIET else ' as expected'}" for name in _ordered(expected)]
    line = f"{', '.join(parts) or 'none as expected'}; {unexpected.total()} not as expected"
    return (
        f"{line} ({', '.join(f'{unexpected[name]} {name}' for name in _ordered(unexpected))})" if unexpected else line
    )


def tally(verdict: Record) -> tuple[str, Tone]:
    """The words under which a cell is counted, and their tone.

    >>> tally({"status": "wrong", "as_expected": True}), tally({"status": "proved", "as_expected": True})
    (('✗ wrong as expected', 'fault'), ('✓ proved', 'good'))
    """
    status = str(verdict["status"])
    words = f"{_SYMBOLS.get(status, _FAULT_SYMBOL)} {status}"
    if not verdict["as_expected"]:
        words = f"{words}, not as expected"
    elif status not in _QUIET:
        words = f"{words} as expected"
    return words, _tone(verdict)


def verdict_grids(verdicts: Sequence[Record]) -> list[Grid]:
    """One grid for each device and dtype; those that say the same are one grid with both in its title."""
    by_lane: dict[str, dict[tuple[str, str], Shown]] = defaultdict(dict)
    for verdict in verdicts:
        by_lane[lane(verdict)][place(verdict)] = Shown(label_words(verdict), _tone(verdict), str(verdict["evidence"]))
    alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for title, cells in by_lane.items():
        alike[tuple((place, shown.words, shown.tone) for place, shown in sorted(cells.items()))].append(title)
    return [grid_of(verdicts, " · ".join(titles), by_lane[titles[0]]) for titles in alike.values()]


def devices(records: Sequence[Record]) -> tuple[str, ...]:
    """The devices that occur, the CPU first."""
    return tuple(sorted(distinct(records, "device"), key=lambda device: device != "cpu"))


def key(record: Record) -> Key:
    """The four names that identify a cell."""
    return str(record["variant"]), str(record["problem"]), str(record["device"]), str(record["dtype"])


def distinct(records: Sequence[Record], field: str) -> tuple[str, ...]:
    """The values of a field, in the order of the records."""
    return tuple(dict.fromkeys(str(record[field]) for record in records))


def lane(record: Record) -> str:
    """The device and the dtype of a cell."""
    return f"{record['device']} {record['dtype']}"


def lanes(records: Sequence[Record]) -> tuple[str, ...]:
    """The pairs of device and dtype that occur, in the order of the records."""
    return tuple(dict.fromkeys(map(lane, records)))


def unexpected(verdicts: Sequence[Record]) -> list[Group]:
    """The cells that did not come as expected, with their evidence."""
    return _groups((verdict for verdict in verdicts if not verdict["as_expected"]), by_expected=True)


def known_faults(verdicts: Sequence[Record]) -> list[Group]:
    """The cells that are wrong and were expected to be, with their evidence."""
    return _groups(verdict for verdict in verdicts if verdict["as_expected"] and verdict["status"] not in _QUIET)


def declined(verdicts: Sequence[Record]) -> list[Group]:
    """The cells of which nothing is known, as expected; the same reason once."""
    quiet = _QUIET - {"proved"}
    return _groups(verdict for verdict in verdicts if verdict["as_expected"] and verdict["status"] in quiet)


def flattened(environment: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """The environment as names and values, inner names after their outer ones.

    >>> flattened({"python": "3.12", "cpu": {"name": "x", "cores": 2}, "devices": ["cpu", "cuda"]})
    [('python', '3.12'), ('cpu name', 'x'), ('cpu cores', '2'), ('devices', 'cpu, cuda')]
    """
    rows: list[tuple[str, str]] = []
    for name, value in environment.items():
        words = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += flattened(value, f"{words} ")
        elif isinstance(value, list | tuple):
            rows.append((words, ", ".join(map(str, value))))
        else:
            rows.append((words, figures.ABSENT if figures.is_absent(value) else str(value)))
    return rows


def worded(said: Iterable[tuple[Record, object]]) -> list[Group]:
    """Groups of the records of which the same is said; nothing of those with empty words."""
    rows: dict[str, list[Record]] = defaultdict(list)
    for record, words in said:
        if words and not figures.is_absent(words):
            rows[str(words)].append(record)
    return [Group("", words, "", _where(alike)) for words, alike in rows.items()]


def _groups(verdicts: Iterable[Record], *, by_expected: bool = False) -> list[Group]:
    rows: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for verdict in verdicts:
        expected = str(verdict["expected"]) if by_expected else ""
        rows[label(verdict), str(verdict["evidence"]), expected].append(verdict)
    return [Group(words, reason, expected, _where(alike)) for (words, reason, expected), alike in rows.items()]


def _where(records: Sequence[Record]) -> tuple[str, ...]:
    """Cells in few words: variants that share their problems, devices and dtypes share a line."""
    placed: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        placed[str(record["variant"])][str(record["problem"])].append(lane(record))
    alike: dict[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], list[str]] = defaultdict(list)
    for variant, problems in placed.items():
        by_lane: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for problem, its_lanes in problems.items():
            by_lane[tuple(its_lanes)].append(problem)
        alike[tuple((tuple(names), its_lanes) for its_lanes, names in by_lane.items())].append(variant)
    return tuple(
        f"{', '.join(variants)} on {', '.join(problems)} ({', '.join(its_lanes)})"
        for placements, variants in alike.items()
        for problems, its_lanes in placements
    )


def grid_of(records: Sequence[Record], title: str, cells: Mapping[tuple[str, str], Shown]) -> Grid:
    """Rows and columns in the order of all records, those alone that have a cell."""
    variants, problems = {variant for variant, _ in cells}, {problem for _, problem in cells}
    return Grid(
        title,
        tuple(name for name in distinct(records, "variant") if name in variants),
        tuple(name for name in distinct(records, "problem") if name in problems),
        cells,
    )


def _tone(verdict: Record) -> Tone:
    if not verdict["as_expected"]:
        return "bad"
    if verdict["status"] == "proved":
        return "good"
    return "declined" if verdict["status"] in _QUIET else "fault"


def _ordered(statuses: Iterable[str]) -> list[str]:
    order = {str(status): rank for rank, status in enumerate(Status)}
    return sorted(statuses, key=lambda status: order.get(status, len(order)))


def _alternatives(verdict: Record) -> list[str]:
    # Not `or ()`: a frame read from parquet holds arrays, which have no truth value.
    found = verdict.get("alternatives")
    return [] if found is None or figures.is_absent(found) else [str(cause) for cause in found]


def place(record: Record) -> tuple[str, str]:
    """Its row and its column in a grid."""
    return str(record["variant"]), str(record["problem"])
