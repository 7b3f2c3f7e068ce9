"""A run of which every third cell crashes, hangs or exits, and what became of its honest neighbours.

python scripts/hostile_run.py --cells 500 --output results/hostile-run.json
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.runs.environment import environment
from bench.timing.interval import half_width

DEADLINE_SECONDS = 1.0
CELLS_OF_A_PAIR = 14
"""Honest ones, in each of its two runs."""

FEWEST_PAIRS = 3
TOLERANCE = 0.05
"""How much slower, or how much more often without a number, nobody complains of."""

TELLS = 0.25
"""A comparison that would not see a difference as large as this says nothing."""

HEAD = """\
import os, signal, sys, time
import numpy as np
from bench import Descent, Problem, variant


def descend(problem: Problem, n_iters: int) -> Descent:
    x, y, w, b = problem.x, problem.y, problem.w0, problem.b0
    for _ in range(n_iters):
        error = x @ w.T - y if b is None else x @ w.T + b - y
        w = w - problem.lr * (2 / y.size * error).T @ x
        b = None if b is None else b - problem.lr * (2 / y.size * error).sum(axis=0)
    return Descent(w, b)
"""
ONE = """

@variant("{name}", backend="numpy", family="{family}")
def {function}(problem: Problem, n_iters: int) -> Descent:
    {body}
    return descend(problem, n_iters)
