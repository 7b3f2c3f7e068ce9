"""``gdbench report``: a run shown again."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.arguments import Arguments, run_at
from bench.errors import UsageError
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.rejudge import Rejudged, rejudge, rejudged_document, summary
from bench.report.history import summary as history_summary
from bench.report.terminal import progress, shown
from bench.report.text import complain
from bench.report.times import failed_timings
from bench.runs.costs import costs_fields
from bench.runs.journal import JOURNAL_NAME, Cells, read_journal
from bench.runs.layout import latest_run, read_run_file
from bench.runs.records import run_document
from bench.verbs.shown import console_of, show, write, write_json


def main(arguments: Arguments) -> int:
    """``gdbench report``."""
    if arguments.format == "terminal" and arguments.output is not None:
        raise UsageError("--output is for a file. Say which kind: --format markdown or --format html.")
    if arguments.format != "terminal" and arguments.output is None and arguments.json == "-":
        raise UsageError("the records and the report cannot both go to standard output. Name a file: --output FILE.")
    if arguments.history is not None:
        return _history(arguments)
    folder = run_at(arguments.run) if arguments.run is not None else latest_run(Path(arguments.results))
    held, cells = read_run_file(folder), read_journal(folder / JOURNAL_NAME)
    environment = held["environment"]
    unfinished = held["finished"] is None or held["interrupted"]
    if unfinished:
        complain(f"{folder} is not finished, so that cells are missing here; gdbench run --resume {folder} makes them")
    code, more = OK, dict[str, object]()
    if arguments.rejudge:
        again = _rejudged(folder, len(cells.verdicts), arguments)
        cells.verdicts[:] = [one.row for one in again]
        code, more = OK if all(one.stands for one in again) else NOT_AS_EXPECTED, rejudged_document(again)
    if arguments.json:
        document = run_document(environment, cells.verdicts, cells.timings) | costs_fields(cells.timings)
        write_json(arguments.json, document | more)
    if arguments.format == "terminal":
        show(arguments, cells.verdicts, cells.timings)
        if not arguments.quiet:
            console = console_of(arguments)
            console.print(shown(console, f"read from {folder}"), soft_wrap=True)
        return code
    text = _text(arguments.format, environment, cells, unfinished=unfinished)
    _put(arguments, text)
    return code


def _history(arguments: Arguments) -> int:
    from bench.report.terminal import history_table
    from bench.runs.history import ADVICE, history_document, read_history

    if arguments.run or arguments.rejudge:
        other = "--rejudge" if arguments.rejudge else f"the run {arguments.run}"
        raise UsageError(f"--history is of a folder of runs, and {other} is of one. Leave one of the two out.")
    if arguments.format not in ("terminal", "markdown", "html"):
        raise UsageError(f"--format {arguments.format} is of one run. With --history: terminal, markdown or html.")
    history = read_history(Path(arguments.history or arguments.results))
    if arguments.json:
        write_json(arguments.json, history_document(history))
    if arguments.format == "markdown":
        from bench.report.markdown import history_markdown

        _put(arguments, history_markdown(history, ADVICE))
    elif arguments.format == "html":
        from bench.report.html import history_page

        _put(arguments, history_page(history, ADVICE))
    elif not arguments.quiet:
        console = console_of(arguments)
        history_table(console, history)
        for line in (history_summary(history), ADVICE):
            console.print(shown(console, line), soft_wrap=True)
    return OK


def _put(arguments: Arguments, text: str) -> None:
    if arguments.output is None:
        # A document says itself that it is UTF-8, or is read so, whatever the terminal shows.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        print(text)
    else:
        write(Path(arguments.output), text)


def _text(kind: str, environment: Mapping[str, Any], cells: Cells, *, unfinished: bool) -> str:
    """The run in one of the formats that are text; what makes it is imported only where it is asked for."""
    match kind:
        case "markdown":
            from bench.report.markdown import markdown_report

            return markdown_report(environment, cells.verdicts, cells.timings, unfinished=unfinished)
        case "junit":
            from bench.report.junit import junit_report

            return junit_report("gdbench run", cells.verdicts, failed_timings=failed_timings(cells.timings))
        case "github":
            from bench.report.github import annotations

            lines = annotations(cells.verdicts, failed_timings=failed_timings(cells.timings))
            return "".join(f"{line}\n" for line in lines)
        case "github-action-benchmark":
            from bench.report.continuous import github_action_benchmark

            return github_action_benchmark(cells.timings)
        case "bencher":
            from bench.report.continuous import bencher_metric_format

            return bencher_metric_format(cells.timings)
        case _:
            from bench.report.html import html_report

            return html_report(environment, cells.verdicts, cells.timings, cells.iterates, unfinished=unfinished)


def _rejudged(folder: Path, n_cells: int, arguments: Arguments) -> list[Rejudged]:
    again = []
    with progress(n_cells, quiet=arguments.quiet) as bar:
        for one in rejudge(folder):
            again.append(one)
            bar.finish()
    if not arguments.quiet:
        console = console_of(arguments)
        for line in summary(again):
            console.print(shown(console, line), soft_wrap=True)
    return again
