"""The picture of `gdbench explain`: a variant's iterates beside the exact ones, and the learning rate of its steps.

One parameter is drawn over the iterations, two on the lines of equal loss, more as their distance from the optimum.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.proof.story import Story, Watched
from bench.proof.verdict import Status
from bench.report.paper import needed
from bench.report.plane import WIDEST_DETOUR, WIDTH, View, apart, contours, path_rows, view_of
from bench.report.text import printable

KINDS = (".svg", ".png")
PIXELS_A_UNIT = 2
"""Of a PNG."""

# Okabe and Ito's colours, which the colour-blind tell apart too; shapes and dashes say the same again.
EXACT, WRONG, PROVED = "#0072B2", "#D55E00", "#33322e"
INK, FAINT, CONTOUR = "#33322e", "#dddad2", "#a9a69d"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
RIGHT = "gradient descent, exactly"
HEIGHT, LOW_HEIGHT = 340, 120
MOST_MARKS = 50
OUTLYING = 3.0
"""Learning rates beyond so many times their third quartile are left out."""

NUMBERS_APART, MARKS_APART = 0.07, 0.012
"""Of the picture's width: how far from one another numbered points must be, and the marks of one descent."""


def require_kind(path: Path) -> None:
    """Refuse a file that no picture can be written to, before anything is computed for it.

    Raises:
        UsageError: the name ends in neither ``.svg`` nor ``.png``, or there is no such folder.
    """
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"--picture is {str(path)!r}. A picture is an SVG or a PNG: name it FILE.svg or FILE.png.")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: name a file in a folder that is there.")


