"""``gdbench gate``: whether every cell is as a project asks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.arguments import Arguments, options_of, request_of
from bench.errors import UsageError
from bench.exit_codes import INTERRUPTED
from bench.gate.check import asked_for, held_against
from bench.gate.config import Requirement, read_gate
from bench.harness import Harness
from bench.plan import Cell
from bench.recording import run_environment
from bench.report.text import complain
from bench.runs.records import Record, verdict_record, verdicts_document
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, console_of, finishing, show, with_progress, write_json


def main(arguments: Arguments) -> int:
    """``gdbench gate``."""
    asked, options = request_of(arguments), options_of(arguments)
    requirements = read_gate(Path(arguments.config))
    records: list[Record] = []
    with Harness(options) as harness, finishing(arguments) as interrupted:
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
        for cell, requirement in zip(with_progress(cells, arguments), demands, strict=True):
            verdict = harness.prove(cell, iterations=requirement.within).verdict
            records.append(verdict_record(held_against(verdict, requirement)))
    show(arguments, records)
    if arguments.json:
        write_json(arguments.json, verdicts_document(run_environment(options), records))
    tell_ci(arguments, cells, records)
    if not arguments.quiet:
        console_of(arguments).print(_gate_line(records, len(requirements)), highlight=False)
    return INTERRUPTED if interrupted else code_of(records)


def _gate_line(records: "Sequence[Record]", n_requirements: int) -> str:
    failing = sum(not row["as_expected"] for row in records)
    if failing:
        return f"gate: FAILED, {failing} of {len(records)} cells are not as expected"
    return f"gate: passed, all {len(records)} cells of {n_requirements} requirements are as expected"
