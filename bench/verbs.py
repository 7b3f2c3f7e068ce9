"""What the verbs of the command line do: one thin function each."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.arguments import Arguments, as_started, options_of, request_of, run_at
from bench.errors import DiskError, UsageError
from bench.exit_codes import HARNESS_FAILED, INTERRUPTED, NOT_AS_EXPECTED, OK
from bench.report.text import complain

if TYPE_CHECKING:
    from rich.console import Console

    from bench.gate.config import Requirement
    from bench.harness import Harness, Options, Proved
    from bench.plan import Cell
    from bench.rejudge import Rejudged
    from bench.runs.records import Record

T = TypeVar("T")


def list_(arguments: Arguments) -> int:
    """``gdbench list``."""
    from dataclasses import asdict

    from bench.plan import chosen_variants
    from bench.problems.catalogue import CATALOGUE, select
    from bench.report.terminal import problem_table, variant_table

    variants = chosen_variants(request_of(arguments), complain=complain)
    problems = select(arguments.problem) if arguments.problem else list(CATALOGUE)
    if arguments.json:
        described = [{"name": p.name, "default": p.default, "summary": p.summary, "source": p.source} for p in problems]
        document = {"schema": "gdbench/list/1", "variants": [asdict(v) for v in variants], "problems": described}
        _write_json(arguments.json, document)
    console = _console(arguments)
    if not arguments.quiet:
        variant_table(console, variants)
        problem_table(console, problems)
    return OK


def verify_(arguments: Arguments) -> int:
    """``gdbench verify``."""
    from bench.recording import run_environment
    from bench.runs.records import verdict_record, verdicts_document

    options = options_of(arguments)
    records: list[Record] = []
    with _harness(arguments, options) as (harness, cells), _finishing(arguments) as interrupted:
        # Not a comprehension: what is finished before Ctrl-C is to be shown.
        for cell in _with_progress(cells, arguments):
            records.append(verdict_record(harness.prove(cell).verdict))  # noqa: PERF401
    _show(arguments, records)
    if arguments.json:
        _write_json(arguments.json, verdicts_document(run_environment(options), records))
    return INTERRUPTED if interrupted else _code(records)


def time_(arguments: Arguments) -> int:
    """``gdbench time``."""
    from bench.recording import run_environment, timing_row
    from bench.runs.records import timings_document, verdict_record

    options = options_of(arguments)
    verdicts: list[Record] = []
    timings: list[Record] = []
    judged: list[Proved] = []
    failed = False
    with _harness(arguments, options) as (harness, cells), _finishing(arguments) as interrupted:
        for cell in _with_progress(cells, arguments):
            judged.append(harness.prove(cell))
            verdicts.append(verdict_record(judged[-1].verdict))
        with _launches(arguments, sum(one.to_be_timed for one in judged), options) as on_launch:
            for one in harness.time(judged, on_launch):
                timings.append(timing_row(one))
                failed |= one.failed
    _show(arguments, verdicts, timings)
    if not interrupted and not any(one.verdict.proved for one in judged):
        complain("no cell is proved, so nothing was timed; the verdicts say why")
    if arguments.json:
        document = timings_document(run_environment(options), _a_row_for_every_cell(verdicts, timings))
        _write_json(arguments.json, document | {"verdicts": verdicts})
    return INTERRUPTED if interrupted else _code(verdicts, failed=failed)


def run_(arguments: Arguments) -> int:
    """``gdbench run``."""
    from bench.recording import finish_run, record_proofs, record_timings, resume_run, run_environment, start_run
    from bench.report.terminal import shown
    from bench.runs.layout import refuse_unwritable
    from bench.runs.records import run_document

    resumed = None
    if arguments.resume:
        resumed, arguments = Path(arguments.resume), as_started(arguments)
    options = options_of(arguments)
    refuse_unwritable(resumed or Path(arguments.results))
    failed = False
    # The folder not before the plan is known: a request that cannot be carried out leaves no run unfinished.
    with (
        _harness(arguments, options) as (harness, cells),
        resume_run(resumed, options, cells, complain)
        if resumed
        else start_run(Path(arguments.results), options, _command(), cells) as folder,
    ):
        try:
            with _finishing(arguments) as interrupted:
                proved = list(record_proofs(harness, _with_progress(cells, arguments), folder))
                with _launches(arguments, len(proved), options) as on_launch:
                    for one in record_timings(harness, proved, folder, on_launch):
                        failed |= one.failed
            done, no_page = finish_run(folder, interrupted=bool(interrupted))
        except DiskError:
            # The disk has no room for the tables; the terminal has.
            done = folder.finished_cells()
            _show(arguments, done.verdicts, done.timings)
            raise
    if no_page is not None:
        complain(no_page)
    _show(arguments, done.verdicts, done.timings)
    if not arguments.quiet:
        console = _console(arguments)
        console.print(shown(console, f"kept in {folder.path}"), soft_wrap=True)
    if arguments.json:
        _write_json(arguments.json, run_document(run_environment(options), done.verdicts, done.timings))
    return INTERRUPTED if interrupted else _code(done.verdicts, failed=failed)


def gate_(arguments: Arguments) -> int:
    """``gdbench gate``."""
    from dataclasses import replace

    from bench.gate.check import asked_for, held_against
    from bench.gate.config import read_gate
    from bench.harness import Harness
    from bench.recording import run_environment
    from bench.runs.records import verdict_record, verdicts_document

    asked, options = request_of(arguments), options_of(arguments)
    requirements = read_gate(Path(arguments.config))
    records: list[Record] = []
    with Harness(options) as harness, _finishing(arguments) as interrupted:
        cells: list[Cell] = []
        demands: list[Requirement] = []
        for requirement in requirements:
            request = replace(
                asked,
                targets=requirement.variant,
                variants=(),
                problems=requirement.problem,
                devices=asked.devices or requirement.device,
                dtypes=asked.dtypes or requirement.dtype,
            )
            chosen = [cell for cell in harness.plan(request, complain) if asked_for(cell, asked)]
            cells += chosen
            demands += [requirement] * len(chosen)
        if not cells:
            raise UsageError(
                f"{arguments.config} asks nothing of the selected cells. Leave out -v and -p for all of it."
            )
        for cell, requirement in zip(_with_progress(cells, arguments), demands, strict=True):
            verdict = harness.prove(cell, iterations=requirement.within).verdict
            records.append(verdict_record(held_against(verdict, requirement)))
    _show(arguments, records)
    if arguments.json:
        _write_json(arguments.json, verdicts_document(run_environment(options), records))
    if not arguments.quiet:
        _console(arguments).print(_gate_line(records, len(requirements)), highlight=False)
    return INTERRUPTED if interrupted else _code(records)


def explain_(arguments: Arguments) -> int:
    """``gdbench explain``."""
    from bench.harness import Harness
    from bench.report.explanation import explanation
    from bench.report.picture import require_kind, write_picture

    request, options = request_of(arguments), options_of(arguments)
    if not request.targets and not request.variants:
        raise UsageError("explain needs a TARGET, such as numpy-dot-mean or path/to/file.py:function.")
    picture = None if arguments.picture is None else Path(arguments.picture)
    if picture is not None:
        require_kind(picture)
    with Harness(options) as harness:
        for story in harness.stories(request, complain):
            print(explanation(story))
            if picture is not None and write_picture(story, picture):
                print(f"\nThe picture is in {picture}.")
                picture = None
    if picture is not None:
        complain("there is no picture: nothing was seen of the variant that could be drawn")
    return OK


def report_(arguments: Arguments) -> int:
    """``gdbench report``."""
    from bench.rejudge import rejudged_document
    from bench.report.markdown import markdown_report
    from bench.runs.journal import JOURNAL_NAME, read_journal
    from bench.runs.layout import read_run_file
    from bench.runs.records import run_document

    if arguments.format == "terminal" and arguments.output is not None:
        raise UsageError("--output is for a file. Say which kind: --format markdown or --format html.")
    if arguments.format != "terminal" and arguments.output is None and arguments.json == "-":
        raise UsageError("the records and the report cannot both go to standard output. Name a file: --output FILE.")
    folder = run_at(arguments.run) if arguments.run else _latest(Path(arguments.results))
    environment, cells = read_run_file(folder)["environment"], read_journal(folder / JOURNAL_NAME)
    code, more = OK, dict[str, object]()
    if arguments.rejudge:
        again = _rejudged(folder, len(cells.verdicts), arguments)
        cells.verdicts[:] = [one.row for one in again]
        code, more = OK if all(one.stands for one in again) else NOT_AS_EXPECTED, rejudged_document(again)
    if arguments.json:
        _write_json(arguments.json, run_document(environment, cells.verdicts, cells.timings) | more)
    if arguments.format == "terminal":
        _show(arguments, cells.verdicts, cells.timings)
        return code
    if arguments.format == "markdown":
        text = markdown_report(environment, cells.verdicts, cells.timings)
    else:
        from bench.report.html import html_report

        text = html_report(environment, cells.verdicts, cells.timings, cells.iterates)
    if arguments.output is None:
        print(text)
    else:
        _write(Path(arguments.output), text)
    return code


def selftest_(arguments: Arguments) -> int:
    """``gdbench selftest``."""
    from time import monotonic

    from bench.recording import run_environment
    from bench.report.terminal import progress, selftest_table
    from bench.selftest.corpus import ATTACKS, CONTROLS
    from bench.selftest.rows import document, summary_line
    from bench.selftest.run import OPTIONS, selftest

    began = monotonic()
    with progress(len(ATTACKS) + len(CONTROLS), quiet=arguments.quiet) as shown:

        def on_row(name: str) -> None:
            shown.finish()
            shown.begin(name)

        rows, presence = selftest(OPTIONS, ATTACKS, CONTROLS, on_row)
    if arguments.json:
        _write_json(arguments.json, document(run_environment(OPTIONS), presence, rows))
    if not arguments.quiet:
        console = _console(arguments)
        selftest_table(console, rows)
        console.print(summary_line(rows, monotonic() - began), highlight=False, soft_wrap=True)
    return OK if all(row.as_expected for row in rows) else NOT_AS_EXPECTED


def doctor_(arguments: Arguments) -> int:
    """``gdbench doctor``."""
    from bench.doctor import examine
    from bench.report.terminal import facts_table

    facts = examine()
    if arguments.json:
        _write_json(arguments.json, {"schema": "gdbench/doctor/1", **facts})
    if not arguments.quiet:
        facts_table(_console(arguments), facts)
    return OK


@contextmanager
def _harness(arguments: Arguments, options: "Options") -> "Iterator[tuple[Harness, list[Cell]]]":
    from bench.harness import Harness

    request = request_of(arguments)
    with Harness(options) as harness:
        yield harness, harness.plan(request, complain)


@contextmanager
def _finishing(arguments: Arguments) -> Iterator[list[bool]]:
    """Let Ctrl-C end the work but not what is done with it: the list is empty unless it was pressed."""
    interrupted: list[bool] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(True)
        if not arguments.quiet:
            complain("interrupted; what is finished is kept")


def _with_progress(cells: Sequence[T], arguments: Arguments) -> Iterator[T]:
    from bench.report.terminal import progress

    with progress(len(cells), quiet=arguments.quiet) as shown:
        for cell in cells:
            shown.begin(str(cell))
            yield cell
            shown.finish()


def _rejudged(folder: Path, n_cells: int, arguments: Arguments) -> "list[Rejudged]":
    from bench.rejudge import rejudge, summary
    from bench.report.terminal import progress, shown

    again = []
    with progress(n_cells, quiet=arguments.quiet) as bar:
        for one in rejudge(folder):
            again.append(one)
            bar.finish()
    if not arguments.quiet:
        console = _console(arguments)
        for line in summary(again):
            console.print(shown(console, line), soft_wrap=True)
    return again


@contextmanager
def _launches(arguments: Arguments, n_cells: int, options: "Options") -> "Iterator[Callable[[Cell, int], None]]":
    from bench.report.terminal import progress

    with progress(n_cells * options.launches, quiet=arguments.quiet) as shown:

        def on_launch(cell: "Cell", launch: int) -> None:
            shown.begin(f"{cell}, launch {launch}")
            # Cells whose launches do not agree get more of them than the bar has room for.
            if launch <= options.launches:
                shown.finish()

        yield on_launch


def _show(arguments: Arguments, verdicts: "Sequence[Record]", timings: "Sequence[Record]" = ()) -> None:
    from bench.report.terminal import summary, timing_table, verdict_table

    if arguments.quiet:
        return
    console = _console(arguments)
    verdict_table(console, verdicts)
    timing_table(console, timings)
    console.print(summary(verdicts), highlight=False, soft_wrap=True)


def _console(arguments: Arguments) -> "Console":
    from rich.console import Console

    report_on_output = getattr(arguments, "format", "terminal") != "terminal" and arguments.output is None
    return Console(stderr=report_on_output or arguments.json == "-")


def _code(verdicts: "Iterable[Record]", *, failed: bool = False) -> int:
    verdicts = list(verdicts)
    if any(row["status"] == "judge-error" for row in verdicts):
        return HARNESS_FAILED
    return NOT_AS_EXPECTED if failed or not all(row["as_expected"] for row in verdicts) else OK


def _command() -> list[str]:
    return ["gdbench", *sys.argv[1:]]


def _a_row_for_every_cell(verdicts: "Sequence[Record]", timings: "Sequence[Record]") -> "list[Record]":
    from bench.runs.records import TIMING_COLUMNS, cell_of

    timed = {cell_of(row): row for row in timings}
    empty = dict.fromkeys(name for name, _, _ in TIMING_COLUMNS)
    rows: list[Record] = []
    for verdict in verdicts:
        names = {name: verdict[name] for name in ("variant", "backend", "family", "problem", "device", "dtype")}
        row = timed.get(cell_of(verdict)) or empty | names | {"note": f"not timed: {verdict['status']}"}
        rows.append({**row, "status": verdict["status"]})
    return rows


def _gate_line(records: "Sequence[Record]", n_requirements: int) -> str:
    failing = sum(not row["as_expected"] for row in records)
    if failing:
        return f"gate: FAILED, {failing} of {len(records)} cells are not as expected"
    return f"gate: passed, all {len(records)} cells of {n_requirements} requirements are as expected"


def _latest(results: Path) -> Path:
    from bench.runs.layout import is_run

    runs = sorted(path for path in results.iterdir() if is_run(path)) if results.is_dir() else []
    if not runs:
        raise UsageError(f"{results} holds no run. `gdbench run` makes one; or name a run folder.")
    return runs[-1]


def _write_json(target: str, document: Any) -> None:
    from bench.runs.strict_json import to_json

    text = to_json(document, indent=1)
    if target == "-":
        sys.stdout.write(text)
    else:
        _write(Path(target), text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
