"""The page that shows the agreement, made from the results alone."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from operator import truediv
from pathlib import Path
from typing import Any

from bench.report.figures import ABSENT, duration
from bench.timing.noise import spread
from bench.timing.slope import AGREEMENT
from scripts.agreement.works import WORKS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "agreement.json"
TITLE = "Whether tools agree"
PAGES = {
    RESULTS: (ROOT / "docs" / "explanation-agreement.md", TITLE),
    RESULTS.with_stem("agreement-slowed"): (
        ROOT / "docs" / "explanation-agreement-slowed.md",
        f"{TITLE}, on a machine that others slowed",
    ),
}
"""The page of each of the results that are kept, and its title; each is of its own machine."""

TRUTHS = ("least", "tenth")
"""Of the blocks that are timed by hand: the least, as of gdbench's calls, and the tenth percentile. A median has
whatever else the machine does in it."""

BY_HAND = "by hand"
WITHIN = 0.05
FEWEST = 3
"""Invocations of a tool: fewer say nothing of how its figures repeat."""
HARNESS = "gdbench"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the invocations of one tool say of one work.

    Attributes:
        tool: its name, with the statistic.
        ns_per_iter: the median of the invocations.
        over_bare: how many times the figure by hand of the same round, the median of the rounds; one for each of
            `TRUTHS`.
        spread: IQR over median of the invocations.
        wall_seconds: of an invocation, the median.
        pairs: pairs of invocations, of this tool against itself.
        apart: those of them that differ by more than `WITHIN`.
        invocations: those that gave a figure.
        made: all of them.
    """

    tool: str
    ns_per_iter: float
    over_bare: tuple[float, ...]
    spread: float
    wall_seconds: float
    pairs: int
    apart: int
    invocations: int
    made: int


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """What each tool says of one work in one condition, by hand first.

    Args:
        rows: of that work and condition, as `scripts.agreement.measuring.measured` makes them.
    """
    rounds = sorted({row["round"] for row in rows})
    truth = {
        number: [
            _undisturbed([row["bare_ns_per_iter"][name] for row in rows if row["round"] == number]) for name in TRUTHS
        ]
        for number in rounds
    }
    found = [
        _summary(f"{BY_HAND}, {name}", [truth[number][place] for number in rounds], truth.values(), [], len(truth))
        for place, name in enumerate(TRUTHS)
    ]
    for tool in sorted({row["tool"] for row in rows}, key=lambda tool: (tool != HARNESS, tool)):
        made = sorted((row for row in rows if row["tool"] == tool), key=lambda row: row["round"])
        seconds = [row["wall_seconds"] for row in made]
        for statistic in dict.fromkeys(name for row in made for name in row["ns_per_iter"]) or ("no figure",):
            with_figure = [row for row in made if statistic in row["ns_per_iter"]]
            figures = [row["ns_per_iter"][statistic] for row in with_figure]
            beside = [truth[row["round"]] for row in with_figure]
            found.append(_summary(f"{tool}, {statistic}", figures, beside, seconds, len(made)))
    return found


def _undisturbed(launches_ns: Sequence[float]) -> float:
    """The mean of the launches that gdbench would count: those within a tenth of the quickest."""
    return statistics.fmean(each for each in launches_ns if each <= AGREEMENT * min(launches_ns))


def _summary(
    tool: str, figures: Sequence[float], truth: Iterable[Sequence[float]], seconds: Sequence[float], made: int
) -> Summary:
    pairs = [sorted(pair) for pair in combinations(figures, 2)]
    return Summary(
        tool=tool,
        ns_per_iter=statistics.median(figures) if figures else math.nan,
        over_bare=tuple(statistics.median(map(truediv, figures, each)) for each in zip(*truth, strict=True)),
        spread=spread(figures) if len(figures) > 1 else 0.0,
        wall_seconds=statistics.median(seconds) if seconds else 0.0,
        pairs=len(pairs),
        apart=sum(high / low - 1 > WITHIN for low, high in pairs),
        invocations=len(figures),
        made=made,
    )


