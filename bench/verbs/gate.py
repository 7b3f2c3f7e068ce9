"""``gdbench gate``: whether every cell is as a project asks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.arguments import Arguments, options_of, request_of
from bench.errors import UsageError
from bench.exit_codes import INTERRUPTED
from bench.gate.check import asked_for, held_against, unjudged
from bench.gate.config import Requirement, read_gate
from bench.gate.contests import Contest, Contests, unheld_row
from bench.gate.lanes import base_lane
from bench.gate.speed import Demand, contests_of, limit_row, unheld_limit_row
from bench.harness import Harness, Proved
from bench.plan import Request
from bench.recording import run_environment
from bench.report.terminal import comparison_table
from bench.report.text import complain
from bench.runs.records import COMPARISONS_SCHEMA, Record, verdict_record, verdicts_document
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, console_of, contest_progress, finishing, proofs, show, write_json


def main(arguments: Arguments) -> int:
    """``gdbench gate``."""
    asked, options = request_of(arguments), options_of(arguments)
    if not arguments.speed and (arguments.base or arguments.base_python or arguments.instructions):
        raise UsageError("--base, --base-python and --instructions are for the speed gate. Add --speed.")
    requirements = read_gate(Path(arguments.config))
    demands: list[Demand] = []
    contests: list[Contest] = []
    records: list[Record] = []
    speeds: list[Record] = []
    harness_failed = False
    with Harness(options) as harness, finishing(arguments) as interrupted:
        demands += _demands(harness, requirements, asked)
        if not demands:
            raise UsageError(
                f"{arguments.config} asks nothing of the selected cells. Leave out -v and -p for all of it."
            )
        # Only now: the servers import meanwhile.
        with base_lane(arguments.base, arguments.base_python) as lane:
            # Before the proofs, so that what is not asked rightly is refused before them.
            if arguments.speed:
                contests += contests_of(
                    demands, lane, lambda request: harness.plan(request, complain), requirements=requirements
                )
            proved = []
            cells, within = [one.cell for one in demands], [one.requirement.within for one in demands]
            with proofs(arguments, len(demands)) as on_wait:
                made = harness.prove_all(cells, iterations=within, on_wait=on_wait)
                for demand, proof in zip(demands, made, strict=True):
                    records.append(verdict_record(held_against(proof.verdict, demand.requirement)))
                    if proof.verdict.proved:
                        proved.append(replace(demand, proved=proof))
            if arguments.speed:
                harness_failed = _hold_speeds(arguments, harness, proved, contests, speeds)
    if interrupted:
        records += [verdict_record(unjudged(demand.cell, demand.requirement)) for demand in demands[len(records) :]]
    show(arguments, records)
    if speeds and not arguments.quiet:
        comparison_table(console_of(arguments), speeds)
    if arguments.json:
        document = verdicts_document(run_environment(options), records)
        more = {"comparisons_schema": COMPARISONS_SCHEMA, "comparisons": speeds} if arguments.speed else {}
        write_json(arguments.json, document | more)
    tell_ci(arguments, [demand.cell for demand in demands], records, comparisons=speeds)
    if not arguments.quiet:
        line = _gate_line(records, speeds, len(requirements), interrupted=bool(interrupted))
        console_of(arguments).print(line, highlight=False)
    if interrupted:
        return INTERRUPTED
    failed = not all(row["as_expected"] for row in speeds)
    return code_of(records, failed=failed, harness_failed=harness_failed)


def _demands(harness: Harness, requirements: Sequence[Requirement], asked: Request) -> list[Demand]:
    demands = []
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
        demands += [Demand(cell, requirement) for cell in chosen]
    return demands


def _hold_speeds(
    arguments: Arguments, harness: Harness, proved: Sequence[Demand], contests: Sequence[Contest], rows: list[Record]
) -> bool:
    """Compare what is to be compared, and time what is held against the limit; each row is kept as it comes.

    Returns:
        Whether something could not be done by a mistake of the harness's.
    """
    # Two requirements may ask of one cell.
    known = {demand.cell.key: demand.proved for demand in proved if demand.proved is not None}
    contests = [contest for contest in contests if contest.head.key in known]
    within: dict[tuple[str, str, str, str], list[float]] = {}
    for demand in proved:
        if demand.requirement.within_of_limit is not None:
            within.setdefault(demand.cell.key, []).append(demand.requirement.within_of_limit)
    referee = Contests(harness, known.values(), instructions=arguments.instructions)
    harness_failed = False
    with contest_progress(arguments, len(contests) + len(within)) as shown:
        try:
            referee.prove_all(contests)
            for contest in contests:
                rows.append(referee.row(contest, shown.launched(str(contest))))
                shown.finished()
            for timed in harness.time([_to_be_timed(known[key]) for key in within]):
                rows.extend(limit_row(timed, limit) for limit in within.pop(timed.cell.key))
                harness_failed |= timed.harness_failed
                shown.finished()
        except KeyboardInterrupt:
            # No reader of a report may take the absence of a row for a green one.
            rows.extend(unheld_row(contest) for contest in contests[len(rows) :])
            rows.extend(unheld_limit_row(known[key].cell, limit) for key in within for limit in within[key])
            raise
    return harness_failed or referee.harness_failed


def _to_be_timed(proved: Proved) -> Proved:
    """The cell with its timing, which was asked for, whatever is usual with its family."""
    return replace(proved, cell=replace(proved.cell, timed=True))


def _gate_line(verdicts: Sequence[Record], speeds: Sequence[Record], n_requirements: int, *, interrupted: bool) -> str:
    if interrupted:
        return "gate: interrupted, and so not passed"
    records, what = [*verdicts, *speeds], "cells and comparisons" if speeds else "cells"
    failing = sum(not row["as_expected"] for row in records)
    if failing:
        return f"gate: FAILED, {failing} of {len(records)} {what} are not as expected"
    return f"gate: passed, all {len(records)} {what} of {n_requirements} requirements are as expected"
