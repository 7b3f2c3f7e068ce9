"""What every face shows of the timings, before one of them draws it: times, ratios, limits, doubts and noise."""

from collections import defaultdict
from collections.abc import Container, Sequence

from bench.report import figures, tables
from bench.report.tables import Grid, Group, Key, Record, Shown, Tone

FASTEST, DOUBTFUL = "★", "?"
DOUBTS_TITLE = f"Doubtful ({DOUBTFUL}): perhaps not the cost of iterating"
FAILED_TITLE = "Failed while timed"
LIMITS_TITLE = "share of the machine's limit"
LIMITS_LEGEND = (
    "The least time that this machine needs for an iteration, over the time it took; and what binds: memory (reading), "
    "arithmetic, latency (operations that wait for each other), launch, or dispatch (Python and calls of the library)"
)
FASTEST_LEGEND = f"{FASTEST} the fastest on its problem, and those whose intervals overlap its own"


def timed(timings: Sequence[Record]) -> list[Record]:
    """The rows that have a time."""
    return [timing for timing in timings if not figures.is_absent(timing["ns_per_iter"])]


def untimed(timings: Sequence[Record]) -> list[Group]:
    """The proved cells that the machine was too busy to time, with the reason; the same reason once."""
    return notes([row for row in timings if figures.is_absent(row["ns_per_iter"]) and not _failed(row)])


def failed_timings(timings: Sequence[Record]) -> list[Record]:
    """The rows of proved cells that failed while they were timed."""
    return [row for row in timings if figures.is_absent(row["ns_per_iter"]) and _failed(row)]


def failures(timings: Sequence[Record]) -> str:
    """How many there are, to stand behind a summary; empty where there is none.

    >>> failures([{"ns_per_iter": None, "failed": True}, {"ns_per_iter": 5.0, "failed": False}])
    '; 1 failed while timed'
    """
    number = len(failed_timings(timings))
    return f"; {number} failed while timed" if number else ""


def failed(timings: Sequence[Record]) -> list[Group]:
    """Those, with the reason; the same reason once."""
    return notes(failed_timings(timings))


def doubts(timings: Sequence[Record]) -> list[Group]:
    """Why a time may not be the cost of iterating; the same reason once."""
    return tables.worded((timing, timing.get("doubt")) for timing in timings)


def timing_grids(timings: Sequence[Record]) -> list[Grid]:
    """One grid of times for each device and dtype, the fastest of each problem marked."""
    fastest = marked_fastest(timings)
    by_lane: dict[str, dict[tuple[str, str], Shown]] = defaultdict(dict)
    for timing in timings:
        detail = f"{figures.interval(timing['ci_low'], timing['ci_high'])}, 95 % over {timing['launches']} launches"
        detail = "; ".join(filter(None, (detail, doubt_of(timing), timing["note"])))
        words, tone = marked_time(timing, fastest)
        by_lane[tables.lane(timing)][tables.place(timing)] = Shown((words,), tone, detail)
    return [tables.grid_of(timings, title, cells) for title, cells in by_lane.items()]


def ratio_grids(timings: Sequence[Record]) -> list[Grid]:
    """One grid for each dtype and each device beside the CPU: the CPU's time over the device's."""
    times = {tables.key(timing): float(timing["ns_per_iter"]) for timing in timings}
    grids = []
    for dtype in tables.distinct(timings, "dtype"):
        for device in tables.devices(timings)[1:]:
            cells = {
                place: Shown((figures.ratio(times[*place, "cpu", dtype] / times[*place, device, dtype]),), "plain")
                for place in dict.fromkeys(map(tables.place, timings))
                if (*place, "cpu", dtype) in times and times.get((*place, device, dtype))
            }
            if cells:
                grids.append(tables.grid_of(timings, f"cpu/{device} {dtype}", cells))
    return grids


def limit_grids(timings: Sequence[Record]) -> list[Grid]:
    """One grid for each device and dtype: the limit's share of each time, and what binds; none where not measured."""
    by_lane: dict[str, dict[tuple[str, str], Shown]] = defaultdict(dict)
    for timing in timings:
        if not figures.is_absent(timing.get("limit_ns")):
            share = figures.percent(timing["share_of_limit"])
            words = (f"{share} {timing['limited_by']}",)
            limit = f"limit {figures.duration(timing['limit_ns'])}, {timing['work_class']}"
            detail = f"{timing['limit_note']}; {limit}"
            by_lane[tables.lane(timing)][tables.place(timing)] = Shown(words, "plain", detail)
    return [tables.grid_of(timings, title, cells) for title, cells in by_lane.items()]


def limit_notes(timings: Sequence[Record]) -> list[Group]:
    """What binds each cell, in words; the same words once."""
    return tables.worded((timing, timing.get("limit_note")) for timing in timings)


def time_words(timing: Record) -> str:
    """The time of one iteration, and how far the farther end of its interval is."""
    return figures.duration_with_margin(timing["ns_per_iter"], timing["ci_low"], timing["ci_high"])


def marked_fastest(timings: Sequence[Record]) -> frozenset[Key]:
    """The cells that nothing is faster than, for each problem, device and dtype.

    Where intervals overlap, nobody knows which is faster; all of them are marked. None is that is doubtful.
    """
    columns: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for timing in timings:
        if not doubt_of(timing):
            columns[tables.key(timing)[1:]].append(timing)
    marked = set()
    for column in columns.values():
        best = min(column, key=lambda timing: float(timing["ns_per_iter"]))
        if len(column) > 1:
            marked |= {tables.key(timing) for timing in column if timing is best or timing["ci_low"] <= best["ci_high"]}
    return frozenset(marked)


def marked_time(timing: Record, fastest: Container[Key]) -> tuple[str, Tone]:
    """The time of one iteration with its margin and its mark, and the tone of both."""
    words = time_words(timing)
    if doubt_of(timing):
        return f"{words} {DOUBTFUL}", "declined"
    return (f"{words} {FASTEST}", "fastest") if tables.key(timing) in fastest else (words, "plain")


def doubt_of(timing: Record) -> str:
    """Why a time may not be the cost of iterating; empty where there is no doubt, or none was recorded."""
    doubt = timing.get("doubt")
    return "" if figures.is_absent(doubt) else str(doubt)


def _failed(timing: Record) -> bool:
    # Read from a table, it may be NumPy's, or missing.
    failed = timing.get("failed")
    return not figures.is_absent(failed) and bool(failed)


def notes(timings: Sequence[Record]) -> list[Group]:
    """What is to be said of the noise; the same note once."""
    return tables.worded((timing, timing["note"]) for timing in timings)
