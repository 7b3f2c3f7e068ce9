"""The report as GitHub-flavoured Markdown: for job summaries, issues and pull requests."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.report import costs, history, tables, times
from bench.report.cases import ratio_words
from bench.report.tables import Grid, Group, Record
from bench.report.text import markdown

if TYPE_CHECKING:
    from bench.runs.history import History


def markdown_report(
    environment: Mapping[str, Any],
    verdicts: Sequence[Record],
    timings: Sequence[Record],
    comparisons: Sequence[Record] = (),
    *,
    unfinished: bool = False,
) -> str:
    """The whole report; what was not as expected comes before the tables.

    Args:
        environment: facts about the machine, possibly nested.
        verdicts: rows of the verdicts.
        timings: rows of the timings, those without a time included; may be empty.
        comparisons: rows of the comparisons; those that are not as expected come first.
        unfinished: whether cells of the run's plan are missing.
    """
    line = f"{tables.summary(verdicts)}{times.failures(timings)}"
    if comparisons and not verdicts:
        failing = sum(not row["as_expected"] for row in comparisons)
        line = f"{len(comparisons)} compared, {failing} not as expected"
    failed, untimed, timings = times.failed(timings), times.untimed(timings), times.timed(timings)
    sections = ["## gdbench", f"**{markdown(line)}**"]
    if unfinished:
        sections.append(markdown(tables.UNFINISHED))
    sections += _groups("Not as expected", tables.unexpected(verdicts), show_expected=True)
    sections += _groups(times.FAILED_TITLE, failed)
    sections += _comparisons(comparisons)
    sections += _grids("Verdicts", tables.verdict_grids(verdicts))
    sections += _groups("Not done", tables.declined(verdicts))
    sections += _grids("Time per iteration", [*times.timing_grids(timings), *times.ratio_grids(timings)])
    if times.marked_fastest(timings):
        sections.append(markdown(times.FASTEST_LEGEND))
    sections += _groups(times.DOUBTS_TITLE, times.doubts(timings))
    limits = times.limit_grids(timings)
    sections += _grids("Share of the machine's limit", limits)
    if limits:
        sections.append(markdown(times.LIMITS_LEGEND))
    sections += _groups("What binds", times.limit_notes(timings))
    sections += _costs(timings)
    sections += _groups("Noise", times.notes(timings))
    sections += _groups("Proved and not timed", untimed)
    if environment:
        sections += ["### Environment", _table(("", ""), tables.flattened(environment))]
    return "\n\n".join(sections) + "\n"


def history_markdown(told: "History", advice: str) -> str:
    """The history of cells; the steps come before the tables.

    Args:
        told: the history.
        advice: what the reader must know before acting on it.
    """
    sections = ["## gdbench: history", f"**{markdown(history.summary(told))}**", f"*{markdown(advice)}*"]
    sections += _groups("Steps", history.step_groups(told))
    sections += ["### Time per iteration"]
    for lane, lines in history.lanes(told).items():
        sections += [f"**{markdown(lane)}**", _table(history.HEADINGS, [history.row(line).words for line in lines])]
    sections += _groups("Left out", history.left_out_groups(told))
    sections += ["### Environment", _table(("", ""), tables.flattened(told.fingerprint))]
    return "\n\n".join(sections) + "\n"


def _grids(heading: str, grids: Sequence[Grid]) -> list[str]:
    sections = [f"### {heading}"] if grids else []
    for grid in grids:
        rows = []
        for variant in grid.variants:
            cells = [grid.cells.get((variant, problem)) for problem in grid.problems]
            rows.append((variant, *(cell.text if cell else "" for cell in cells)))
        sections += [f"**{markdown(grid.title)}**", _table(("variant", *grid.problems), rows)]
    return sections


def _costs(timings: Sequence[Record]) -> list[str]:
    told = costs.told(timings)
    sections = [f"### {costs.TITLE}"] if told.listings else []
    for listing in told.listings:
        sections += [f"**{markdown(listing.title)}**", _table(costs.HEADINGS, listing.rows)]
    sections += [markdown(costs.LEGEND)] if told.listings else []
    return [
        *sections,
        *_groups(costs.OVERTAKING_TITLE, told.overtakings),
        *_groups(costs.UNKNOWN_TITLE, told.unknown),
    ]


def _comparisons(comparisons: Sequence[Record]) -> list[str]:
    if not comparisons:
        return []
    rows = [
        (
            str(row.get("variant") or row["head"]),
            f"{row['problem']} ({tables.lane(row)})",
            str(row["base"]),
            str(row["verdict"]) + ("" if row.get("as_expected", True) else " (not as expected)"),
            ratio_words(row),
            str(row.get("reason") or ""),
        )
        for row in sorted(comparisons, key=lambda row: bool(row.get("as_expected", True)))
    ]
    return ["### Speed", _table(("variant", "problem", "against", "verdict", "time", "why"), rows)]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    written = [[cell if line is lines[1] else markdown(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)


def _groups(heading: str, groups: Sequence[Group], *, show_expected: bool = False) -> list[str]:
    if not groups:
        return []
    items = []
    for group in groups:
        label = f"**{markdown(group.label)}** " if group.label else ""
        expectation = f" (expected: {markdown(group.expected)})" if show_expected else ""
        reason = f": {markdown(group.reason)}" if group.reason else ""
        items.append(f"- {label}{markdown('; '.join(group.where))}{expectation}{reason}")
    return [f"### {heading}", "\n".join(items)]
