"""A run of which every third cell crashes, hangs or exits, and what became of its honest neighbours.

python scripts/hostile_run.py --cells 500 --output results/hostile-run.json
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bench
from bench.runs.environment import environment

DEADLINE_SECONDS = 1.0
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


def times_of(run: Path) -> dict[str, Any]:
    """The times of the honest cells, in nanoseconds an iteration."""
    timings = bench.load(run).timings
    times = sorted(float(ns) for ns in timings["ns_per_iter"].dropna())
    low, median, high = statistics.quantiles(times, n=4)
    return {"timed": len(times), "void": len(timings) - len(times), "quartiles_ns": [low, median, high]}


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument(
        "--calm", type=int, default=60, help="honest cells of each of the two runs without hostile ones"
    )
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        # Alone, beside hostile ones, and alone again: a machine that changes meanwhile shows in the two that are alike.
        before, hostile, after = (
            run_of(Path(place) / name, cells, hostile=name == "hostile")
            for name, cells in (("before", asked.calm), ("hostile", asked.cells), ("after", asked.calm))
        )
        run, code, seconds = hostile
        found = complaints(run, asked.cells)
        for calm, calm_code, _ in (before, after):
            found += complaints(calm, asked.calm) + ([f"the run alone exits with {calm_code}"] if calm_code else [])
            if bench.load(run).verdicts["evidence"].iloc[0] != bench.load(calm).verdicts["evidence"].iloc[0]:
                found.append("the honest cells have other verdicts beside hostile ones than alone")
        statuses = Counter(str(status) for status in bench.load(run).verdicts["status"])
        result = {
            "cells": asked.cells,
            "exit_code": code,
            "seconds": round(seconds, 1),
            "statuses": dict(sorted(statuses.items())),
            "honest_beside_hostile": times_of(run),
            "honest_alone": {"before": times_of(before[0]), "after": times_of(after[0])},
            "complaints": found,
            "environment": environment({}),
        }
    print(json.dumps({name: value for name, value in result.items() if name != "environment"}, indent=1))
    if asked.output is not None:
        asked.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if code == 1 and not found else 1


if __name__ == "__main__":
    sys.exit(main())