def write_picture(story: Story, path: Path) -> bool:
    """Draw a story.

    Args:
        story: with what was watched of the variant.
        path: an SVG or a PNG.

    Returns:
        Whether there was anything to draw: a variant that does not answer leaves nothing.

    Raises:
        UnavailableError: altair or vl-convert is not installed.
        UsageError: the file cannot be written.
    """
    if story.watched is None or not story.watched.path:
        return False
    drawing = _drawing(story, story.watched)
    vl_convert = needed("vl_convert")
    try:
        if path.suffix.lower() == ".png":
            path.write_bytes(vl_convert.vegalite_to_png(drawing, scale=PIXELS_A_UNIT))
        else:
            path.write_text(_renumbered(vl_convert.vegalite_to_svg(drawing)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
    return True


def _renumbered(svg: str) -> str:
    """The same drawing with its clipping paths counted from zero: their numbers differ from one call to the next."""
    names: dict[str, str] = {}
    return re.sub(r"\bclip\d+\b", lambda match: names.setdefault(match[0], f"clip{len(names)}"), svg)


class _Pen:
    """How the two descents are named and marked in all panels, and the rows that these are drawn from."""

    def __init__(self, story: Story) -> None:
        verdict = story.verdict
        self.alt = needed("altair")
        self.rows: dict[str, Sequence[Mapping[str, Any]]] = {}
        self.variant = f"{printable(verdict.variant, 60)}, as it runs"
        self.colour = PROVED if verdict.finding.status is Status.PROVED else WRONG

    def on(self, rows: Iterable[Mapping[str, Any]]) -> Any:
        """A chart of these rows, by a name: altair copies many times over what is given to it as it is."""
        name = f"rows-{len(self.rows)}"
        self.rows[name] = list(rows)
        return self.alt.Chart(self.alt.NamedData(name=name))

    def encodings(self) -> dict[str, Any]:
        """The colour and the shape of each descent, with a legend."""
        alt = self.alt
        names = [RIGHT, self.variant]
        legend = alt.Legend(
            title=None, orient="top", direction="horizontal", labelLimit=0, columnPadding=24,
            symbolFillColor="white",
        )  # fmt: skip
        scale = alt.Scale(domain=names, range=[EXACT, self.colour])
        shapes = alt.Scale(domain=names, range=["circle", "diamond"])
        return {
            "color": alt.Color("descent:N", scale=scale, legend=legend),
            "shape": alt.Shape("descent:N", scale=shapes, legend=legend),
        }

    def lines(self, base: Any, **encodings: Any) -> list[Any]:
        """One line through the rows of each descent."""
        dashes = {RIGHT: [1, 0], self.variant: [5, 3]}
        return [
            one.mark_line(color=colour, strokeDash=dashes[name], strokeWidth=1.6, opacity=0.75).encode(**encodings)
            for name, colour, one in self._each(base)
        ]

    def numbers(self, base: Any, **encodings: Any) -> list[Any]:
        """The words beside the rows of each descent, in its colour."""
        return [
            one.mark_text(color=colour, align="left", baseline="bottom", dx=6, dy=-4, fontSize=12).encode(**encodings)
            for _, colour, one in self._each(base)
        ]

    def _each(self, base: Any) -> Iterable[tuple[str, str, Any]]:
        # Not by an encoding: the legend would then show the dashes and the filling of all layers at once.
        for name, colour in ((RIGHT, EXACT), (self.variant, self.colour)):
            yield name, colour, base.transform_filter({"field": "descent", "equal": name})


def _drawing(story: Story, seen: Watched) -> dict[str, Any]:
    """The picture in the language of Vega-Lite."""
    pen = _Pen(story)
    alt = pen.alt
    n_components = seen.path[0].exact.size
    in_a_plane = n_components == 2 and seen.optimum.ndim == 2
    if n_components == 1:
        upper = _weight_over_iterations(pen, seen)
    elif in_a_plane:
        upper = _on_contours(pen, seen)
    else:
        upper = _distance_over_iterations(pen, seen)
    panels = [upper] if not seen.effective else [upper, _learning_rates(pen, seen)]
    chart = (
        alt.vconcat(*panels, spacing=14, title=_title(alt, story, in_a_plane=in_a_plane))
        .properties(background="white", padding=14)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_legend(labelFontSize=13, labelColor=INK, symbolSize=90, symbolStrokeWidth=2, offset=6)
        .configure_axis(
            labelColor=INK, titleColor=INK, labelFontSize=12, titleFontSize=13, titleFontWeight="normal",
            domainColor=FAINT, tickColor=FAINT, gridColor=FAINT, gridOpacity=0.6,
        )
    )  # fmt: skip
    specification: dict[str, Any] = chart.to_dict(validate=False)
    return specification | {"datasets": pen.rows}


def _title(alt: Any, story: Story, *, in_a_plane: bool) -> Any:
    verdict, finding = story.verdict, story.verdict.finding
    name, problem = printable(verdict.variant, 60), printable(verdict.problem, 60)
    outcome = f"{finding.status}: {finding.cause}" if finding.cause else str(finding.status)
    lines = [f"on {problem} ({verdict.device}, {verdict.dtype})"]
    if story.cause is not None:
        lines.append(story.cause.title)
    seen = story.watched
    if seen is not None and seen.gain is not None:
        lines.append(f"its learning rate is in effect {seen.gain * seen.lr:.4g}, not {seen.lr:.4g}")
    if in_a_plane:
        lines.append("grey: lines of equal loss, each four times as far above the least as the one inside")
    return alt.TitleParams(
        f"{name} is {outcome}", subtitle=lines, anchor="start", fontSize=17, fontWeight=600, color=INK,
        subtitleFontSize=13, subtitleColor=INK, subtitlePadding=5, subtitleLineHeight=18, offset=10,
    )  # fmt: skip


def _rows(pen: _Pen, seen: Watched, number: Any) -> list[dict[str, Any]]:
    both = [(RIGHT, "exact"), (pen.variant, "observed")]
    return [
        {"n": iterate.n_iters, "descent": name, "value": float(number(getattr(iterate, which)))}
        for name, which in both
        for iterate in seen.path
    ]


def _weights(pen: _Pen, seen: Watched) -> list[dict[str, Any]]:
    """The one parameter of both descents; a variant that leaves the exact one's surroundings is followed no further."""
    rows = _rows(pen, seen, lambda state: state.flat[0])
    exact = [row["value"] for row in rows if row["descent"] == RIGHT]
    low, high = min(exact), max(exact)
    reach = WIDEST_DETOUR * ((high - low) or 1.0)
    return [row for row in rows if low - reach <= row["value"] <= high + reach]


def _distances(pen: _Pen, seen: Watched) -> list[dict[str, Any]]:
    rows = _rows(pen, seen, lambda state: np.linalg.norm(state - seen.optimum))
    return [row for row in rows if 0 < row["value"] < math.inf]


def _weight_over_iterations(pen: _Pen, seen: Watched) -> Any:
    alt = pen.alt
    upwards = alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="weight", format="~g"))
    optimum = float(seen.optimum.flat[0])
    rule = _rule(pen, optimum, INK, f"the optimum, {optimum:.4g}", dash=(2, 3))
    return alt.layer(rule, *_over_iterations(pen, seen, _weights(pen, seen), upwards)).properties(
        width=WIDTH, height=HEIGHT
    )


