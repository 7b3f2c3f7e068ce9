"""``gdbench gate``: whether every cell is as a project asks."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.arguments import Arguments, options_of, request_of
from bench.errors import UsageError
from bench.exit_codes import INTERRUPTED
from bench.gate.check import asked_for, held_against, unjudged
from bench.gate.config import Requirement, read_gate
from bench.gate.contests import Contest, Contests, unheld_row
from bench.gate.lanes import base_lane
from bench.gate.speed import Demand, bases_of, contests_of, limit_row, unheld_limit_row
from bench.harness import Harness, Proved
from bench.plan import Request
from bench.recording import run_environment
from bench.report.terminal import comparison_table
from bench.report.text import complain
from bench.runs.records import COMPARISONS_SCHEMA, Record, verdict_record, verdicts_document
from bench.variants.contract import Variant
from bench.variants.discovery import refuse_namesake
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, console_of, contest_progress, finishing, proofs, show, write_json

_Key = tuple[str, str, str, str]


def main(arguments: Arguments) -> int:
    """``gdbench gate``."""
    asked, options = request_of(arguments), options_of(arguments)
    if not arguments.speed and (arguments.base or arguments.base_python or arguments.instructions):
        raise UsageError("--base, --base-python and --instructions are for the speed gate. Add --speed.")
    requirements = read_gate(Path(arguments.config))
    demands: list[Demand] = []
    verdicts: dict[int, Record] = {}
    speeds: _Speeds | None = None
    with Harness(options) as harness, finishing(arguments) as interrupted:
        demands += _demands(harness, requirements, asked, arguments.config)
        # Only now: the servers import meanwhile.
        with base_lane(arguments.base, arguments.base_python) as lane:
            turns: Iterable[list[int]] = [list(range(len(demands)))]
            # Before the proofs, so that what is not asked rightly is refused before them.
            if arguments.speed:
                contests = contests_of(
                    demands, lane, lambda request: harness.plan(request, complain), requirements=requirements
                )
                speeds = _Speeds(arguments, harness, demands, contests)
                # NumPy's are compared while torch is imported.
                turns = harness.in_turns([[demand.cell, *bases_of(demand.cell, contests)] for demand in demands])
            for numbers in turns:
                cells = [demands[number].cell for number in numbers]
                within = [demands[number].requirement.within for number in numbers]
                judged = []
                with proofs(arguments, len(numbers)) as on_wait:
                    made = harness.prove_all(cells, iterations=within, on_wait=on_wait)
                    for number, proof in zip(numbers, made, strict=True):
                        judged.append(proof)
                        verdicts[number] = verdict_record(held_against(proof.verdict, demands[number].requirement))
                if speeds is not None:
                    speeds.compare(judged)
            if speeds is not None:
                speeds.hold_against_limits()
    records = [
        verdicts.get(number) or verdict_record(unjudged(demand.cell, demand.requirement))
        for number, demand in enumerate(demands)
    ]
    rows = [] if speeds is None else speeds.rows()
    show(arguments, records)
    if rows and not arguments.quiet:
        comparison_table(console_of(arguments), rows)
    if arguments.json:
        document = verdicts_document(run_environment(options), records)
        more = {"comparisons_schema": COMPARISONS_SCHEMA, "comparisons": rows} if arguments.speed else {}
        write_json(arguments.json, document | more)
    tell_ci(arguments, [demand.cell for demand in demands], records, comparisons=rows)
    if not arguments.quiet:
        n_requirements = len({demand.requirement for demand in demands})
        line = _gate_line(records, rows, n_requirements, interrupted=bool(interrupted))
        console_of(arguments).print(line, highlight=False)
    if interrupted:
        return INTERRUPTED
    failed = not all(row["as_expected"] for row in rows)
    return code_of(records, failed=failed, harness_failed=speeds is not None and speeds.harness_failed)


def _demands(harness: Harness, requirements: Sequence[Requirement], asked: Request, file: str) -> list[Demand]:
    demands: list[Demand] = []
    known: dict[str, Variant] = {}
    for requirement in requirements:
        request = replace(
            asked,
            targets=requirement.variant,
            variants=(),
            problems=requirement.problem,
            devices=asked.devices or requirement.device,
            dtypes=asked.dtypes or requirement.dtype,
        )
        demands += [Demand(cell, requirement) for cell in harness.plan(request, complain)]
    for variant in dict.fromkeys(demand.cell.variant for demand in demands):
        refuse_namesake(known.setdefault(variant.name, variant), variant)
    chosen = [demand for demand in demands if asked_for(demand.cell, asked)]
    if not chosen:
        variants, problems = list(known), list(dict.fromkeys(demand.cell.problem for demand in demands))
        raise UsageError(
            f"{file} asks nothing of the cells that -v and -p select: it asks of {', '.join(variants)} on "
            f"{', '.join(problems)}. Name some of them, or leave out -v and -p."
        )
    return chosen


class _Speeds:
    """What is asked of the speed of cells, and the rows that come of it.

    Attributes:
        harness_failed: whether something could not be done by a mistake of the harness's.
    """

    def __init__(
        self, arguments: Arguments, harness: Harness, demands: Sequence[Demand], contests: Sequence[Contest]
    ) -> None:
        self.harness_failed = False
        self._arguments, self._harness, self._contests = arguments, harness, contests
        self._referee = Contests(harness, instructions=arguments.instructions)
        # Two demands may be of one cell.
        self._within: dict[_Key, list[float]] = {}
        for demand in demands:
            if demand.requirement.within_of_limit is not None:
                self._within.setdefault(demand.cell.key, []).append(demand.requirement.within_of_limit)
        self._proved: dict[_Key, Proved] = {}
        self._compared: dict[int, Record] = {}
        self._held: dict[_Key, list[Record]] = {}

    def compare(self, judged: Iterable[Proved]) -> None:
        """Compare those among these cells that are proved with what they may not be slower than."""
        new = {one.cell.key: one for one in judged if one.verdict.proved}
        self._proved.update(new)
        self._referee.know(new.values())
        numbered = [each for each in enumerate(self._contests) if each[1].head.key in new]
        if not numbered:
            return
        with contest_progress(self._arguments, len(numbered)) as shown:
            self._referee.prove_all(contest for _, contest in numbered)
            for number, contest in numbered:
                self._compared[number] = self._referee.row(contest, shown.launched(str(contest)))
                shown.finished()
        self.harness_failed |= self._referee.harness_failed

    def hold_against_limits(self) -> None:
        """Time the proved cells that are held against the limit of the machine."""
        asked = [_to_be_timed(self._proved[key]) for key in self._within if key in self._proved]
        if not asked:
            return
        with contest_progress(self._arguments, len(asked)) as shown:
            for timed in self._harness.time(asked):
                key = timed.cell.key
                self._held[key] = [limit_row(timed, within) for within in self._within[key]]
                self.harness_failed |= timed.harness_failed
                shown.finished()

    def rows(self) -> list[Record]:
        """A row for all that is asked of proved cells.

        No reader of a report may take the absence of one for a green one: what an interrupt prevented has its row too.
        """
        rows = [
            self._compared.get(number) or unheld_row(contest)
            for number, contest in enumerate(self._contests)
            if contest.head.key in self._proved
        ]
        for key, limits in self._within.items():
            if key in self._proved:
                cell = self._proved[key].cell
                rows += self._held.get(key) or [unheld_limit_row(cell, within) for within in limits]
        return rows


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