"""
ENDINGS = {
    "segfault": ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
    "abort": ("os.abort()", "crashed"),
    "late-crash": ("n_iters > 5 and os.kill(os.getpid(), signal.SIGKILL)", "crashed"),
    "loop": ("while True: pass", "timeout"),
    "sleep": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "timeout"),
    "exit": ("sys.exit(0)", "broken"),
    "exit-at-once": ("os._exit(0)", "crashed"),
}
"""What a hostile variant does, and the status that it must get."""


def source(cells: int, *, hostile: bool = True) -> str:
    """A module that registers so many variants, every third of them hostile."""
    endings = list(ENDINGS)
    parts = [HEAD]
    for number in range(cells):
        ending = endings[number // 3 % len(endings)] if hostile and number % 3 == 2 else None
        family = ending or "honest"
        body = "pass" if ending is None else ENDINGS[ending][0]
        function = f"cell_{number:03d}"
        parts.append(ONE.format(name=f"{number:03d}-{family}", family=family, function=function, body=body))
    return "".join(parts)


def arguments(target: Path, results: Path) -> list[str]:
    """The command line of the run."""
    plan = [str(target), "-p", "line-4", "-t", "float64", "-d", "cpu", "-o", str(results), "--quiet"]
    return ["run", *plan, "--deadline", str(DEADLINE_SECONDS), "--launches", "2", "--budget", "0"]


def complaints(run: Path, cells: int) -> list[str]:
    """What is not as it must be: a row for every cell, each hostile one with its status, the honest ones alike."""
    verdicts = bench.load(run).verdicts
    found = [] if len(verdicts) == cells else [f"{len(verdicts)} rows for {cells} cells"]
    for row in verdicts.itertuples():
        due = ENDINGS[str(row.family)][1] if row.family in ENDINGS else "proved"
        if row.status != due:
            found.append(f"{row.variant} is {row.status} where {due} was due: {row.evidence}")
    honest = verdicts[verdicts["family"] == "honest"]
    same = ("evidence", "error", "bound", "power", "converges_in", "checked_to")
    differing = (name for name in same if honest[name].nunique(dropna=False) != 1)
    found += [f"{name} is not the same in all honest cells" for name in differing]
    timed = set(bench.load(run).timings["variant"])
    found += [f"{name} was not timed" for name in honest["variant"] if name not in timed]
    return found


def run_of(place: Path, cells: int, *, hostile: bool) -> tuple[Path, int, float]:
    """The run folder, the exit code and the seconds of a run."""
    place.mkdir()
    target = place / "cells.py"
    target.write_text(source(cells, hostile=hostile))
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench", *arguments(target, place / "results")]
    code = subprocess.run(command, check=False).returncode
    [run] = (place / "results").iterdir()
    return run, code, time.perf_counter() - began


def honest_times(run: Path) -> tuple[list[float], int]:
    """Nanoseconds an iteration of the honest cells, and how many of them have no number."""
    timings = bench.load(run).timings
    times = [float(ns) for ns in timings["ns_per_iter"].dropna()]
    return times, len(timings) - len(times)


def quartiles(times: Sequence[float]) -> list[float] | None:
    """Of the times, to a tenth of a nanosecond; ``None`` of fewer than two."""
    return [round(ns, 1) for ns in statistics.quantiles(times, n=4, method="inclusive")] if len(times) > 1 else None


@dataclass(frozen=True, slots=True)
class Pair:
    """The honest cells of two runs one right after the other, without hostile ones and among them.

    Attributes:
        calm: nanoseconds an iteration of those without.
        beside: of those among hostile ones.
        calm_void: how many of the first have no number.
        beside_void: how many of the others.
    """

    calm: list[float]
    beside: list[float]
    calm_void: int
    beside_void: int


def compared(pairs: Sequence[Pair]) -> tuple[dict[str, Any], list[str]]:
    """What hostile neighbours do to the times of honest cells, and what of it is a complaint.

    Each pair gives one ratio of medians: a slow spell of the machine falls on both of its runs or makes one ratio of
    several an outlier, which widens the interval of their mean. Complained of is a mean ratio that differs from 1 by
    more than `TOLERANCE` and whose interval excludes 1; an interval so wide that a difference of `TELLS` would not be
    seen; and a share of cells without a number that is higher by more than `TOLERANCE` and two standard errors.
    """
    logs = [
        math.log(statistics.median(pair.beside) / statistics.median(pair.calm))
        for pair in pairs
        if pair.beside and pair.calm
    ]
    calm, beside = (sum(pair.calm_void for pair in pairs), sum(pair.beside_void for pair in pairs))
    calm_of, beside_of = (
        calm + sum(len(pair.calm) for pair in pairs),
        beside + sum(len(pair.beside) for pair in pairs),
    )
    found = []
    result: dict[str, Any] = {"pairs": len(pairs), "ratios": [round(math.exp(log), 3) for log in logs]}
    if len(logs) < FEWEST_PAIRS:
        found.append(f"{len(logs)} of {len(pairs)} pairs can be compared: the machine is too busy")
    else:
        mean, half = statistics.fmean(logs), half_width(logs)
        low, ratio, high = (math.exp(mean + off) for off in (-half, 0.0, half))
        result |= {"ratio": round(ratio, 3), "interval": [round(low, 3), round(high, 3)]}
        if abs(ratio - 1) > TOLERANCE and not low <= 1 <= high:
            found.append(f"honest cells take {ratio:.3f} times as long beside hostile ones ({low:.3f} to {high:.3f})")
        elif math.exp(half) > 1 + TELLS:
            found.append(f"the times differ too much to compare: {low:.3f} to {high:.3f}; try again, or more pairs")
    share = (calm + beside) / max(1, calm_of + beside_of)
    error = math.sqrt(share * (1 - share) * (1 / max(1, calm_of) + 1 / max(1, beside_of)))
    more = beside / max(1, beside_of) - calm / max(1, calm_of)
    result["void"] = {"alone": [calm, calm_of], "beside": [beside, beside_of]}
    if more > TOLERANCE + 2 * error:
        found.append(f"{beside} of {beside_of} honest cells beside hostile ones are void, {calm} of {calm_of} alone")
    return result, found


def pairs_of(place: Path, pairs: int, cells: int) -> tuple[list[Pair], list[str]]:
    """Runs of honest cells, and of as many among hostile ones, in turn and each first every other time."""
    found: list[str] = []
    made = []
    for number in range(pairs):
        runs: dict[bool, Path] = {}
        for hostile in (number % 2 == 0, number % 2 == 1):
            run, code, _ = run_of(place / f"{number}-{hostile}", cells * 3 // 2 if hostile else cells, hostile=hostile)
            found += complaints(run, cells * 3 // 2 if hostile else cells)
            if code != (NOT_AS_EXPECTED if hostile else OK):
                found.append(f"a run {'with' if hostile else 'without'} hostile cells exits with {code}")
            runs[hostile] = run
        (calm, calm_void), (beside, beside_void) = honest_times(runs[False]), honest_times(runs[True])
        made.append(Pair(calm, beside, calm_void, beside_void))
        if evidence_of(runs[False]) != evidence_of(runs[True]):
            found.append("the honest cells have other verdicts beside hostile ones than alone")
    return made, found


def evidence_of(run: Path) -> set[str]:
    """What the proofs of a run's honest cells say."""
    verdicts = bench.load(run).verdicts
    return set(verdicts.loc[verdicts["family"] == "honest", "evidence"])


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=6, help="runs with and without hostile cells, to compare times")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run, code, seconds = run_of(Path(place) / "all", asked.cells, hostile=True)
        found = complaints(run, asked.cells)
        if code != NOT_AS_EXPECTED:
            found.append(f"the run exits with {code} where {NOT_AS_EXPECTED} was due")
        pairs, more = pairs_of(Path(place), asked.pairs, CELLS_OF_A_PAIR)
        comparison, differences = compared(pairs)
        found += [*more, *differences]
        times, void = honest_times(run)
        statuses = Counter(str(status) for status in bench.load(run).verdicts["status"])
        result = {
            "cells": asked.cells,
            "exit_code": code,
            "seconds": round(seconds, 1),
            "statuses": dict(sorted(statuses.items())),
            "honest": {"timed": len(times), "void": void, "quartiles_ns": quartiles(times)},
            "beside_hostile_over_alone": comparison,
            "complaints": found,
            "environment": environment({}),
        }
    print(json.dumps({name: value for name, value in result.items() if name != "environment"}, indent=1))
    if asked.output is not None:
        asked.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
