"""The report as one HTML page that stands alone: no network, no scripts, light and dark, screen and paper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import charts, cost_charts, costs, figures, history, paper, tables, times
from bench.report.tables import Record
from bench.report.text import printable

if TYPE_CHECKING:
    from bench.runs.history import History


def html_report(
    environment: Mapping[str, Any],
    verdicts: Sequence[Record],
    timings: Sequence[Record],
    iterates: Sequence[Record],
    *,
    unfinished: bool = False,
) -> str:
    """The whole report as one page.

    Args:
        environment: facts about the machine, possibly nested.
        verdicts: rows of the verdicts.
        timings: rows of the timings, those without a time included; may be empty.
        iterates: rows of the iterates, for the picture of a wrong variant beside a right one; may be empty.
        unfinished: whether cells of the run's plan are missing.

    Raises:
        UnavailableError: jinja2, altair or vl-convert is not installed.
    """
    headline = f"{_headline(verdicts)}{times.failures(timings)}"
    failed, untimed, timings = times.failed(timings), times.untimed(timings), times.timed(timings)
    story, sized = charts.story_of(verdicts, iterates), costs.told(timings)
    return _page(
        "page.html.j2",
        headline=headline,
        unfinished=tables.UNFINISHED if unfinished else "",
        tallies=_tallies(verdicts),
        unexpected=tables.unexpected(verdicts),
        verdict_grids=tables.verdict_grids(verdicts),
        known_faults=tables.known_faults(verdicts),
        declined=tables.declined(verdicts),
        story=story,
        story_drawing=charts.story_drawing(story) if story else None,
        story_labels=[tables.label(story.proved), tables.label(story.wrong)] if story else [],
        timing_drawings=charts.timing_drawings(timings),
        legend=[(lane, paper.MARKS[index % len(paper.MARKS)][1]) for index, lane in enumerate(tables.lanes(timings))],
        timing_grids=times.timing_grids(timings),
        ratio_grids=times.ratio_grids(timings),
        limit_grids=times.limit_grids(timings),
        limits_legend=times.LIMITS_LEGEND,
        limit_notes=times.limit_notes(timings),
        cost_drawings=cost_charts.cost_drawings(sized.found),
        cost_listings=sized.listings,
        cost_headings=costs.HEADINGS,
        costs_title=costs.TITLE,
        overtaking_title=costs.OVERTAKING_TITLE,
        unknown_title=costs.UNKNOWN_TITLE,
        costs_legend=costs.LEGEND,
        overtakings=sized.overtakings,
        no_curve=sized.unknown,
        fastest_legend=times.FASTEST_LEGEND if times.marked_fastest(timings) else "",
        doubts=times.doubts(timings),
        doubts_title=times.DOUBTS_TITLE,
        notes=times.notes(timings),
        failed=failed,
        failed_title=times.FAILED_TITLE,
        untimed=untimed,
        environment=tables.flattened(environment),
    )


def history_page(told: "History", advice: str) -> str:
    """The history of cells as one page, with a drawing a cell.

    Args:
        told: the history.
        advice: what the reader must know before acting on it.

    Raises:
        UnavailableError: jinja2, altair or vl-convert is not installed.
    """
    return _page(
        "history.html.j2",
        headline=history.summary(told),
        advice=advice,
        steps=history.step_groups(told),
        lanes=[(lane, [charts.history_drawing(line) for line in lines]) for lane, lines in history.lanes(told).items()],
        left_out=history.left_out_groups(told),
        environment=tables.flattened(told.fingerprint),
    )


def _page(template: str, **values: object) -> str:
    jinja2 = paper.needed("jinja2")
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    # Whatever the template writes passes through `printable` and is then escaped; no expression can forget either.
    templates = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalized, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    page: str = templates.get_template(template).render(light=paper.LIGHT, dark=paper.DARK, **values)
    return page


def _headline(verdicts: Sequence[Record]) -> str:
    """The one thing to know.

    >>> _headline([{"as_expected": True}, {"as_expected": False}])
    '1 of 2 cells is not as expected'
    """
    surprises = sum(not verdict["as_expected"] for verdict in verdicts)
    if not verdicts:
        return "No cells"
    if not surprises:
        return "The one cell is as expected" if len(verdicts) == 1 else f"All {len(verdicts)} cells are as expected"
    return f"{surprises} of {figures.count(len(verdicts), 'cell')} {'is' if surprises == 1 else 'are'} not as expected"


def _tallies(verdicts: Sequence[Record]) -> list[tuple[int, str, str]]:
    """How many cells came to what, with the tone; those not as expected first."""
    counted = Counter(tables.tally(verdict) for verdict in verdicts)
    order = ("bad", "good", "fault", "declined")
    return [(number, *kind) for kind, number in sorted(counted.items(), key=lambda item: order.index(item[0][1]))]


def _finalized(value: object) -> object:
    # Markup is what a macro has already escaped.
    return value if hasattr(value, "__html__") else printable(value)
