"""``gdbench time``: prove cells, then time the proved ones."""

from bench.arguments import Arguments, options_of
from bench.exit_codes import INTERRUPTED
from bench.harness import Proved
from bench.recording import run_environment, timing_row
from bench.report.text import complain
from bench.runs.costs import costs_fields
from bench.runs.records import Record, a_row_for_every_cell, cell_of, timings_document, verdict_record
from bench.verbs.shown import code_of, finishing, launches, planned, proofs, show, write_json


def main(arguments: Arguments) -> int:
    """``gdbench time``."""
    options = options_of(arguments)
    verdicts: list[Record] = []
    timings: list[Record] = []
    judged: list[Proved] = []
    failed = harness_failed = False
    with planned(arguments, options) as (harness, cells), finishing(arguments) as interrupted:
        harness.use_the_wait(cells)
        with proofs(arguments, len(cells)) as on_wait:
            for proved in harness.prove_all(cells, on_wait=on_wait):
                judged.append(proved)
                verdicts.append(verdict_record(proved.verdict))
        with launches(arguments, sum(one.to_be_timed for one in judged), options) as on_launch:
            for one in harness.time(judged, on_launch):
                timings.append(timing_row(one))
                failed |= one.failed
                harness_failed |= one.harness_failed
    # They ended in an order drawn by lot.
    places = {cell_of(row): place for place, row in enumerate(verdicts)}
    timings.sort(key=lambda row: places[cell_of(row)])
    show(arguments, verdicts, timings)
    if not interrupted and not any(one.verdict.proved for one in judged):
        complain("no cell is proved, so nothing was timed; the verdicts say why")
    if arguments.json:
        rows = a_row_for_every_cell(verdicts, timings, interrupted=bool(interrupted))
        document = timings_document(run_environment(options, harness.measure_limits(())), rows)
        write_json(arguments.json, document | {"verdicts": verdicts} | costs_fields(timings))
    return INTERRUPTED if interrupted else code_of(verdicts, failed=failed, harness_failed=harness_failed)