OVER = tuple(f"over {name}" for name in TRUTHS)
INTRODUCTION = """\
# {title}

The same loops, timed by gdbench, by four other tools and by hand, in one interleaved run. A loop is called bare by all
of them but gdbench, which is given it as a variant, proves it, and takes the slope between short and long calls.

| tool | how it is asked |
|---|---|
| by hand | blocks of about 1 ms for {seconds} s, collector off: the least and the tenth percentile of the blocks |
| gdbench | `gdbench time`, with its defaults |
| pytest-benchmark | `benchmark(loop)`, with its defaults: least and median of the rounds |
| torch Timer | `torch.utils.benchmark.Timer(...).blocked_autorange()`: the median |
| pyperf | `pyperf timeit`, with its defaults: the mean of twenty processes |
| asv | `asv run` of a `time_` method in an existing environment, with its defaults: the median |

One thread, and the same arrays for all. Before each invocation of a tool the loop is timed by hand in a fresh process;
a figure by hand of a round is the mean of its processes, one for each tool, without those that something slowed by
more than a tenth. `neighbour` is beside a process that computes and sleeps by turns, 50 to 500 ms each, seeded.
{elsewhere}

Over least, over tenth: the figure over that by hand of the same round. Spread: IQR over median of the invocations,
{fewest} or more. Pairs apart: of all pairs of a tool's own invocations, those that differ by more than {within}. Wall
time: of one invocation, from its start to its end; for gdbench with the proof, for asv with finding its benchmarks.
Figures: invocations that gave one.

{noisy}

Python {python}, NumPy {numpy}, torch {torch}, numba {numba}, pytest-benchmark {pytest_benchmark}, pyperf {pyperf},
asv {asv}; {cpu}, {logical_cores} cores. {made} invocations in {rounds} rounds{incomplete}.
"""
NOISY = """\
How noisy the machine was: of the blocks by hand of a process, the median took {usual:.2f} times as long as the least
(median of {processes} processes), in a tenth of the processes more than {worst:.2f} times.\
"""
OVERVIEW = """
## At a glance

gdbench beside the best of the other tools. Least spread: of all their figures. Fastest that repeats: the least wall
time of a figure of which no pair is apart; {absent} where there is none.

"""
OVERVIEW_HEADER = ("loop", "", *OVER, "spread", "least spread of the others", "wall time", "fastest that repeats")
TOGETHER = """
## All loops and conditions together

Over least, over tenth: the lowest and the highest of the figures below. Spread: their median. Pairs apart: of all.
Wall time: of one invocation of each.

"""
TOGETHER_HEADER = ("tool", *OVER, "spread", "pairs apart", "wall time")
INCOMPLETE = (
    "; the run is not complete: each tool is to have five invocations of each work, idle and beside a neighbour"
)
IN_PIECES = "; made in pieces, so that tools of one round may lie far apart in time"
COMPLETE = 250
"""Five tools and works, five rounds, two conditions."""

ENDING = """
`python -m scripts.agreement --json results/{name}` makes the results and this page anew; `tox -e agreement`
has what it needs.
"""
HEADER = ("tool", "an iteration", *OVER, "spread", "wall time", "pairs apart", "figures")


def page(document: dict[str, Any], results: Path = RESULTS) -> str:
    """The page, from the results.

    Args:
        document: as `python -m scripts.agreement` writes it.
        results: the file that it is from.
    """
    from scripts.agreement.by_hand import SECONDS  # noqa: PLC0415

    here, rows = document["environment"], document["invocations"]
    in_pieces = any(row["round"] > after["round"] for row, after in pairwise(rows))
    text = INTRODUCTION.format(
        title=PAGES[results][1],
        elsewhere=" ".join(
            f"The same on another machine: [{other.name}]({other.name})."
            for path, (other, _) in PAGES.items()
            if path != results
        ),
        noisy=_noisy([row["bare_ns_per_iter"] for row in rows]),
        seconds=SECONDS,
        within=_percent(WITHIN),
        fewest=FEWEST,
        made=len(rows),
        rounds=len({row["round"] for row in rows}),
        incomplete=(INCOMPLETE if len(rows) < COMPLETE else "") + (IN_PIECES if in_pieces else ""),
        **{name.replace("-", "_"): fact for name, fact in here.items()},
    )
    groups = list(_groups(rows))
    text += OVERVIEW.format(absent=ABSENT) + _lines(OVERVIEW_HEADER, 2, _overviews(groups))
    text += TOGETHER + _lines(TOGETHER_HEADER, 1, _together([found for _, _, found in groups]))
    for condition, work, found in groups:
        text += f"\n## {WORKS[work].says}, {condition}\n\n{_table(found)}"
    return text + ENDING.format(name=results.name)


