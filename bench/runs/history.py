"""The history of cells: the runs in a folder that can be put side by side, and why the others cannot."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.runs.frames import load_timings
from bench.runs.inputs import MUST_STAY
from bench.runs.layout import RUN_FILE, is_run, read_run_file
from bench.runs.records import CELL_FIELDS, cell_of
from bench.timing.steps import Step, steps

HISTORY_SCHEMA = "gdbench/history/1"

ADVICE = "advisory: runs are not interleaved; use `gdbench compare` or `gdbench gate --speed` to decide"
"""What every face of a history says."""

MOST_RUNS = 300
"""Of so many runs, the latest, a history is made."""

FINGERPRINT = (*(fact for fact in MUST_STAY if fact != "gdbench"), "logical_cores")
"""Facts of the environment in which runs must agree to be put side by side. How a cell fares from one gdbench, or from
one commit, to the next is what a history shows."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a history.

    Attributes:
        run: the name of its folder.
        started: when, in UTC.
        commit: of the source tree; ``None`` where it is not known.
        dirty: whether the tree had changes that were not committed.
    """

    run: str
    started: datetime
    commit: str | None
    dirty: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One cell in one run: ns per iteration, and the 95 % interval over launches."""

    run: PastRun
    ns_per_iter: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Line:
    """One cell over its runs.

    Attributes:
        cell: variant, problem, device, dtype.
        points: at least one, in the order of time.
        steps: where its level changed; their indices are those of the points.
    """

    cell: tuple[str, str, str, str]
    points: tuple[Point, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run, or cells of one, that the history is made without, and why."""

    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """Cells over runs of one machine, one set of versions and one setting of threads.

    Attributes:
        fingerprint: the facts in which all runs agree.
        runs: in the order of time.
        lines: a line a cell, in the order in which the latest run that has them gives them.
        left_out: in the order of names.
    """

    fingerprint: Mapping[str, Any]
    runs: tuple[PastRun, ...]
    lines: tuple[Line, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A run folder as it was read.

    Attributes:
        past: the run.
        own_name: what its ``run.json`` calls it; a copy of the folder has the same.
        environment: what it was measured on.
        problems: the checksum of each problem's data; empty in runs of an earlier gdbench.
        timings: its rows that have a time.
    """

    past: PastRun
    own_name: str
    environment: Mapping[str, Any]
    problems: Mapping[str, Any]
    timings: Sequence[Mapping[str, Any]]


def read_history(results: Path) -> History:
    """The history of the cells in a folder of runs: of those runs that are of the latest one's making.

    Args:
        results: a folder of run folders. One that is damaged is left out.

    Raises:
        UsageError: there is no such folder, or no cell was timed in two runs that can be put side by side.
    """
    if not results.is_dir() or is_run(results):
        what = "is one run" if results.is_dir() else "is no folder"
        raise UsageError(f"{results} {what}. Give --history the folder that the runs are in, such as results.")
    left_out: list[LeftOut] = []
    loaded = sorted(_readable(results, left_out), key=lambda one: (one.past.started, one.past.run))
    alike = list(_alike(loaded, left_out))
    data = {name: digest for one in alike for name, digest in one.problems.items()}
    points: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for one in alike:
        other_data = sorted(name for name, digest in one.problems.items() if digest != data[name])
        for row in one.timings:
            if row["problem"] not in other_data:
                point = Point(one.past, *(float(row[name]) for name in ("ns_per_iter", "ci_low", "ci_high")))
                points[tuple(map(str, cell_of(row)))].append(point)
        if other_data:
            left_out.append(LeftOut(one.past.run, f"its cells on {', '.join(other_data)}: their data were others"))
    left_out.sort(key=lambda one: one.run)
    if max(map(len, points.values()), default=0) < 2:
        raise UsageError(_too_few(results, alike, left_out))
    fingerprint = {fact: alike[-1].environment.get(fact) for fact in FINGERPRINT if fact in alike[-1].environment}
    # The latest run first: what it has is what is asked about.
    cells = dict.fromkeys(tuple(map(str, cell_of(row))) for one in reversed(alike) for row in one.timings)
    lines = tuple(_line(cell, points[cell]) for cell in cells if cell in points)
    return History(fingerprint, tuple(one.past for one in alike), lines, tuple(left_out))


def history_document(history: History) -> dict[str, object]:
    """The document of ``gdbench report --history --json``."""
    return {
        "schema": HISTORY_SCHEMA,
        "advice": ADVICE,
        "environment": history.fingerprint,
        "runs": [_run_record(run) for run in history.runs],
        "left_out": [{"run": one.run, "reason": one.reason} for one in history.left_out],
        "cells": [
            dict(zip(CELL_FIELDS, line.cell, strict=True))
            | {
                "points": [
                    {
                        "run": point.run.run,
                        "ns_per_iter": point.ns_per_iter,
                        "ci_low": point.ci_low,
                        "ci_high": point.ci_high,
                    }
                    for point in line.points
                ],
                "steps": [
                    _run_record(line.points[step.first].run)
                    | {"ratio": step.ratio, "ci_low": step.ci_low, "ci_high": step.ci_high}
                    for step in line.steps
                ],
            }
            for line in history.lines
        ],
    }


def _run_record(run: PastRun) -> dict[str, object]:
    started = run.started.isoformat(timespec="seconds")
    return {"run": run.run, "started": started, "commit": run.commit, "dirty": run.dirty}


def _readable(results: Path, left_out: list[LeftOut]) -> Iterator[_Loaded]:
    try:
        folders = sorted(path for path in results.iterdir() if path.is_dir())
    except OSError as error:
        raise UsageError(f"{results} cannot be read: {error.strerror}. Get permission, or name another.") from error
    for folder in folders:
        try:
            if is_run(folder):
                yield _loaded(folder)
        except OSError as error:
            left_out.append(LeftOut(folder.name, f"damaged: {error.strerror or error}"))
        except UsageError as error:
            left_out.append(LeftOut(folder.name, f"damaged: {error}"))


def _loaded(folder: Path) -> _Loaded:
    if not (folder / RUN_FILE).is_file():
        raise UsageError(f"{folder / RUN_FILE} is missing, so nobody knows when and on what it ran.")
    held = read_run_file(folder)
    try:
        started = datetime.fromisoformat(held["started"]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{folder / RUN_FILE} says that it started at {held['started']!r:.80}, no time.") from None
    inputs, git = held.get("inputs") or {}, held["environment"].get("git")
    problems, git = inputs.get("problems"), git if isinstance(git, dict) else {}
    commit = git.get("commit")
    past = PastRun(folder.name, started, commit if isinstance(commit, str) else None, git.get("dirty") is True)
    rows = load_timings(folder)
    times = rows[["ns_per_iter", "ci_low", "ci_high"]].astype("float64")
    usable = (times > 0).all(axis=1) & (times < math.inf).all(axis=1)
    timings = [{str(name): value for name, value in row.items()} for row in rows[usable].to_dict("records")]
    return _Loaded(past, held["run"], held["environment"], problems if isinstance(problems, dict) else {}, timings)


def _alike(loaded: Sequence[_Loaded], left_out: list[LeftOut]) -> Iterator[_Loaded]:
    """The runs of the latest one's making, without copies, the latest `MOST_RUNS` of them."""
    seen: dict[str, str] = {}
    kept: list[_Loaded] = []
    for one in reversed(loaded):
        latest = loaded[-1]
        differing = [fact for fact in FINGERPRINT if one.environment.get(fact) != latest.environment.get(fact)]
        if differing:
            facts = (f"{fact} ({_fact(one, fact)}, not {_fact(latest, fact)})" for fact in differing)
            left_out.append(LeftOut(one.past.run, f"of another making than {latest.past.run}: {', '.join(facts)}"))
        elif one.own_name in seen:
            left_out.append(LeftOut(one.past.run, f"a copy of {seen[one.own_name]}"))
        elif len(kept) == MOST_RUNS:
            left_out.append(LeftOut(one.past.run, f"older than the latest {MOST_RUNS} runs"))
        else:
            seen[one.own_name] = one.past.run
            kept.append(one)
    return reversed(kept)


def _fact(loaded: _Loaded, fact: str) -> str:
    value = loaded.environment.get(fact)
    return "not there" if value is None else str(value)


def _line(cell: tuple[str, ...], points: Sequence[Point]) -> Line:
    variant, problem, device, dtype = cell
    series = [[getattr(point, name) for point in points] for name in ("ns_per_iter", "ci_low", "ci_high")]
    return Line((variant, problem, device, dtype), tuple(points), steps(*series))


def _too_few(results: Path, alike: Sequence[_Loaded], left_out: Sequence[LeftOut]) -> str:
    others = "".join(f" Left out is {one.run}: {one.reason.rstrip('.')}." for one in left_out)
    return (
        f"{results} has no cell that was timed in two runs of one machine, one set of versions and one setting of "
        f"threads; {len(alike)} of its runs can be put side by side.{others} Run `gdbench run` again here."
    )
