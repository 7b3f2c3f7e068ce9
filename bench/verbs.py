"""What the verbs of the command line do: one thin function each."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.cli import HARNESS_FAILED, INTERRUPTED, NOT_AS_EXPECTED, OK
from bench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.harness import Harness, Options
    from bench.plan import Cell, Request
    from bench.runs.folder import RunFolder
    from bench.runs.records import Record

Arguments = argparse.Namespace
T = TypeVar("T")


def list_(arguments: Arguments) -> int:
    """``gdbench list``."""
    from dataclasses import asdict

    from bench.plan import chosen_variants
    from bench.problems.catalogue import CATALOGUE, select
    from bench.report.terminal import problem_table, variant_table

    variants = chosen_variants(_request(arguments), complain=_complain)
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
    from bench.harness import run_environment
    from bench.runs.records import verdict_record, verdicts_document

    options = _options(arguments)
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
    from bench.harness import run_environment, timing_row
    from bench.runs.records import timings_document, verdict_record

    options = _options(arguments)
    verdicts: list[Record] = []
    timings: list[Record] = []
    failed = False
    with _harness(arguments, options) as (harness, cells), _finishing(arguments) as interrupted:
        judged = []
        for cell in _with_progress(cells, arguments):
            judged.append(harness.prove(cell))
            verdicts.append(verdict_record(judged[-1].verdict))
        with _launches(arguments, sum(one.verdict.proved for one in judged), options) as on_launch:
            for one in harness.time(judged, on_launch):
                timings.append(timing_row(one))
                failed |= one.failed
    _show(arguments, verdicts, timings)
    if arguments.json:
        document = timings_document(run_environment(options), _a_row_for_every_cell(verdicts, timings))
        _write_json(arguments.json, document | {"verdicts": verdicts})
    return INTERRUPTED if interrupted else _code(verdicts, failed=failed)


def run_(arguments: Arguments) -> int:
    """``gdbench run``."""
    from bench.harness import record_proofs, record_timings, run_environment, start_run
    from bench.runs.folder import RunFolder
    from bench.runs.records import run_document

    resumed = RunFolder.open(Path(arguments.resume)) if arguments.resume else None
    if resumed is not None:
        arguments = _as_started(resumed, arguments)
    options = _options(arguments)
    failed = False
    with _harness(arguments, options) as (harness, cells):
        with resumed or start_run(Path(arguments.results), options, ["gdbench", *sys.argv[1:]]) as folder:
            with _finishing(arguments) as interrupted:
                proved = list(record_proofs(harness, _with_progress(cells, arguments), folder))
                with _launches(arguments, len(proved), options) as on_launch:
                    for one in record_timings(harness, proved, folder, on_launch):
                        failed |= one.failed
            done = folder.finished_cells()
            folder.finish(datetime.now(UTC), interrupted=bool(interrupted))
        _write_page(folder, done.verdicts, done.timings, done.iterates)
    _show(arguments, done.verdicts, done.timings)
    if not arguments.quiet:
        _console(arguments).print(f"kept in {folder.path}", soft_wrap=True, highlight=False)
    if arguments.json:
        _write_json(arguments.json, run_document(run_environment(options), done.verdicts, done.timings))
    return INTERRUPTED if interrupted else _code(done.verdicts, failed=failed)


def gate_(arguments: Arguments) -> int:
    """``gdbench gate``."""
    from dataclasses import replace

    from bench.gate.check import held_against
    from bench.gate.config import read_gate
    from bench.harness import Harness, run_environment
    from bench.runs.records import verdict_record, verdicts_document

    asked, options = _request(arguments), _options(arguments)
    requirements = read_gate(Path(arguments.config))
    records: list[Record] = []
    with Harness(options) as harness, _finishing(arguments) as interrupted:
        cells = []
        for requirement in requirements:
            request = replace(
                asked,
                variants=asked.variants or requirement.variant,
                problems=asked.problems or requirement.problem,
                devices=asked.devices or requirement.device,
                dtypes=asked.dtypes or requirement.dtype,
            )
            cells += [(cell, requirement) for cell in harness.plan(request, _complain)]
        for cell, requirement in _with_progress(cells, arguments):
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

    request, options = _request(arguments), _options(arguments)
    if not request.targets and not request.variants:
        raise UsageError("explain needs a TARGET, such as numpy-dot-mean or path/to/file.py:function.")
    with Harness(options) as harness:
        for story in harness.stories(request, _complain):
            print(explanation(story))
    return OK


def report_(arguments: Arguments) -> int:
    """``gdbench report``."""
    from bench.report.markdown import markdown_report
    from bench.runs.journal import JOURNAL_NAME, read_journal
    from bench.runs.layout import read_run_file
    from bench.runs.records import run_document

    folder = Path(arguments.run) if arguments.run else _latest(Path(arguments.results))
    environment, cells = read_run_file(folder)["environment"], read_journal(folder / JOURNAL_NAME)
    if arguments.json:
        _write_json(arguments.json, run_document(environment, cells.verdicts, cells.timings))
    if arguments.format == "terminal":
        _show(arguments, cells.verdicts, cells.timings)
        return OK
    if arguments.format == "markdown":
        text = markdown_report(environment, cells.verdicts, cells.timings)
    else:
        from bench.report.html import html_report

        text = html_report(environment, cells.verdicts, cells.timings, cells.iterates)
    if arguments.output is None:
        print(text)
    else:
        _write(Path(arguments.output), text)
    return OK


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


def _request(arguments: Arguments) -> "Request":
    from bench.plan import Request, known_backend

    def names(values: Iterable[str]) -> tuple[str, ...]:
        return tuple(name.strip() for value in values for name in value.split(",") if name.strip())

    return Request(
        targets=tuple(arguments.targets),
        variants=tuple(arguments.variant),
        problems=tuple(arguments.problem),
        devices=tuple(arguments.device),
        dtypes=tuple(arguments.dtype),
        backend=None if arguments.backend is None else known_backend(arguments.backend),
        features=names(arguments.features),
        outputs=names(arguments.outputs),
        lr="auto" if arguments.lr == "auto" else _number(arguments.lr, "--lr"),
        bias=not arguments.no_bias,
    )


def _options(arguments: Arguments) -> "Options":
    from bench.harness import Options
    from bench.judge.workshop import WorkerLimits

    for name in ("deadline", "memory", "threads", "iterations", "launches"):
        value = getattr(arguments, name, None)
        if value is not None and not value > 0:
            raise UsageError(f"--{name} is {value}; it must be positive.")
    if arguments.seed < 0:
        raise UsageError(f"--seed is {arguments.seed}; it must not be negative.")
    limits = WorkerLimits(
        call_seconds=arguments.deadline,
        memory_bytes=None if arguments.memory is None else int(arguments.memory * 2**30),
        threads=arguments.threads,
    )
    return Options(
        limits=limits,
        seed=arguments.seed,
        launches=getattr(arguments, "launches", 5),
        iterations=arguments.iterations,
        in_process=getattr(arguments, "in_process", False),
    )


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}; it is a number, or auto.") from None


@contextmanager
def _harness(arguments: Arguments, options: "Options") -> "Iterator[tuple[Harness, list[Cell]]]":
    from bench.harness import Harness

    request = _request(arguments)
    with Harness(options) as harness:
        yield harness, harness.plan(request, _complain)


@contextmanager
def _finishing(arguments: Arguments) -> Iterator[list[bool]]:
    """Let Ctrl-C end the work but not what is done with it: the list is empty unless it was pressed."""
    interrupted: list[bool] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(True)
        if not arguments.quiet:
            _complain("interrupted; what is finished is kept")


def _with_progress(cells: Sequence[T], arguments: Arguments) -> Iterator[T]:
    from bench.report.terminal import progress

    with progress(len(cells), quiet=arguments.quiet) as shown:
        for cell in cells:
            shown.begin(str(cell))
            yield cell
            shown.finish()


@contextmanager
def _launches(arguments: Arguments, n_cells: int, options: "Options") -> "Iterator[Callable[[Cell, int], None]]":
    from bench.report.terminal import progress

    with progress(n_cells * options.launches, quiet=arguments.quiet) as shown:

        def on_launch(cell: "Cell", launch: int) -> None:
            shown.begin(f"{cell}, launch {launch}")
            shown.finish()

        yield on_launch


def _show(arguments: Arguments, verdicts: "Sequence[Record]", timings: "Sequence[Record]" = ()) -> None:
    from bench.report.terminal import summary, timing_table, verdict_table

    if arguments.quiet:
        return
    console = _console(arguments)
    verdict_table(console, verdicts)
    timing_table(console, [row for row in timings if row["ns_per_iter"] is not None])
    console.print(summary(verdicts), highlight=False, soft_wrap=True)


def _console(arguments: Arguments) -> "Console":
    from rich.console import Console

    return Console(stderr=arguments.json == "-")


def _code(verdicts: "Iterable[Record]", *, failed: bool = False) -> int:
    verdicts = list(verdicts)
    if any(row["status"] == "judge-error" for row in verdicts):
        return HARNESS_FAILED
    return NOT_AS_EXPECTED if failed or not all(row["as_expected"] for row in verdicts) else OK


def _as_started(folder: "RunFolder", arguments: Arguments) -> Arguments:
    """The command line that a run was started with: resuming it means the same cells."""
    from bench.cli import build_parser

    started = build_parser().parse_args(folder.start.command[1:])
    if started.verb != "run_":
        raise UsageError(f"{folder.path} was not made by `gdbench run`, but by {' '.join(folder.start.command)}.")
    started.quiet, started.json = arguments.quiet, arguments.json
    return started


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


def _write_page(
    folder: "RunFolder", verdicts: "Sequence[Record]", timings: "Sequence[Record]", iterates: "Sequence[Record]"
) -> None:
    from bench.report.html import html_report

    try:
        page = html_report(folder.start.environment, verdicts, timings, iterates)
    except UnavailableError as error:
        _complain(f"no HTML page was written: {error}")
    else:
        _write(folder.path / "report.html", page)


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


def _complain(message: str) -> None:
    print(f"gdbench: {message}", file=sys.stderr)
