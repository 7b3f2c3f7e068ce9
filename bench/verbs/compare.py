"""``gdbench compare``: which of two is faster, or that nobody can tell."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.arguments import Arguments, options_of, request_of, run_at
from bench.errors import UsageError
from bench.exit_codes import INTERRUPTED
from bench.gate.contests import Contest, Contests, unheld_row
from bench.gate.lanes import base_lane, require_own
from bench.gate.stored import stored_rows
from bench.harness import Harness
from bench.judge.lane import Lane
from bench.plan import Cell, Request
from bench.recording import run_environment
from bench.report.terminal import comparison_table
from bench.report.text import complain
from bench.runs.history import FINGERPRINT
from bench.runs.inputs import environment_changes
from bench.runs.journal import JOURNAL_NAME, read_journal
from bench.runs.layout import is_run, read_run_file
from bench.runs.records import Record, comparisons_document
from bench.verbs.ci import tell_ci
from bench.verbs.shown import code_of, console_of, contest_progress, finishing, write_json

USUAL_PROBLEM, USUAL_DTYPE = "line-4", "float64"
"""What is compared where nothing is selected: one cell, so that the answer is there in seconds."""


def main(arguments: Arguments) -> int:
    """``gdbench compare``."""
    options = options_of(arguments)
    in_lanes = arguments.base is not None or arguments.base_python is not None
    if len(arguments.targets) == 2 and any(is_run(Path(place)) for place in arguments.targets):
        base, head = map(run_at, arguments.targets)
        alone = replace(request_of(arguments), targets=()) == Request()
        if not alone or in_lanes or arguments.instructions:
            raise UsageError("two runs are compared in all cells that they share. Leave the other options out.")
        return _show(arguments, _stored(base, head), [])
    rows: list[Record] = []
    with base_lane(arguments.base, arguments.base_python) as lane, Harness(options) as harness:
        request = _narrowed(request_of(arguments))
        contests = _of_lanes(harness, request, lane) if in_lanes else _of_variants(harness, request)
        referee = Contests(harness, instructions=arguments.instructions)
        with finishing(arguments) as interrupted, contest_progress(arguments, len(contests)) as shown:
            for contest in contests:
                rows.append(referee.row(contest, shown.launched(str(contest))))
                shown.finished()
        # No reader of a report may take the absence of a row for a green one.
        rows += [unheld_row(contest) for contest in contests[len(rows) :]]
    code = _show(arguments, rows, [contest.head for contest in contests], harness_failed=referee.harness_failed)
    return INTERRUPTED if interrupted else code


def _narrowed(request: Request) -> Request:
    return replace(request, problems=request.problems or (USUAL_PROBLEM,), dtypes=request.dtypes or (USUAL_DTYPE,))


def _of_lanes(harness: Harness, request: Request, lane: Lane) -> list[Contest]:
    if not request.targets and not request.variants:
        raise UsageError("compare --base needs a TARGET: which variants are to be compared with what they were.")
    cells = harness.plan(request, complain)
    require_own((cell.variant for cell in cells), lane)
    return [Contest(base=replace(cell, lane=lane), head=cell) for cell in cells]


def _of_variants(harness: Harness, request: Request) -> list[Contest]:
    if len(request.targets) < 2 or request.variants:
        raise UsageError(
            "compare needs two variants: the base, then what is held against it. Or one with --base REVISION, or the "
            "folders of two runs."
        )
    base, *heads = request.targets
    of_base = harness.plan(replace(request, targets=(base,)), complain)
    if len({cell.variant.name for cell in of_base}) > 1:
        raise UsageError(f"{base} means several variants, and the base must be one. Name it.")
    bases = {_place(cell): cell for cell in of_base}
    return [
        Contest(base=bases[_place(cell)], head=cell)
        for cell in harness.plan(replace(request, targets=tuple(heads)), complain)
        if _place(cell) in bases
    ]


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.problem, cell.device, cell.dtype


def _stored(base: Path, head: Path) -> list[Record]:
    files = [read_run_file(folder) for folder in (base, head)]
    before, after = (read_journal(folder / JOURNAL_NAME).timings for folder in (base, head))
    data, other_data = ((file["inputs"] or {}).get("problems") or {} for file in files)
    differing = [name for name in data if data[name] != other_data.get(name, data[name])]
    rows = [row for row in stored_rows(base.name, before, head.name, after) if row["problem"] not in differing]
    left_out = f"; left out, since their data are others: {', '.join(differing)}" if differing else ""
    if not rows:
        raise UsageError(f"{base} and {head} have timed no cell in common{left_out}. Run the same cells in both.")
    facts = environment_changes(files[0]["environment"], files[1]["environment"], FINGERPRINT)
    if facts or left_out:
        also = f"; between the runs there has changed: {'; '.join(facts)}" if facts else ""
        complain(f"note: the code is not all that differs{left_out}{also}")
    return rows


def _show(arguments: Arguments, rows: Sequence[Record], heads: Sequence[Cell], *, harness_failed: bool = False) -> int:
    if not arguments.quiet:
        comparison_table(console_of(arguments), rows)
    if arguments.json:
        write_json(arguments.json, comparisons_document(run_environment(options_of(arguments)), rows))
    tell_ci(arguments, heads, [], comparisons=rows)
    return code_of([], failed=not all(row["as_expected"] for row in rows), harness_failed=harness_failed)