def _distance_over_iterations(pen: _Pen, seen: Watched) -> Any:
    alt = pen.alt
    axis = alt.Axis(title="distance from the optimum", format=".0e", tickCount=6)
    upwards = alt.Y("value:Q", scale=alt.Scale(type="log"), axis=axis)
    return alt.layer(*_over_iterations(pen, seen, _distances(pen, seen), upwards)).properties(
        width=WIDTH, height=HEIGHT
    )


def _over_iterations(pen: _Pen, seen: Watched, rows: list[dict[str, Any]], upwards: Any) -> list[Any]:
    along = _iterations(pen.alt, seen, labels=not seen.effective)
    encodings = pen.encodings()
    lines = pen.lines(pen.on(rows), x=along, y=upwards)
    step = math.ceil(len(seen.path) / MOST_MARKS)
    marked = pen.on([row for row in rows if row["n"] % step == 0])
    dots = marked.mark_point(size=52, strokeWidth=1.8, opacity=1, fill="white").encode(x=along, y=upwards, **encodings)
    return [*lines, dots]


def _iterations(alt: Any, seen: Watched, *, labels: bool) -> Any:
    axis = alt.Axis(title="iterations" if labels else None, tickMinStep=1, format="d")
    return alt.X("n:Q", axis=axis, scale=alt.Scale(domain=[0, seen.path[-1].n_iters], nice=False, padding=8))


def _learning_rates(pen: _Pen, seen: Watched) -> Any:
    alt = pen.alt
    sizes = np.abs(seen.effective)
    # A gradient that is nearly zero by chance gives a rate that means nothing and would flatten all others.
    reach = OUTLYING * max(seen.lr, float(np.quantile(sizes, 0.75)))
    shown = [(n, rate) for n, rate in enumerate(seen.effective) if abs(rate) <= reach]
    rows = [{"n": n, "rate": rate, "descent": pen.variant} for n, rate in shown]
    largest = max(seen.lr, *(abs(rate) for _, rate in shown))
    limit = seen.limit if seen.limit <= 4 * largest else None
    top = 1.18 * max(largest, limit or 0.0)
    bottom = min(0.0, 1.18 * min(rate for _, rate in shown))
    upwards = alt.Y(
        "rate:Q",
        scale=alt.Scale(domain=[bottom, top], nice=False),
        axis=alt.Axis(title="learning rate of the step", titleFontSize=12, tickCount=4, format="~g"),
    )
    along = _iterations(pen.alt, seen, labels=True)
    step = math.ceil(len(rows) / MOST_MARKS)
    base = pen.on(rows[::step])
    dots = base.mark_point(size=34, strokeWidth=1.6, opacity=1, fill="white").encode(
        x=along, y=upwards, **pen.encodings()
    )
    layers = [_rule(pen, seen.lr, EXACT, f"asked for: {seen.lr:.4g}", right=limit is None)]
    if limit is not None:
        layers.append(_rule(pen, limit, INK, f"stable below {limit:.4g}", dash=(2, 3)))
    return alt.layer(*layers, dots).properties(width=WIDTH, height=LOW_HEIGHT)


