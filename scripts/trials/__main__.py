"""How often `gdbench compare` is right: python -m scripts.trials --trials 200 --output results/compare-trials.json.

Each trial is one comparison as `gdbench compare` makes it, with a seed of its own; every other one beside a neighbour
that keeps a processor busy in bursts. Trials that the output has already are not made again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.gate.contests import Contest, Contests
from bench.harness import Harness, Options
from bench.plan import Cell, Request
from bench.runs.environment import environment
from bench.runs.inputs import environment_changes
from scripts.trials.page import table
from scripts.trials.planting import PRODUCTS, product_share
from scripts.trials.works import WORKS, Work, write

SHARES = (0.0, 0.05, 0.03)
KEPT = ("verdict", "ratio", "ci_low", "ci_high", "null_ratio", "launches", "seconds", "reason")
NEIGHBOUR = """\
import os, random, time
chance, parent = random.Random({seed}), os.getppid()
while os.getppid() == parent:
    end = time.perf_counter() + chance.expovariate(1 / 0.05)
    while time.perf_counter() < end:
        pass
    time.sleep(chance.expovariate(1 / 0.05))
"""
"""A process that computes for 50 ms and sleeps for 50 ms, on average, until its parent is gone."""


@contextmanager
def neighbour(seed: int, *, there: bool) -> Iterator[None]:
    """A busy process beside what the block does."""
    if not there:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR.format(seed=seed)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Make the trials that are missing, and say how all of them came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="of each share")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no trial after so long")
    asked = parser.parse_args()
    found: dict[str, Any] = {"trials": [], "product_share": {}}
    here = environment({})
    if asked.output.exists():
        found = json.loads(asked.output.read_text(encoding="utf-8"))
        changed = environment_changes(found["environment"], here)
        if changed:
            # What was planted is a share of an iteration there.
            parser.error(f"{asked.output} is of another machine: {'; '.join(changed)}. Name another file.")
    made = {(trial["share"], trial["number"]) for trial in found["trials"]}
    todo = [(number, share) for number in range(asked.trials) for share in SHARES if (share, number) not in made]
    began = time.monotonic()
    found["environment"] = here
    with tempfile.TemporaryDirectory() as place, Harness(Options()) as harness:
        for work in WORKS:
            if work.name not in found["product_share"]:
                longer = _contest(harness, Path(place), work, PRODUCTS)
                found["product_share"][work.name] = round(product_share(harness, longer.base, longer.head), 5)
        contest_of = {
            (work.name, share): _contest(harness, Path(place), work, share / found["product_share"][work.name])
            for work in WORKS
            for share in SHARES
        }
        contests = Contests(harness)
        for number, share in todo:
            if time.monotonic() - began > 60 * asked.minutes:
                break
            work, busy = WORKS[number % len(WORKS)], number // len(WORKS) % 2 == 1
            with neighbour(number, there=busy):
                row = contests.row(contest_of[work.name, share], seed=number)
            trial = {"number": number, "share": share, "work": work.name, "busy": busy}
            found["trials"].append(trial | {name: row[name] for name in KEPT})
            asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(
                number, f"{share:.0%}", work.name, "busy" if busy else "idle", row["verdict"], row["ratio"], flush=True
            )
    print("\n".join(table(found["trials"])))
    return 0


def _contest(harness: Harness, place: Path, work: Work, rate: float) -> Contest:
    """A loop against the same with so many products an iteration more, each a file and a variant of its own."""

    def cell(name: str, rate: float) -> Cell:
        target = write(place, work, f"{work.loop}-{name}", rate)
        [planned] = harness.plan(Request(targets=(target,), problems=(work.problem,), dtypes=("float64",)))
        return planned

    return Contest(base=cell("base", 0.0), head=cell(f"{rate:.4f}", rate))


if __name__ == "__main__":
    sys.exit(main())
