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
from pathlib import Path
from typing import Any

import bench
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.runs.environment import environment

DEADLINE_SECONDS = 1.0
FEWEST_TIMED = 20
"""Honest cells, in each of the two runs that are compared."""

TOLERANCE = 0.05
"""How much slower, or how much more often without a number, nobody complains of."""

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


def compared(beside: Sequence[float], alone: Sequence[float], cells: int) -> tuple[dict[str, Any], list[str]]:
    """What hostile neighbours do to the times of honest cells, and what of it is a complaint.

    A run takes minutes and meets slow and quiet spells alike, so that the medians of hundreds of cells repeat where
    single times do not. Complained of are medians that differ by more than `TOLERANCE` and two standard errors,
    and a share of cells without a number that is higher by more than `TOLERANCE` and two standard errors.

    Args:
        beside: nanoseconds an iteration of the honest cells among hostile ones.
        alone: of as many without hostile ones.
        cells: how many honest cells there were in each run.
    """
    void = {"beside": cells - len(beside), "alone": cells - len(alone)}
    result: dict[str, Any] = {"void": void}
    if min(len(beside), len(alone)) < FEWEST_TIMED:
        return result, [f"{len(beside)} and {len(alone)} of {cells} cells were timed: the machine is too busy"]
    logs = [[math.log(ns) for ns in times] for times in (beside, alone)]
    difference = statistics.median(logs[0]) - statistics.median(logs[1])
    error = math.hypot(*(_error_of_median(each) for each in logs))
    result |= {"ratio": round(math.exp(difference), 3), "standard_error": round(error, 3)}
    found = []
    if abs(difference) > math.log(1 + TOLERANCE) + 2 * error:
        found.append(f"honest cells take {math.exp(difference):.3f} times as long beside hostile ones")
    share = (void["beside"] + void["alone"]) / (2 * cells)
    if void["beside"] - void["alone"] > cells * (TOLERANCE + 2 * math.sqrt(2 * share * (1 - share) / cells)):
        found.append(f"{void['beside']} of {cells} honest cells beside hostile ones are void, {void['alone']} alone")
    return result, found


def _error_of_median(values: Sequence[float]) -> float:
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return 0.93 * (high - low) / math.sqrt(len(values))


def evidence_of(run: Path) -> set[str]:
    """What the proofs of a run's honest cells say."""
    verdicts = bench.load(run).verdicts
    return set(verdicts.loc[verdicts["family"] == "honest", "evidence"])


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run, code, seconds = run_of(Path(place) / "all", asked.cells, hostile=True)
        found = complaints(run, asked.cells)
        if code != NOT_AS_EXPECTED:
            found.append(f"the run exits with {code} where {NOT_AS_EXPECTED} was due")
        times, void = honest_times(run)
        calm, calm_code, _ = run_of(Path(place) / "alone", len(times) + void, hostile=False)
        found += complaints(calm, len(times) + void)
        if calm_code != OK or evidence_of(calm) != evidence_of(run):
            found.append(f"the honest cells have other verdicts alone, with exit code {calm_code}")
        calm_times, calm_void = honest_times(calm)
        comparison, differences = compared(times, calm_times, len(times) + void)
        found += differences
        statuses = Counter(str(status) for status in bench.load(run).verdicts["status"])
        result = {
            "cells": asked.cells,
            "exit_code": code,
            "seconds": round(seconds, 1),
            "statuses": dict(sorted(statuses.items())),
            "honest": {"timed": len(times), "void": void, "quartiles_ns": quartiles(times)},
            "alone": {"timed": len(calm_times), "void": calm_void, "quartiles_ns": quartiles(calm_times)},
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