def _rule(
    pen: _Pen, value: float, colour: str, words: str, *, dash: tuple[int, int] = (1, 0), right: bool = True
) -> Any:
    alt = pen.alt
    base = pen.on([{"value": value, "words": words}]).encode(y=alt.Y("value:Q"))
    line = base.mark_rule(color=colour, strokeWidth=1.2, strokeDash=list(dash), opacity=0.8)
    text = base.mark_text(
        align="right" if right else "center", baseline="bottom", dx=-4, dy=-2, fontSize=12, color=colour
    ).encode(x=alt.value(WIDTH if right else WIDTH / 2), text="words:N")
    return line + text


def _on_contours(pen: _Pen, seen: Watched) -> Any:
    alt = pen.alt
    exact = [tuple(map(float, iterate.exact.flat)) for iterate in seen.path]
    view = view_of(exact, seen)
    axes = {
        "x": alt.X("x:Q", scale=alt.Scale(domain=list(view.x), nice=False), axis=_axis(alt, _component(seen, 0))),
        "y": alt.Y("y:Q", scale=alt.Scale(domain=list(view.y), nice=False), axis=_axis(alt, _component(seen, 1))),
    }
    equal_loss = (
        pen.on(contours(seen, view))
        .mark_line(color=CONTOUR, strokeWidth=1, opacity=0.8, clip=True)
        .encode(**axes, detail="level:N", order="k:Q")
    )
    rows = list(path_rows(RIGHT, exact, view))
    rows += path_rows(pen.variant, [tuple(map(float, one.observed.flat)) for one in seen.path], view)
    lines = pen.lines(pen.on(rows), **axes, order="n:Q")
    marked = [row for name in (RIGHT, pen.variant) for row in apart(rows, view, MARKS_APART, name)]
    dots = pen.on(marked).mark_point(size=52, strokeWidth=1.8, opacity=1, fill="white")
    dots = dots.encode(**axes, **pen.encodings())
    numbers = pen.numbers(pen.on(_numbered(marked, view)), **axes, text="words:N")
    at_x, at_y = map(float, seen.optimum.flat)
    optimum = [{"x": at_x, "y": at_y, "words": "optimum"}]
    star = pen.on(optimum).encode(**axes)
    cross = star.mark_point(shape="cross", size=80, filled=True, color=INK, opacity=1)
    leftwards = at_x > 0.8 * view.x[1] + 0.2 * view.x[0]
    name = star.mark_text(
        align="right" if leftwards else "left", baseline="top", dx=-9 if leftwards else 9, dy=3, fontSize=12, color=INK
    ).encode(text="words:N")
    return alt.layer(equal_loss, *lines, dots, *numbers, cross, name).properties(width=WIDTH, height=view.height)


def _axis(alt: Any, title: str) -> Any:
    return alt.Axis(title=title, grid=False, format="~g", tickCount=6)


def _component(seen: Watched, place: int) -> str:
    """What a coordinate is: states are weights above bias."""
    if seen.optimum.shape[0] == 2 and seen.has_bias:
        return ("weight", "bias")[place]
    return ("first weight", "second weight")[place]


def _numbered(rows: Sequence[dict[str, Any]], view: View) -> Iterable[dict[str, Any]]:
    """Those points that have room for the number of their iterate, the earliest first."""
    for row in apart(sorted(rows, key=lambda row: (row["n"], row["descent"] == RIGHT)), view, NUMBERS_APART):
        yield row | {"words": "start" if row["n"] == 0 else str(row["n"])}
