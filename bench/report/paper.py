"""What every drawing of the HTML page has: its colours for light and for dark paper, its axes, and how it is kept."""

import io
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bench.errors import UnavailableError

MARKS = (
    ("circle", "●"),
    ("diamond", "◆"),
    ("square", "■"),
    ("triangle-up", "▲"),
    ("cross", "✚"),
    ("triangle-down", "▼"),
)
"""The shape of each device and dtype in a drawing, and the character that stands for it in the legend."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_WIDTH = 360
# The reader's font is not the one that altair measures; room is left for the wider of the two.
CHARACTER = 7.0
LONGEST_NAME = 24

# Only powers of ten are named where the steps between them would collide.
_TICK_LABEL = """
crowded && abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) > 0.01 ? ''
: datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' s'
: datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' ms'
: datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' µs'
: format(datum.value, '~g') + ' ns'
"""


@dataclass(frozen=True, slots=True)
class Paper:
    """Colours of the drawings.

    Attributes:
        ink: names and numbers.
        faint: axes and the lines behind.
        lanes: one for each device and dtype, in turn.
        good: the proved iterates.
        fault: the wrong ones.
    """

    ink: str
    faint: str
    lanes: tuple[str, ...]
    good: str
    fault: str


LIGHT = Paper(
    "#33322e", "#d9d6cd", ("#1f5f99", "#b3541e", "#2f7a4f", "#7a4a9e", "#946800", "#a8325a"), "#1d6b3c", "#a1340f"
)
DARK = Paper(
    "#d8d5cc", "#45443f", ("#7fb8ee", "#f0a070", "#74c797", "#c3a0e6", "#d9b45a", "#f08fb0"), "#6fcf97", "#ff9d76"
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture in both colours.

    Attributes:
        title: what it shows, as its heading.
        alternative: what it shows, in a sentence for those who do not see it.
        light: data URI for light paper.
        dark: data URI for dark paper.
    """

    title: str
    alternative: str
    light: str
    dark: str


def needed(module: str) -> Any:
    """A module of the extra ``html``.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UnavailableError(
            f"the HTML page needs {module}, which is not installed here ({error}): pip install 'gdbench[html]'"
        ) from error


def finished(chart: Any, paper: Paper, height: int, width: int = _WIDTH) -> Any:
    """A chart of that size, in pixels, in the page's type and colours."""
    alt = needed("altair")
    return (
        chart.properties(
            width=width,
            height=height,
            background="transparent",
            padding=4,
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )
        .configure(font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=paper.ink, titleColor=paper.ink, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
            domainColor=paper.faint, tickColor=paper.faint, gridColor=paper.faint, gridOpacity=0.7,
            labelLimit=CHARACTER * LONGEST_NAME,
        )
    )  # fmt: skip


def data_uri(chart: Any) -> str:
    """A chart as an image that stands in the page itself."""
    needed("vl_convert")
    svg = io.StringIO()
    chart.save(svg, format="svg")
    # Only as an image: in one, nothing that a name might smuggle in can act.
    return f"data:image/svg+xml;base64,{b64encode(svg.getvalue().encode()).decode('ascii')}"


def ticks(least: float, most: float) -> tuple[list[float], bool]:
    """The steps of a logarithmic axis, and whether there are too many to name each."""
    decades = math.log10(most / least)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 3.5 else (1,)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return [tick for tick in ticks if 0.999 * least <= tick <= most], decades > 2


def tick_label(*, crowded: bool) -> str:
    """The expression that names the steps of an axis of times."""
    return _TICK_LABEL.replace("crowded", str(crowded).lower())


def told_apart(names: Sequence[str], paper: Paper) -> tuple[dict[str, Any], dict[str, Any]]:
    """A colour and a shape for each name, in turn: two scales."""
    colours = [paper.lanes[index % len(paper.lanes)] for index in range(len(names))]
    shapes = [MARKS[index % len(MARKS)][0] for index in range(len(names))]
    return {"domain": names, "range": colours}, {"domain": names, "range": shapes}
