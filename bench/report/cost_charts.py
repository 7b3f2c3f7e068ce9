"""The drawings of cost against size: the times with their intervals, and the curves through them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report import figures
from bench.report.paper import DARK, LIGHT, Drawing, Paper, data_uri, finished, needed, tick_label, ticks, told_apart
from bench.report.text import printable
from bench.runs.costs import Cost
from bench.timing.growth import Growth

_CURVE_POINTS = 60
_ROOM = 1.3
_LEGEND_ROW = 18
# The reader's font may be wider than the one that altair measures.
_LEGEND_GAP = 40


def cost_drawings(found: Sequence[Cost]) -> list[Drawing]:
    """One drawing for the problems that differ in one extent, and a dtype: every variant on every device."""
    together: dict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    for cost in found:
        together[cost.series.problem, cost.series.dtype, cost.series.symbol].append(cost)
    return [
        _drawing(f"{problem} ({dtype}), by {symbol}", alike) for (problem, dtype, symbol), alike in together.items()
    ]


def _drawing(title: str, found: Sequence[Cost]) -> Drawing:
    one_device = len({cost.series.device for cost in found}) == 1
    named = {_name(cost, one_device=one_device): cost for cost in found}
    light, dark = (data_uri(_chart(named, paper)) for paper in (LIGHT, DARK))
    spoken = "; ".join(f"{name} {_spoken(cost)}" for name, cost in named.items())
    return Drawing(printable(title), f"Time of one iteration of {printable(title)}: {spoken}", light, dark)


def _name(cost: Cost, *, one_device: bool) -> str:
    one = cost.series
    return printable(one.variant if one_device else f"{one.variant}, {one.device}")


def _spoken(cost: Cost) -> str:
    ends = [list(cost.series.points.items())[end] for end in (0, -1)]
    return " to ".join(f"{figures.duration(point.ns)} at {cost.series.symbol} = {size:,}" for size, point in ends)


def _chart(named: dict[str, Cost], paper: Paper) -> Any:
    alt = needed("altair")
    series = {name: cost.series.points for name, cost in named.items()}
    sizes = [size for each in series.values() for size in each]
    times = [point.ns for each in series.values() for point in each.values()]
    across, upwards = ((min(each) / _ROOM, max(each) * _ROOM) for each in (sizes, times))
    # An interval that is wider than the picture leaves it.
    points = [
        {"name": name, "size": size, "ns": point.ns, "low": max(point.low_ns, upwards[0]),
         "high": min(point.high_ns, upwards[1])}
        for name, each in series.items() for size, point in each.items()
    ]  # fmt: skip
    curves = [{"name": name, "size": size, "ns": ns} for name, cost in named.items() for size, ns in _curve(cost)]
    steps, _ = ticks(*across)
    levels, crowded = ticks(*upwards)
    [symbol] = {cost.series.symbol for cost in named.values()}
    names = list(named)
    colours, shapes = told_apart(names, paper)
    legend = alt.Legend(
        orient="bottom", title=None, columns=2, columnPadding=_LEGEND_GAP, labelColor=paper.ink, labelFontSize=12,
        labelLimit=160, symbolOpacity=1,
    )  # fmt: skip
    x = alt.X(
        "size:Q", scale=alt.Scale(type="log", domain=list(across), nice=False),
        axis=alt.Axis(values=steps, title=symbol, labelExpr="format(datum.value, '~s')"),
    )  # fmt: skip
    y = alt.Y(
        "ns:Q", scale=alt.Scale(type="log", domain=list(upwards), nice=False),
        axis=alt.Axis(values=levels, labelExpr=tick_label(crowded=crowded), title=None),
    )  # fmt: skip
    colour = alt.Color("name:N", scale=alt.Scale(**colours), legend=legend)
    seen = alt.Chart(alt.Data(values=points))
    layers = [
        alt.Chart(alt.Data(values=curves)).mark_line(strokeWidth=1.5, opacity=0.6).encode(x=x, y=y, color=colour),
        seen.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q", color=colour),
        seen.mark_point(filled=True, size=42, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("name:N", scale=alt.Scale(**shapes), legend=legend)
        ),
    ]
    return finished(alt.layer(*layers), paper, 260 + _LEGEND_ROW * -(-len(names) // 2))


def _curve(cost: Cost) -> list[tuple[float, float]]:
    if not isinstance(cost.found, Growth):
        return []
    first, *_, last = cost.series.points
    found = cost.found
    sizes = np.geomspace(first, last, _CURVE_POINTS)
    return [(float(size), found.fixed_ns + found.factor_ns * float(size) ** found.power) for size in sizes]
