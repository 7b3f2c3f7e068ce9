"""The report as GitHub-flavoured Markdown: for job summaries, issues and pull requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import tables
from bench.report.tables import Grid, Group, Record
from bench.report.text import markdown


def markdown_report(environment: Mapping[str, Any], verdicts: Sequence[Record], timings: Sequence[Record]) -> str:
    """The whole report; what was not as expected comes before the tables.

    Args:
        environment: facts about the machine, possibly nested.
        verdicts: rows of the verdicts.
        timings: rows of the timings, those without a time included; may be empty.
    """
    untimed, timings = tables.untimed(timings), tables.timed(timings)
    sections = ["## gdbench", f"**{markdown(tables.summary(verdicts))}**"]
    sections += _groups("Not as expected", tables.unexpected(verdicts), show_expected=True)
    sections += _grids("Verdicts", tables.verdict_grids(verdicts))
    sections += _groups("Not done", tables.declined(verdicts))
    sections += _grids("Time per iteration", [*tables.timing_grids(timings), *tables.ratio_grids(timings)])
    if tables.marked_fastest(timings):
        sections.append(markdown(tables.FASTEST_LEGEND))
    limits = tables.limit_grids(timings)
    sections += _grids("Share of the machine's limit", limits)
    if limits:
        sections.append(markdown(tables.LIMITS_LEGEND))
    sections += _groups("What binds", tables.limit_notes(timings))
    sections += _groups("Noise", tables.notes(timings))
    sections += _groups("Proved and not timed", untimed)
    if environment:
        sections += ["### Environment", _table(("", ""), tables.flattened(environment))]
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
