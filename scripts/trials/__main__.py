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
from scripts.trials.page import table
from scripts.trials.planting import planted
from scripts.trials.works import WORKS, Work, write

SHARES = (0.0, 0.05, 0.03)
NEIGHBOUR = """\
import random, time
chance = random.Random({seed})
while True:
    end = time.perf_counter() + chance.expovariate(1 / 0.05)
    while time.perf_counter() < end:
        pass
    time.sleep(chance.expovariate(1 / 0.05))
"""
"""A process that computes for 50 ms and sleeps for 50 ms, on average."""


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


def cell_of(harness: Harness, target: str, work: Work) -> Cell:
    """The cell of a target."""
    [cell] = harness.plan(Request(targets=(target,), problems=(work.problem,), dtypes=("float64",)))
    return cell


def main() -> int:
    """Make the trials that are missing, and say how all of them came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="of each share")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no trial after so long")
    asked = parser.parse_args()
    found: dict[str, Any] = {"trials": [], "planted": {}}
    if asked.output.exists():
        found = json.loads(asked.output.read_text(encoding="utf-8"))
    made = {(trial["share"], trial["number"]) for trial in found["trials"]}
    todo = [(number, share) for number in range(asked.trials) for share in SHARES if (share, number) not in made]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        heads: dict[tuple[str, float], tuple[Path, str]] = {}
        for work in WORKS:
            for share in SHARES:
                key = f"{work.name} {share:.0%}"
                if share and key not in found["planted"]:
                    spin, came_to = planted(work, share)
                    found["planted"][key] = {"spin": spin, "share": round(came_to, 4)}
                spin = found["planted"][key]["spin"] if share else 0
                heads[work.name, share] = (Path(place), write(Path(place), work, f"{work.loop}-{share:g}", spin))
        bases = {work.name: write(Path(place), work, f"{work.loop}-base") for work in WORKS}
        for number, share in todo:
            if time.monotonic() - began > 60 * asked.minutes:
                break
            work, busy = WORKS[number % len(WORKS)], number // len(WORKS) % 2 == 1
            with neighbour(number, there=busy), Harness(Options(seed=number)) as harness:
                contest = Contest(
                    base=cell_of(harness, bases[work.name], work),
                    head=cell_of(harness, heads[work.name, share][1], work),
                )
                row = dict(Contests(harness).row(contest))
            kept = ("verdict", "ratio", "ci_low", "ci_high", "null_ratio", "launches", "seconds", "reason")
            trial = {"number": number, "share": share, "work": work.name, "busy": busy}
            found["trials"].append(trial | {name: row[name] for name in kept})
            found["environment"] = environment({})
            asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(
                number, f"{share:.0%}", work.name, "busy" if busy else "idle", row["verdict"], row["ratio"], flush=True
            )
    print("\n".join(table(found["trials"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
