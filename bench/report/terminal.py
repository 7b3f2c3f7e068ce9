"""Tables, lists and progress for the terminal, drawn by rich on a console that the caller owns."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bench.report import costs, figures, history, tables, times
from bench.report.tables import Grid, Group, Record, Tone
from bench.report.text import drop, encodable, printable

if TYPE_CHECKING:
    from bench.problems.named import Entry
    from bench.runs.history import History
    from bench.selftest.rows import Row
    from bench.variants.contract import Variant

_STYLES: Mapping[Tone, str] = {
    "good": "green",
    "fault": "yellow",
    "bad": "bold red",
    "declined": "dim",
    "fastest": "bold green",
    "plain": "",
}
_UNLIMITED = 100_000
_NOTES_SHOWN = 4
_LIMIT_NOTES_SHOWN = 8


def verdict_table(console: Console, verdicts: Sequence[Record]) -> None:
    """Print what became of every cell, then those not as expected, then why cells were declined."""
    for grid in tables.verdict_grids(verdicts):
        candidates = [_grid_table(console, grid, "variant", one_line=one_line) for one_line in (True, False)]
        fitting = [table for table in candidates if _fits(console, table)]
        _print_tables(console, fitting[0] if fitting else _outcome_table(console, grid))
    _print_groups(console, "Not as expected", tables.unexpected(verdicts), "bad")
    _print_groups(console, "Not done", tables.declined(verdicts), "declined")


def summary(verdicts: Sequence[Record], timings: Sequence[Record] = ()) -> str:
    """How many cells came out how, in one line."""
    return f"{printable(tables.summary(verdicts))}{times.failures(timings)}"


def timing_table(console: Console, timings: Sequence[Record]) -> None:
    """Print the time of one iteration of every cell; with the ratio where it ran on the CPU and beside it."""
    failed, untimed, timings = times.failed(timings), times.untimed(timings), times.timed(timings)
    if timings:
        _print_timings(console, timings)
    _print_groups(console, times.FAILED_TITLE, failed, "bad")
    _print_groups(console, "Not timed", untimed, "declined")


def _print_timings(console: Console, timings: Sequence[Record]) -> None:
    if len(tables.devices(timings)) == 1:
        grids = [_grid_table(console, grid, "per iteration", one_line=True) for grid in times.timing_grids(timings)]
        if all(_fits(console, grid) for grid in grids):
            _print_tables(console, *grids)
        else:
            _print_tables(console, _ranking_table(console, timings, tables.devices(timings)[0], "dtype"))
    else:
        for dtype in dict.fromkeys(str(timing["dtype"]) for timing in timings):
            alike = [timing for timing in timings if timing["dtype"] == dtype]
            _print_tables(console, _ranking_table(console, alike, dtype, "device"))
    if times.marked_fastest(timings):
        console.print(shown(console, times.FASTEST_LEGEND, "dim"))
        console.print()
    _print_groups(console, times.DOUBTS_TITLE, times.doubts(timings), "bad")
    _print_limits(console, timings)
    _print_costs(console, timings)
    noisy = sorted((row for row in timings if row["note"]), key=lambda row: -float(row["dispersion"] or 0.0))
    _print_groups(console, "Noise", times.notes(noisy[:_NOTES_SHOWN]), "declined")
    if len(noisy) > _NOTES_SHOWN:
        more = f"These were the noisiest; {len(noisy) - _NOTES_SHOWN} more have a note in the timings."
        console.print(shown(console, more, "dim"))
        console.print()


def _print_limits(console: Console, timings: Sequence[Record]) -> None:
    grids = times.limit_grids(timings)
    for grid in grids:
        table = _grid_table(console, grid, times.LIMITS_TITLE, one_line=True)
        _print_tables(console, table if _fits(console, table) else _outcome_table(console, grid, times.LIMITS_TITLE))
    if grids:
        console.print(shown(console, times.LIMITS_LEGEND, "dim"))
        console.print()
    notes = times.limit_notes(timings)
    if len(notes) <= _LIMIT_NOTES_SHOWN:
        _print_groups(console, "What binds", notes, "declined")


def _print_costs(console: Console, timings: Sequence[Record]) -> None:
    told = costs.told(timings)
    if told.listings:
        console.print(shown(console, costs.TITLE, "bold"))
    _print_tables(console, *(_listing(console, one.title, costs.HEADINGS, one.rows) for one in told.listings))
    if told.listings:
        console.print(shown(console, costs.LEGEND, "dim"))
        console.print()
    _print_groups(console, costs.OVERTAKING_TITLE, told.overtakings, "plain")
    _print_groups(console, costs.UNKNOWN_TITLE, told.unknown, "declined")


class SteadyConsole(Console):
    """A console whose reader may leave: what is judged goes on, and its exit code stands."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, where rich would leave with a code of its own."""
        self.quiet = True
        drop(self.file)


