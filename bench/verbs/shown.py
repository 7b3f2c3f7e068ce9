"""What the verbs share: progress, tables, records, exit codes."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Arguments, request_of
from bench.errors import UsageError
from bench.exit_codes import HARNESS_FAILED, NOT_AS_EXPECTED, OK
from bench.report.text import complain, drop

if TYPE_CHECKING:
    from rich.console import Console

    from bench.harness import Harness, Options
    from bench.plan import Cell
    from bench.report.terminal import CellProgress
    from bench.runs.records import Record


@contextmanager
def planned(arguments: Arguments, options: "Options") -> "Iterator[tuple[Harness, list[Cell]]]":
    """A harness, and the cells that the command line means."""
    from bench.harness import Harness

    request = request_of(arguments)
    with Harness(options) as harness:
        yield harness, harness.plan(request, complain)


@contextmanager
def finishing(arguments: Arguments) -> Iterator[list[bool]]:
    """Let Ctrl-C end the work but not what is done with it: the list is empty unless it was pressed."""
    interrupted: list[bool] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(True)
        if not arguments.quiet:
            complain("interrupted; what was finished is shown")


@contextmanager
def proofs(arguments: Arguments, n_cells: int) -> "Iterator[Callable[[Cell], None]]":
    """What to call with each cell whose proof is waited for, for a bar that counts them."""
    from bench.report.terminal import progress

    with progress(n_cells, quiet=arguments.quiet) as shown:
        waited = 0

        def on_wait(cell: "Cell") -> None:
            nonlocal waited
            if waited:
                shown.finish()
            waited += 1
            shown.begin(str(cell))

        yield on_wait


@contextmanager
def launches(arguments: Arguments, n_cells: int, options: "Options") -> "Iterator[Callable[[Cell, int], None]]":
    """What to call after each launch, for a bar that counts them."""
    from bench.report.terminal import progress

    with progress(n_cells * options.launches, quiet=arguments.quiet) as shown:

        def on_launch(cell: "Cell", launch: int) -> None:
            shown.begin(f"{cell}, launch {launch}")
            # Cells whose launches do not agree get more of them than the bar has room for.
            if launch <= options.launches:
                shown.finish()

        yield on_launch


class ContestProgress:
    """Counts contests, and within one its launches."""

    def __init__(self, shown: "CellProgress") -> None:
        self._shown = shown

    def launched(self, contest: str) -> "Callable[[int], None]":
        """What to call after each launch of a contest."""
        self._shown.begin(contest)
        return lambda launch: self._shown.begin(f"{contest}, launch {launch}")

    def finished(self) -> None:
        """Count one contest as done."""
        self._shown.finish()


@contextmanager
def contest_progress(arguments: Arguments, n_contests: int) -> "Iterator[ContestProgress]":
    """A bar over contests."""
    from bench.report.terminal import progress

    with progress(n_contests, quiet=arguments.quiet) as shown:
        yield ContestProgress(shown)


def show(arguments: Arguments, verdicts: "Sequence[Record]", timings: "Sequence[Record]" = ()) -> None:
    """Print the tables and the summary."""
    from bench.report.terminal import summary, timing_table, verdict_table

    if arguments.quiet:
        return
    console = console_of(arguments)
    verdict_table(console, verdicts)
    timing_table(console, timings)
    console.print(summary(verdicts, timings), highlight=False, soft_wrap=True)


def console_of(arguments: Arguments) -> "Console":
    """Where tables go: standard error where standard output has data."""
    from bench.report.terminal import SteadyConsole

    report_on_output = getattr(arguments, "format", "terminal") != "terminal" and arguments.output is None
    return SteadyConsole(stderr=report_on_output or arguments.json == "-")


def code_of(verdicts: "Iterable[Record]", *, failed: bool = False, harness_failed: bool = False) -> int:
    """The exit code of these verdicts.

    Args:
        verdicts: their rows.
        failed: whether something else is not as it must be.
        harness_failed: whether something else was not done by a mistake of the harness's.
    """
    verdicts = list(verdicts)
    if harness_failed or any(row["status"] == "judge-error" for row in verdicts):
        return HARNESS_FAILED
    return NOT_AS_EXPECTED if failed or not all(row["as_expected"] for row in verdicts) else OK


def write_json(target: str, document: Any) -> None:
    """Write a document to a file, or to standard output where the target is ``-``."""
    from bench.runs.strict_json import to_json

    text = to_json(document, indent=1)
    if target == "-":
        try:
            print(text, end="")
        except BrokenPipeError:
            drop(sys.stdout)
    else:
        write(Path(target), text)


def write(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
