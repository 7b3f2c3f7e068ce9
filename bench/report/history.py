"""The history of cells in words, before one of the faces shows it."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report import figures
from bench.report.tables import Group

if TYPE_CHECKING:
    from bench.runs.history import History, Line, PastRun
    from bench.timing.steps import Step

HEADINGS = ("variant", "problem", "runs", "latest", "last step", "history")

BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 20
# Less than this from top to bottom would show noise as if it were news.
_LEAST_SPAN = math.log(1.5)
_COMMIT_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """A cell of a table: its words, in the order of `HEADINGS`, and whether its level changed."""

    words: tuple[str, ...]
    stepped: bool


def summary(history: "History") -> str:
    """What was looked at and what was found, in one line."""
    stepped = sum(bool(line.steps) for line in history.lines)
    found = "no step" if not stepped else f"{figures.count(stepped, 'cell')} with a step"
    return f"{figures.count(len(history.lines), 'cell')} over {figures.count(len(history.runs), 'run')}: {found}"


def lanes(history: "History") -> Mapping[str, list["Line"]]:
    """The lines of each device and dtype."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in history.lines:
        found[f"{line.cell[2]} {line.cell[3]}"].append(line)
    return found


def row(line: "Line") -> Row:
    """What a table says of a cell."""
    variant, problem, _, _ = line.cell
    last = line.steps[-1] if line.steps else None
    changed = f"{change(last.ratio)}, {_date(line.points[last.first].run)}" if last else figures.ABSENT
    bars = sparkline([point.ns_per_iter for point in line.points])
    return Row((variant, problem, str(len(line.points)), latest(line), changed, bars), last is not None)


def latest(line: "Line") -> str:
    """The time of the latest run, and how far the farther end of its interval is."""
    point = line.points[-1]
    return figures.duration_with_margin(point.ns_per_iter, point.ci_low, point.ci_high)


def step_groups(history: "History") -> list[Group]:
    """The cells whose level changed, by the first run of the new level; the latest first."""
    found: dict[PastRun, list[str]] = defaultdict(list)
    for line in history.lines:
        for step in line.steps:
            found[line.points[step.first].run].append(f"{cell(line)}: {change_with_interval(step)}")
    latest_first = sorted(found, key=lambda run: (run.started, run.run), reverse=True)
    return [Group(about(run), "", "", tuple(found[run])) for run in latest_first]


def left_out_groups(history: "History") -> list[Group]:
    """The runs that the history is made without; the same reason once."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in history.left_out:
        found[one.reason].append(one.run)
    return [Group("", reason, "", (", ".join(runs),)) for reason, runs in found.items()]


def about(run: "PastRun") -> str:
    """A run's name, day and commit."""
    commit = f"commit {run.commit[:_COMMIT_DIGITS]}" if run.commit else "commit not known"
    return f"{run.run}, {_date(run)}, {commit}{' with changes' if run.dirty else ''}"


def cell(line: "Line") -> str:
    """The four names of a cell."""
    variant, problem, device, dtype = line.cell
    return f"{variant} on {problem} ({device} {dtype})"


def change(ratio: float) -> str:
    """A change of level: in per cent, or as a ratio where it is a factor of two or more.

    >>> change(1.251), change(0.7), change(3.21)
    ('+25 %', '-30 %', '3.2x')
    """
    return f"{100 * (ratio - 1):+.0f} %" if 0.5 < ratio < 2 else figures.ratio(ratio)


def change_with_interval(step: "Step") -> str:
    """A change of level and its 95 % interval."""
    return f"{change(step.ratio)} (95 %: {change(step.ci_low)} to {change(step.ci_high)})"


def sparkline(ns_per_iter: Sequence[float]) -> str:
    """The latest times as bars on a logarithmic scale.

    >>> sparkline([100.0, 101.0, 99.0, 100.0, 150.0, 151.0, 149.0])
    '▁▁▁▁███'
    >>> sparkline([100.0, 101.0, 99.0])
    '▅▅▄'
    """
    logarithms = [math.log(ns) for ns in ns_per_iter[-_MOST_BARS:]]
    least, most = min(logarithms), max(logarithms)
    span = max(most - least, _LEAST_SPAN)
    bottom = (least + most - span) / 2
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * (each - bottom) / span))] for each in logarithms)


def _date(run: "PastRun") -> str:
    return f"{run.started:%Y-%m-%d}"