def shown(console: Console, words: str, style: str = "") -> Text:
    """Words of any origin for rich to print: no markup, no control characters, nothing the encoding lacks."""
    return Text(encodable(printable(words), console.encoding), style)


def comparison_table(console: Console, rows: Sequence[Record]) -> None:
    """Print what every comparison came to, then why, those not as expected first."""
    table = _table(console, "compared")
    for heading in ("variant", "problem", "against", "verdict", "time", "95 %"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        tone: Tone = "plain" if row["as_expected"] and row["verdict"] != "inconclusive" else "declined"
        words = (str(row["variant"]), f"{row['problem']} ({tables.lane(row)})", str(row["base"]))
        ratio, interval = figures.ratio_with_interval(row["ratio"], row["ci_low"], row["ci_high"])
        verdict = _toned(console, str(row["verdict"]), tone if row["as_expected"] else "bad")
        table.add_row(
            *(shown(console, each) for each in words), verdict, *(shown(console, w) for w in (ratio, interval))
        )
    _print_tables(console, table)
    for row in sorted(rows, key=lambda row: bool(row["as_expected"])):
        said = f"{row['variant']} against {row['base']} on {row['problem']}: {row['reason']}"
        console.print(shown(console, said, "" if row["as_expected"] else _STYLES["bad"]), soft_wrap=True)


def variant_table(console: Console, variants: "Sequence[Variant]") -> None:
    """Print the registered variants for ``gdbench list``: what each is in a line, then its summary and its target."""
    rows = [
        [shown(console, words) for words in (item.name, item.backend, item.family, _expected(item))]
        for item in variants
    ]
    widths = [max(words.cell_len for words in column) for column in zip(*rows, strict=True)]
    for item, row in zip(variants, rows, strict=True):
        row[0].stylize("bold")
        for words, width in zip(row[:-1], widths, strict=False):
            words.pad_right(width - words.cell_len)
        console.print(Text("  ").join(row))
        for said, style in ((item.summary, ""), (item.target, "dim")):
            if said:
                console.print(Padding(shown(console, said, style), (0, 0, 0, 4), expand=False))
    console.print()


def problem_table(console: Console, problems: "Sequence[Entry]") -> None:
    """Print the problems of the catalogue for ``gdbench list``; a mark says which a plain run uses."""
    rows = [(item.name, "✓" if item.default else "", f"{item.summary} [{item.source}]") for item in problems]
    console.print(_listing(console, "", ("problem", "default", "summary [source]"), rows))


def selftest_table(console: Console, rows: "Sequence[Row]") -> None:
    """Print every attack with its verdict and what stops it, then the controls, then what is not as expected."""
    for heading, kind in (("attack", "attack"), ("honest control", "control")):
        table = _table(console, "")
        for name in (heading, "verdict", *(["mechanism"] if kind == "attack" else [])):
            table.add_column(name, overflow="fold")
        for row in rows:
            if row.kind == kind:
                ratio = "" if row.ratio is None else f", {row.ratio:.2f} of honest"
                verdict = _toned(console, f"{row.came}{ratio}", "good" if row.as_expected else "bad")
                table.add_row(
                    shown(console, row.name), verdict, *([shown(console, row.mechanism)] if row.mechanism else [])
                )
        _print_tables(console, table)
    for row in rows:
        if not row.as_expected:
            said = f"{row.name} is {row.came} where {row.due} was due: {row.evidence}"
            console.print(shown(console, said, _STYLES["bad"]), soft_wrap=True)


def history_table(console: Console, told: "History") -> None:
    """Print every cell over its runs, then the runs at which levels changed, then the runs that were left out."""
    with_bars = encodable(history.BARS, console.encoding) == history.BARS
    headings = history.HEADINGS if with_bars else history.HEADINGS[:-1]
    for lane, lines in history.lanes(told).items():
        table = _table(console, lane)
        for heading in headings:
            table.add_column(heading, overflow="fold", justify="right" if heading == "runs" else "left")
        for line in lines:
            row = history.row(line)
            tone: Tone = "fault" if row.stepped else "plain"
            table.add_row(*(_toned(console, words, tone) for words in row.words[: len(headings)]))
        _print_tables(console, table)
    _print_groups(console, "Steps", history.step_groups(told), "fault")
    _print_groups(console, "Left out", history.left_out_groups(told), "declined")


def facts_table(console: Console, facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what ``gdbench doctor`` found, section by section."""
    for section, found in facts.items():
        console.print(shown(console, section, "bold"))
        table = Table.grid(padding=(0, 2), pad_edge=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold", min_width=min(20, console.width // 2))
        for name, value in tables.flattened(found):
            table.add_row(shown(console, name), shown(console, value))
        console.print(table)
        console.print()


@dataclass(frozen=True, slots=True)
class CellProgress:
    """Counts cells and says which one is at work; silent where nobody watches."""

    _display: Progress
    _task: TaskID

    def begin(self, cell: str) -> None:
        """Say that this cell is at work."""
        self._display.update(self._task, description=encodable(printable(cell), self._display.console.encoding))

    def finish(self) -> None:
        """Count one cell as done."""
        self._display.advance(self._task)


@contextmanager
def progress(total: int, *, console: Console | None = None, quiet: bool = False) -> Iterator[CellProgress]:
    """Show progress over cells on standard error, or nothing when it is no terminal or ``quiet``.

    Args:
        total: how many cells there are.
        console: where to draw; standard error where it is left out.
        quiet: draw nothing.
    """
    console = console or Console(stderr=True)
    columns = (
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    display = Progress(*columns, console=console, transient=True)
    # One that is begun and draws nothing ends with an empty line in older versions of rich.
    with display if console.is_terminal and not quiet else nullcontext():
        yield CellProgress(display, display.add_task("", total=total))


def _fits(console: Console, table: Table) -> bool:
    """Whether the lines of the table need no folding."""
    unlimited = console.options.update(max_width=_UNLIMITED)
    return Measurement.get(console, unlimited, table).maximum <= console.width


def _print_tables(console: Console, *several: Table) -> None:
    for table in several:
        # By itself: as the table's own it would be folded to the width of the columns.
        if table.title:
            console.print(table.title)
            table.title = None
        console.print(table)
        console.print()


def _grid_table(console: Console, grid: Grid, corner: str, *, one_line: bool) -> Table:
    """Variants by problems; with ``one_line`` false, the words of a cell and of a problem's name stand on lines."""
    separator = " " if one_line else "\n"
    table = _table(console, grid.title)
    table.add_column(corner)
    for problem in grid.problems:
        name = printable(problem)
        table.add_column(shown(console, name) if one_line else _shown_lines(console, name.replace("-", "-\n")))
    for variant in grid.variants:
        cells = [grid.cells.get((variant, problem)) for problem in grid.problems]
        table.add_row(
            shown(console, variant),
            *(_shown_lines(console, separator.join(cell.words), cell.tone) if cell else Text("") for cell in cells),
        )
    return table


def _outcome_table(console: Console, grid: Grid, outcome: str = "outcome") -> Table:
    """One row for each variant and outcome, with the problems that had it: for consoles too narrow for a grid."""
    table = _table(console, grid.title)
    for heading in ("variant", outcome, "problems"):
        table.add_column(heading, overflow="fold")
    for variant in grid.variants:
        problems = defaultdict(list)
        for problem in grid.problems:
            if cell := grid.cells.get((variant, problem)):
                problems[cell.text, cell.tone].append(printable(problem))
        name = variant
        for (words, tone), names in problems.items():
            table.add_row(shown(console, name), _toned(console, words, tone), shown(console, ", ".join(names)))
            name = ""
    return table


def _ranking_table(
    console: Console, timings: Sequence[Record], title: str, across: Literal["device", "dtype"]
) -> Table:
    """One row for each problem and variant, the fastest first, a column for each device or each dtype."""
    columns = tables.devices(timings) if across == "device" else tables.distinct(timings, "dtype")
    compared = columns[1:] if columns[0] == "cpu" else ()
    fastest = times.marked_fastest(timings)
    table = _table(console, f"{title}, per iteration")
    for heading in ("problem", "variant"):
        table.add_column(heading, overflow="fold")
    for column in columns:
        table.add_column(shown(console, column), overflow="fold")
    for column in compared:
        table.add_column(shown(console, f"cpu/{column}"), justify="right")
    if len(columns) == 1:
        table.add_column("to fastest", justify="right")
    rows: dict[str, dict[str, dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
    for timing in timings:
        rows[str(timing["problem"])][str(timing["variant"])][str(timing[across])] = timing
    for problem, variants in rows.items():
        ranked = sorted(variants.items(), key=lambda row: (_is_doubtful(row[1]), _least(row[1])))
        for rank, (variant, cells) in enumerate(ranked):
            drawn = [_time(console, cells.get(column), fastest) for column in columns]
            ratios = [_ratio(cells.get("cpu"), cells.get(column)) for column in compared]
            if len(columns) == 1:
                ratios = [figures.ratio(_least(cells) / _least(ranked[0][1]))]
            name = shown(console, "" if rank else problem)
            table.add_row(name, shown(console, variant), *drawn, *(shown(console, words) for words in ratios))
        table.add_section()
    return table


def _time(console: Console, timing: Record | None, fastest: Container[tables.Key]) -> Text:
    if timing is None:
        return shown(console, "")
    return _toned(console, *times.marked_time(timing, fastest))


def _is_doubtful(cells: Mapping[str, Record]) -> bool:
    return any(map(times.doubt_of, cells.values()))


def _least(cells: Mapping[str, Record]) -> float:
    return min(float(timing["ns_per_iter"]) for timing in cells.values())


def _ratio(cpu: Record | None, other: Record | None) -> str:
    return figures.ratio(cpu["ns_per_iter"] / other["ns_per_iter"]) if cpu and other else ""


def _print_groups(console: Console, heading: str, groups: Sequence[Group], tone: Tone) -> None:
    if not groups:
        return
    console.print(shown(console, heading, "bold"))
    for group in groups:
        expectation = f"; expected: {group.expected}" if tone == "bad" else ""
        if group.label:
            console.print(Padding(_toned(console, f"{group.label}{expectation}", tone), (0, 0, 0, 2), expand=False))
        for line in group.where:
            console.print(Padding(shown(console, line), (0, 0, 0, 4), expand=False))
        if group.reason:
            console.print(Padding(shown(console, group.reason, "italic"), (0, 0, 0, 4), expand=False))
    console.print()


def _listing(console: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = _table(console, title)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(shown(console, words) for words in row))
    return table


def _expected(variant: "Variant") -> str:
    return f"expected: {variant.expect}" if variant.expect else ""


def _table(console: Console, title: str) -> Table:
    heading = shown(console, title, "bold") if title else None
    return Table(
        title=heading, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )


def _toned(console: Console, words: str, tone: Tone) -> Text:
    return shown(console, words, _STYLES[tone])


def _shown_lines(console: Console, words: str, tone: Tone = "plain") -> Text:
    return Text("\n").join(_toned(console, line, tone) for line in words.split("\n"))