def _noisy(processes: Sequence[dict[str, float]]) -> str:
    """How noisy the machine was, by what is known of it without any tool."""
    slowed = [one["median"] / one["least"] for one in processes]
    return NOISY.format(
        processes=len(slowed), usual=statistics.median(slowed), worst=statistics.quantiles(slowed, n=10)[-1]
    )


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Summary]]]:
    for work in WORKS:
        for condition in dict.fromkeys(row["condition"] for row in sorted(rows, key=lambda row: row["condition"])):
            of_both = [row for row in rows if (row["condition"], row["work"]) == (condition, work)]
            if of_both:
                yield condition, work, summaries(of_both)


def _over(one: Summary) -> list[str]:
    return [f"{share:.3f}" for share in one.over_bare] or [ABSENT] * len(TRUTHS)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _overviews(groups: Iterable[tuple[str, str, list[Summary]]]) -> Iterator[tuple[str, ...]]:
    """A line for each work and condition that gdbench has timed."""
    for condition, work, found in groups:
        own = next((one for one in found if one.tool.startswith(HARNESS)), None)
        theirs = (one for one in found if not one.tool.startswith(BY_HAND) and one is not own)
        others = [one for one in theirs if one.invocations >= FEWEST]
        steadiest = min(others, key=lambda one: one.spread, default=None)
        fastest = min((one for one in others if not one.apart), key=lambda one: one.wall_seconds, default=None)
        if own is not None:
            yield (
                WORKS[work].says,
                condition,
                *_over(own),
                _percent(own.spread) if own.invocations >= FEWEST else ABSENT,
                ABSENT if steadiest is None else f"{_percent(steadiest.spread)} ({steadiest.tool})",
                f"{own.wall_seconds:.1f} s",
                ABSENT if fastest is None else f"{fastest.wall_seconds:.1f} s ({fastest.tool})",
            )


def _together(groups: Sequence[Sequence[Summary]]) -> Iterator[tuple[str, ...]]:
    """A line for each figure that a tool gives of every work in every condition, often enough to say how it repeats."""
    for tool in dict.fromkeys(one.tool for found in groups for one in found if not one.tool.startswith(BY_HAND)):
        every = [one for found in groups for one in found if one.tool == tool and one.invocations >= FEWEST]
        if len(every) == len(groups):
            yield (
                _name(tool),
                *(
                    f"{min(shares):.3f} to {max(shares):.3f}"
                    for shares in zip(*(one.over_bare for one in every), strict=True)
                ),
                _percent(statistics.median(one.spread for one in every)),
                f"{sum(one.apart for one in every)} of {sum(one.pairs for one in every)}",
                f"{sum(one.wall_seconds for one in every):.1f} s",
            )


def _name(tool: str) -> str:
    return f"**{tool}**" if tool.startswith(HARNESS) else tool


def _table(found: Sequence[Summary]) -> str:
    lines = [
        (
            _name(one.tool),
            duration(one.ns_per_iter),
            *_over(one),
            _percent(one.spread) if one.invocations >= FEWEST else ABSENT,
            f"{one.wall_seconds:.1f} s" if not one.tool.startswith(BY_HAND) else "",
            f"{one.apart} of {one.pairs}",
            f"{one.invocations} of {one.made}",
        )
        for one in found
    ]
    return _lines(HEADER, 1, lines)


def _lines(header: Sequence[str], texts: int, lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown whose first columns are text, and the others figures."""
    rule = [*["---"] * texts, *["---:"] * (len(header) - texts)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *lines))
