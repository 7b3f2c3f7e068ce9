"""From verdicts and timings to the run folder: each cell is in the journal as soon as it ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UnavailableError, UsageError
from bench.harness import Harness, Options, Proved, Timed
from bench.plan import Cell
from bench.proof.sighting import Observation
from bench.proof.subject import Failure
from bench.proof.verdict import Status
from bench.runs.environment import environment
from bench.runs.folder import RunFolder, writing
from bench.runs.inputs import MAY_CHANGE, changes, environment_changes, inputs_of
from bench.runs.journal import Cells
from bench.runs.layout import read_run_file, replace_file
from bench.runs.records import Record, cell_of, timing_record, untimed_record, verdict_record
from bench.timing.limits.work import Shape
from bench.timing.record import Timing


def start_run(results: Path, options: Options, command: Sequence[str], cells: Sequence[Cell]) -> RunFolder:
    """A new run folder, with what the run is measured on and what it is made from."""
    return RunFolder.create(
        results,
        datetime.now(UTC),
        environment=run_environment(options),
        command=command,
        seed=options.seed,
        inputs=inputs_of(cells),
    )


def resume_run(run: Path, options: Options, cells: Sequence[Cell], complain: Callable[[str], None]) -> RunFolder:
    """The folder of a run, to go on with; nothing in it is touched where going on would mix two things in one run.

    Args:
        run: the folder.
        options: those that the run was started with.
        cells: its plan, made anew.
        complain: is given a line on what has changed and does not matter enough to refuse.

    Raises:
        UsageError: the code, the data or the machine is not what it was; the message names what.
    """
    held = read_run_file(run)
    if held.get("inputs") is None:
        raise UsageError(f"{run} does not say what it was made from: an earlier gdbench made it. Start a new run.")
    now = run_environment(options)
    changed = [*changes(held["inputs"], inputs_of(cells)), *environment_changes(held["environment"], now)]
    if changed:
        raise UsageError(
            f"{run} cannot be resumed, because its rows would not be of one making any more. Since it was started "
            f"there has changed: {'; '.join(changed)}. Undo that, or start a new run."
        )
    for fact in environment_changes(held["environment"], now, MAY_CHANGE):
        complain(f"note: since the run was started there has changed: {fact}")
    return RunFolder.open(run)


def run_environment(options: Options, limits: Mapping[str, object] | None = None) -> dict[str, Any]:
    """The facts of this machine and of how workers are started, with what it can do at most where that was measured."""
    facts = environment(threads=options.limits.thread_settings())
    return facts if limits is None else {**facts, "limits": dict(limits)}


def record_proofs(
    harness: Harness,
    cells: Sequence[Cell],
    folder: RunFolder,
    on_wait: Callable[[Cell], None] = lambda _: None,
) -> Iterator[Proved]:
    """Prove the cells, each in the journal as soon as it ends, and yield those that are still to be timed.

    Cells that the journal already has, verdict and timing, are not done again. A cell whose verdict alone is there is
    proved anew before it is timed: no number without a proof.
    """
    done = folder.finished_cells()
    judged = {cell_of(row): row["status"] for row in done.verdicts}
    timed = {cell_of(row) for row in done.timings}
    recorded = {cell.key for cell in cells if cell.key not in judged}
    settled = timed | {
        cell.key for cell in cells if cell.key in judged and (judged[cell.key] != Status.PROVED.value or not cell.timed)
    }
    left = [cell for cell in cells if cell.key not in settled]
    for proved in harness.prove_all(left, recorded=recorded, on_wait=on_wait):
        if proved.cell.key in recorded:
            folder.append_verdict(verdict_record(proved.verdict), iterate_records(proved), proved.exchange)
        if proved.to_be_timed:
            yield replace(proved, exchange=())


def record_timings(
    harness: Harness,
    proved: Sequence[Proved],
    folder: RunFolder,
    on_launch: Callable[[Cell, int], None] | None = None,
) -> Iterator[Timed]:
    """Time proved cells, each in the journal as soon as it ends."""
    limits = harness.measure_limits(proved)
    if limits is not None:
        folder.note_limits(limits)
    for one in harness.time(proved, on_launch):
        folder.append_timing(timing_row(one))
        yield one


def finish_run(folder: RunFolder, *, interrupted: bool = False) -> tuple[Cells, str | None]:
    """Write the run's tables and its page.

    Returns:
        All that the run found; and why there is no page, where what draws it is not installed.

    Raises:
        DiskError: the disk is full; what the run found is in its journal.
    """
    from bench.report.html import html_report  # noqa: PLC0415 - nothing before the end of a run needs it

    done = folder.finish(datetime.now(UTC), interrupted=interrupted)
    try:
        environment = folder.start.environment
        page = html_report(environment, done.verdicts, done.timings, done.iterates, unfinished=interrupted)
    except UnavailableError as error:
        return done, f"no HTML page was written: {error}"
    with writing(folder.path):
        replace_file(folder.path / "report.html", page.encode("utf-8", "backslashreplace"))
    return done, None


def timing_row(timed: Timed) -> Record:
    """The row of a timed cell; where there is no timing, its numbers are missing and its note says why."""
    shape = None if timed.cell.data is None else Shape.of(timed.cell.data)
    if isinstance(timed.outcome, Timing):
        return timing_record(timed.outcome, shape)
    reason = timed.outcome.message if isinstance(timed.outcome, Failure) else timed.outcome.reason
    return untimed_record(timed.cell.variant, timed.cell.key, reason, shape, failed=timed.failed)


def iterate_records(proved: Proved) -> list[Record]:
    """The rows of the ``iterates`` frame: every component of every state that was seen."""
    variant, problem, device, dtype = proved.cell.key
    has_bias = proved.cell.data is not None and proved.cell.data.b0 is not None
    rows: list[Record] = []
    for seen in proved.observations:
        bias_row = seen.observed.shape[-2] - 1 if _with_bias(seen, has_bias) else None
        for place in np.ndindex(seen.observed.shape):
            *batch, parameter, output = place
            index = [*batch, output] if parameter == bias_row else [*batch, output, parameter]
            rows.append(
                {
                    "variant": variant,
                    "problem": problem,
                    "device": device,
                    "dtype": dtype,
                    "probe": seen.probe,
                    "n": seen.n_iters,
                    "component": f"{'b' if parameter == bias_row else 'w'}[{','.join(map(str, index))}]",
                    "observed": float(seen.observed[place]),
                    "exact": float(seen.exact[place]),
                    "bound": float(seen.bound[place]),
                }
            )
    return rows


def _with_bias(seen: Observation, problem_has_bias: bool) -> bool:
    return "+ bias" in seen.probe if seen.probe.startswith("probe") else problem_has_bias
