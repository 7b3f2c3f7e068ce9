"""``gdbench verify``: prove cells."""

from bench.arguments import Arguments, options_of
from bench.exit_codes import INTERRUPTED
from bench.gate.check import unjudged
from bench.recording import run_environment
from bench.runs.records import Record, verdict_record, verdicts_document
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, finishing, planned, proofs, show, write_json


def main(arguments: Arguments) -> int:
    """``gdbench verify``."""
    options = options_of(arguments)
    records: list[Record] = []
    with (
        planned(arguments, options) as (harness, cells),
        finishing(arguments) as interrupted,
        proofs(arguments, len(cells)) as on_wait,
    ):
        # Not a comprehension: what is finished before Ctrl-C is to be shown.
        for proved in harness.prove_all(cells, on_wait=on_wait):
            records.append(verdict_record(proved.verdict))  # noqa: PERF401
    if interrupted:
        records += [verdict_record(unjudged(cell)) for cell in cells[len(records) :]]
    show(arguments, records)
    if arguments.json:
        write_json(arguments.json, verdicts_document(run_environment(options), records))
    tell_ci(arguments, cells, records)
    return INTERRUPTED if interrupted else code_of(records)
