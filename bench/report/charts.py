"""The drawings of the HTML page: SVG, one for light and one for dark paper, drawn by altair without a network."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.report import figures, history, tables, times
from bench.report.paper import (
    CHARACTER,
    DARK,
    LIGHT,
    LONGEST_NAME,
    Drawing,
    Paper,
    data_uri,
    finished,
    needed,
    tick_label,
    ticks,
    told_apart,
)
from bench.report.tables import Record
from bench.report.text import printable

if TYPE_CHECKING:
    from bench.runs.history import Line

_ROW = 16
_GAP = 8
_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Story:
    """A proved variant and a wrong one on the same problem, seen iterate by iterate.

    Attributes:
        proved: the verdict of the proved one.
        wrong: the verdict of the wrong one.
        component: the component of the state that is drawn.
        points: the rows of both, in the order of n.
    """

    proved: Record
    wrong: Record
    component: str
    points: tuple[Record, ...]


def timing_drawings(timings: Sequence[Record]) -> list[Drawing]:
    """One drawing a problem: the time of an iteration of each variant, on the same logarithmic axis in all."""
    drawn = [timing for timing in timings if 0 < timing["ns_per_iter"] < math.inf]
    if not drawn:
        return []
    lanes = tables.lanes(drawn)
    least = _step_below(min(float(timing["ns_per_iter"]) for timing in drawn) / 1.2)
    slowest = max(float(timing["ns_per_iter"]) for timing in drawn)
    # An interval that is wider than this leaves the picture.
    ends = (float(timing["ci_high"]) for timing in drawn)
    most = max([1.2 * slowest, *(min(end, 5 * slowest) for end in ends if math.isfinite(end))])
    margin = CHARACTER * min(LONGEST_NAME, max(len(printable(timing["variant"])) for timing in drawn))
    column = _GAP + CHARACTER * max(len(_time_words(timing)) for timing in drawn)
    drawings = []
    for problem in tables.distinct(drawn, "problem"):
        rows = [timing for timing in drawn if timing["problem"] == problem]
        points = [_timing_point(timing, least, most) for timing in rows]
        charts = [_timing_chart(points, lanes, (least, most), (margin, column), paper) for paper in (LIGHT, DARK)]
        light, dark = map(data_uri, charts)
        spoken = "; ".join(f"{row['variant']} {tables.lane(row)} {times.time_words(row)}" for row in rows)
        drawings.append(Drawing(problem, f"Time of one iteration on {problem}: {spoken}", light, dark))
    return drawings


def story_of(verdicts: Sequence[Record], iterates: Sequence[Record]) -> Story | None:
    """The pair of a wrong and a proved variant that is worth a picture; on line-4 where it has one."""
    seen = {tables.key(row) for row in iterates if row["probe"] == "problem" and row["component"] == "w[0,0]"}
    told = [verdict for verdict in verdicts if tables.key(verdict) in seen]
    ranked = sorted(told, key=lambda verdict: (verdict["problem"] != "line-4", verdict["dtype"] != "float64"))
    for wrong in (verdict for verdict in ranked if verdict["status"] == "wrong"):
        beside = [row for row in ranked if row["status"] == "proved" and tables.key(row)[1:] == tables.key(wrong)[1:]]
        if beside:
            proved = next((row for row in beside if row["backend"] == wrong["backend"]), beside[0])
            pair = {tables.key(proved), tables.key(wrong)}
            points = (row for row in iterates if tables.key(row) in pair and row["component"] == "w[0,0]")
            own = sorted((row for row in points if row["probe"] == "problem"), key=lambda row: int(row["n"]))
            return Story(proved, wrong, "w[0,0]", _until_settled(own))
    return None


def story_drawing(story: Story) -> Drawing:
    """The iterates of a proved and of a wrong variant, and the exact ones behind them."""
    title = f"{story.wrong['variant']} beside {story.proved['variant']}, on {story.wrong['problem']}"
    alternative = (
        f"{story.component} after n iterations: {story.proved['variant']} lies on the exact iterates, "
        f"{story.wrong['variant']} does not"
    )
    light, dark = (data_uri(_story_chart(story, paper)) for paper in (LIGHT, DARK))
    return Drawing(title, alternative, light, dark)


def history_drawing(line: "Line") -> Drawing:
    """A cell over its runs: points with intervals, the levels between steps, and the changes."""
    variant, problem, _, _ = line.cell
    changes = (f"{history.change(step.ratio)} at {history.about(line.points[step.first].run)}" for step in line.steps)
    spoken = "; ".join(changes) or "no step"
    seen = f"{figures.count(len(line.points), 'run')}, the latest {history.latest(line)}"
    alternative = f"Time of one iteration of {history.cell(line)} over {seen}: {spoken}"
    light, dark = (data_uri(_history_chart(line, paper)) for paper in (LIGHT, DARK))
    return Drawing(f"{printable(variant)} on {printable(problem)}: {history.latest(line)}", alternative, light, dark)


def _history_chart(line: "Line", paper: Paper) -> Any:
    alt = needed("altair")
    times = [point.ns_per_iter for point in line.points]
    # An interval that is wider than all that happened leaves the picture.
    least, most = min(times) / 1.15, max(times) * 1.25
    points = [
        {"run": run, "ns": point.ns_per_iter, "low": max(point.ci_low, least), "high": min(point.ci_high, most)}
        for run, point in enumerate(line.points)
    ]
    edges = [0, *(step.first for step in line.steps), len(times)]
    levels = [
        {"run": first - 0.4, "end": after - 0.6, "ns": statistics.median(times[first:after])}
        for first, after in pairwise(edges)
    ]
    changes = [{"run": step.first - 0.5, "ns": most, "words": history.change(step.ratio)} for step in line.steps]
    days = {run: f"{point.run.started:%Y-%m-%d}" for run, point in enumerate(line.points)}
    ends = sorted({0, len(times) - 1})
    values, crowded = ticks(least, most)
    logarithmic = len(values) > 2
    across = alt.X(
        "run:Q",
        scale=alt.Scale(domain=[-0.7, len(times) - 0.3], nice=False, zero=False),
        axis=alt.Axis(
            values=ends, grid=False, title=None,
            labelAlign=alt.condition("datum.value > 0", alt.value("right"), alt.value("left")),
            labelExpr=f"datum.value == 0 ? '{days[ends[0]]}' : '{days[ends[-1]]}'",
        ),
    )  # fmt: skip
    upwards = alt.Y(
        "ns:Q",
        scale=alt.Scale(type="log" if logarithmic else "linear", domain=[least, most], nice=False, zero=False),
        axis=alt.Axis(
            title=None, labelExpr=tick_label(crowded=logarithmic and crowded), minExtent=55,
            **({"values": values} if logarithmic else {"tickCount": 4}),
        ),
    )  # fmt: skip
    data = {name: alt.Chart(alt.Data(values=rows)) for name, rows in
            (("points", points), ("levels", levels), ("changes", changes))}  # fmt: skip
    layers = [
        data["levels"].mark_rule(color=paper.fault if line.steps else paper.ink, strokeWidth=2, opacity=0.75).encode(
            x=across, x2="end:Q", y=upwards
        ),
        data["points"].mark_rule(color=paper.lanes[0], strokeWidth=1.5).encode(
            x=across, y=alt.Y("low:Q", title=None), y2="high:Q"
        ),
        data["points"].mark_point(filled=True, size=30, opacity=1, color=paper.lanes[0]).encode(x=across, y=upwards),
    ]  # fmt: skip
    if changes:
        layers += [
            data["changes"].mark_rule(color=paper.fault, strokeDash=[3, 3]).encode(x=across),
            data["changes"].mark_text(align="right", baseline="top", dx=-4, fontSize=12, color=paper.fault).encode(
                x=across, y=upwards, text="words:N"
            ),
        ]  # fmt: skip
    return finished(alt.layer(*layers), paper, 150)


def _timing_point(timing: Record, least: float, most: float) -> dict[str, Any]:
    ends = [float(timing[end]) for end in ("ci_low", "ci_high")]
    low, high = (min(max(end, least), most) if math.isfinite(end) else float(timing["ns_per_iter"]) for end in ends)
    return {
        "variant": printable(timing["variant"]),
        "lane": printable(tables.lane(timing)),
        "ns": float(timing["ns_per_iter"]),
        "low": low,
        "high": high,
        "words": _time_words(timing),
    }


def _time_words(timing: Record) -> str:
    return figures.duration(timing["ns_per_iter"], timing["ci_low"], timing["ci_high"])


def _timing_chart(
    points: list[dict[str, Any]],
    lanes: Sequence[str],
    domain: tuple[float, float],
    columns: tuple[float, float],
    paper: Paper,
) -> Any:
    """Between the columns of the names, on the left, and of the times, on the right: each so many pixels wide."""
    alt = needed("altair")
    margin, column = columns
    names = [printable(lane) for lane in lanes]
    variants = list(dict.fromkeys(point["variant"] for point in points))
    scale, shapes = told_apart(names, paper)
    values, crowded = ticks(*domain)
    across = alt.X(
        "ns:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False, rangeMax=alt.ExprRef(f"width - {column}")),
        axis=alt.Axis(values=values, labelExpr=tick_label(crowded=crowded), title=None, labelSeparation=6),
    )
    down = alt.Scale(domain=variants, paddingInner=0.15)
    rows = {
        "y": alt.Y("variant:N", sort=None, scale=down, axis=alt.Axis(title=None, minExtent=margin, maxExtent=margin)),
        "color": alt.Color("lane:N", scale=alt.Scale(**scale), legend=None),
    }
    if len(names) > 1:
        rows["yOffset"] = alt.YOffset("lane:N", sort=None, scale=alt.Scale(domain=names))
    base = alt.Chart(alt.Data(values=points))
    spread = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", **rows)
    dots = base.mark_point(filled=True, size=42, opacity=1).encode(
        x=across, shape=alt.Shape("lane:N", scale=alt.Scale(**shapes), legend=None), **rows
    )
    # Never beside the point: there they would lie on its interval.
    words = base.mark_text(align="left", fontSize=12).encode(
        x=alt.value(alt.ExprRef(f"width - {column - _GAP}")), text="words:N", **rows
    )
    height = len(variants) * max(22, _ROW * len(names) + 6) + 30
    return finished(spread + dots + words, paper, height)


def _story_chart(story: Story, paper: Paper) -> Any:
    alt = needed("altair")
    kinds = {str(story.proved["variant"]): "proved", str(story.wrong["variant"]): "wrong"}
    points: list[dict[str, Any]] = [
        {
            "n": int(row["n"]),
            "kind": kinds[str(row["variant"])],
            "observed": float(row["observed"]),
            "exact": float(row["exact"]),
        }
        for row in story.points
    ]
    exact = [point["exact"] for point in points]
    # A diverging variant leaves the picture instead of flattening it. Left out, not clipped: the names of clipping
    # paths differ from one drawing to the next.
    margin = (max(exact) - min(exact)) or 1.0
    inside = [point for point in points if min(exact) - margin <= point["observed"] <= max(exact) + margin]
    visible = [point["observed"] for point in inside] + exact
    rim = 0.06 * (max(visible) - min(visible))
    upwards = alt.Scale(domain=[min(visible) - rim, max(visible) + rim], nice=False, zero=False)
    base = alt.Chart(alt.Data(values=points))
    along = alt.X(
        "n:Q", axis=alt.Axis(title="iterations", tickMinStep=1, format="d"), scale=alt.Scale(nice=False, padding=10)
    )
    line = base.mark_line(color=paper.ink, strokeWidth=1.5, opacity=0.6).encode(
        x=along, y=alt.Y("exact:Q", scale=upwards, axis=alt.Axis(title=story.component))
    )
    seen = alt.Chart(alt.Data(values=inside))
    dots = seen.mark_point(size=48, strokeWidth=1.8, opacity=1).encode(
        x=along,
        y=alt.Y("observed:Q", scale=upwards),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=["proved", "wrong"], range=["circle", "cross"]), legend=None),
        color=alt.Color(
            "kind:N", scale=alt.Scale(domain=["proved", "wrong"], range=[paper.good, paper.fault]), legend=None
        ),
    )
    return finished(line + dots, paper, 260, width=460)


def _step_below(value: float) -> float:
    """The largest of 1, 3, 10, 30, ... that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return 3 * power if value >= 3 * power else power


def _until_settled(rows: Sequence[Record]) -> tuple[Record, ...]:
    """The iterates until the exact ones have come within 2 % of where they end; not more than a picture can hold."""
    exact: Mapping[int, float] = {int(row["n"]): float(row["exact"]) for row in rows}
    first, last = min(exact), max(exact)
    close = 0.02 * abs(exact[first] - exact[last])
    settled = next(n for n in exact if abs(exact[n] - exact[last]) <= close)
    shown = [n for n in exact if n <= settled]
    kept = frozenset(shown[:: math.ceil(len(shown) / _MOST_POINTS)])
    return tuple(row for row in rows if int(row["n"]) in kept and math.isfinite(row["observed"]))
