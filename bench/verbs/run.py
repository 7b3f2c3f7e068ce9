"""``gdbench run``: prove, time and keep."""

import sys
from pathlib import Path

from bench.arguments import Arguments, as_started, options_of
from bench.errors import DiskError
from bench.exit_codes import INTERRUPTED
from bench.gate.check import unjudged
from bench.recording import (
    finish_run,
    record_proofs,
    record_timings,
    resume_run,
    run_environment,
    start_run,
)
from bench.report.terminal import shown
from bench.report.text import complain
from bench.report.times import failed_timings
from bench.runs.costs import costs_fields
from bench.runs.layout import refuse_unwritable
from bench.runs.records import cell_of, run_document, verdict_record
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, console_of, finishing, launches, planned, proofs, show, write_json


def main(arguments: Arguments) -> int:
    """``gdbench run``."""
    resumed = None
    if arguments.resume is not None:
        resumed, arguments = Path(arguments.resume), as_started(arguments)
    options = options_of(arguments)
    harness_failed = False
    refuse_unwritable(resumed or Path(arguments.results))
    # The folder not before the plan is known: a request that cannot be carried out leaves no run unfinished.
    with (
        planned(arguments, options) as (harness, cells),
        resume_run(resumed, options, cells, complain)
        if resumed
        else start_run(Path(arguments.results), options, _command(), cells) as folder,
    ):
        try:
            with finishing(arguments) as interrupted:
                with proofs(arguments, len(cells)) as on_wait:
                    proved = list(record_proofs(harness, cells, folder, on_wait))
                with launches(arguments, len(proved), options) as on_launch:
                    for one in record_timings(harness, proved, folder, on_launch):
                        harness_failed |= one.harness_failed
            done, no_page = finish_run(folder, interrupted=bool(interrupted))
        except DiskError:
            # The disk has no room for the tables; the terminal has.
            done = folder.finished_cells()
            show(arguments, done.verdicts, done.timings)
            raise
    failed = failed_timings(done.timings)
    if no_page is not None:
        complain(no_page)
    show(arguments, done.verdicts, done.timings)
    if not arguments.quiet:
        console = console_of(arguments)
        console.print(shown(console, f"kept in {folder.path}"), soft_wrap=True)
    if arguments.json:
        told = run_environment(options, harness.measure_limits(()))
        write_json(arguments.json, run_document(told, done.verdicts, done.timings) | costs_fields(done.timings))
    judged = {cell_of(row) for row in done.verdicts}
    # Not in the run, which may be resumed.
    missing = [verdict_record(unjudged(cell)) for cell in cells if cell.key not in judged] if interrupted else []
    tell_ci(arguments, cells, [*done.verdicts, *missing], timings=done.timings, failed_timings=failed)
    if interrupted:
        return INTERRUPTED
    return code_of(done.verdicts, failed=bool(failed), harness_failed=harness_failed)


def _command() -> list[str]:
    return ["gdbench", *sys.argv[1:]]
