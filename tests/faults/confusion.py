"""Run the sets of loops through the harness and keep what was found: ``python -m tests.faults.confusion``.

Writes for each set a file with a row a loop and one that counts how often each expectation got each name, and then
``README.md`` from the rows of all sets as they stand.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

from bench.harness import Harness
from tests.faults.fault import Control, Fault, cell_of, found_name
from tests.faults.sets import MAIN, SETS, LoopSet

RESULTS = Path(__file__).parents[2] / "results" / "faults"
PROBLEM = "linear-4-lr0.01"
FAULTS = MAIN.faults
HONEST = "proved"
BAD = ("undetected", "misnamed", "false alarm")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one loop.

    Attributes:
        kind: ``fault``, ``pair`` or ``control``.
        expected: the codes that are right, with a bar between them.
        ok: ``right``, ``unknown``, ``misnamed``, ``undetected``; of a control ``right`` or ``false alarm``.
        separable: whether one code alone is right.
        seconds: the wall time of the proof.
    """

    kind: str
    name: str
    backend: str
    expected: str
    found: str
    ok: str
    separable: bool
    seconds: float


def judge_all(loops: LoopSet, problem: str, dtype: str) -> list[Row]:
    """Prove every fault, pair and control of a set in one workshop."""
    with Harness() as harness:

        def row(kind: str, one: Fault | Control) -> Row:
            verdict = harness.prove(cell_of(one, problem, dtype)).verdict
            found = found_name(verdict.finding)
            if isinstance(one, Fault):
                expected, ok, separable = "|".join(one.expect), one.judge(found), one.separable
            else:
                expected, ok, separable = HONEST, "right" if found == HONEST else "false alarm", False
            return Row(kind, one.name, one.backend, expected, found, ok, separable, round(verdict.seconds, 3))

        return [
            *(row("fault", one) for one in loops.faults),
            *(row("pair", one) for one in loops.pairs),
            *(row("control", one) for one in loops.controls),
        ]


def confusion(rows: Iterable[Row]) -> list[tuple[str, str, int]]:
    """Expected, found and how often, in alphabetical order."""
    counts = Counter((row.expected, row.found) for row in rows if row.kind != "pair")
    return [(expected, found, count) for (expected, found), count in sorted(counts.items())]


def summary(problem: str, dtype: str, results: Path) -> str:
    """The README of the results, a section for each set that has rows there."""
    lines = [
        "# Planted faults: what the harness makes of them",
        "",
        f"Made by `python -m tests.faults.confusion --problem {problem} --dtype {dtype}`.",
        "",
    ]
    for loops in SETS:
        if (results / loops.rows).exists():
            lines += section(loops, read_rows(results / loops.rows))
    return "\n".join(lines)


def section(loops: LoopSet, rows: Sequence[Row]) -> list[str]:
    """What became of one set, in lines of Markdown."""
    faults = [row for row in rows if row.kind == "fault"]
    pairs = [row for row in rows if row.kind == "pair"]
    controls = [row for row in rows if row.kind == "control"]
    separable = [row for row in faults if row.separable]
    of = Counter(row.ok for row in faults)
    of_pairs = Counter(row.ok for row in pairs)
    seconds = {
        backend: median(row.seconds for row in faults if row.backend == backend)
        for backend in dict.fromkeys(row.backend for row in faults)
    }
    missed, named = of["undetected"], sum(row.ok == "right" for row in separable)
    alarms = sum(row.ok != "right" for row in controls)
    figures = {
        "planted faults": str(len(faults)),
        "detected": str(len(faults) - missed),
        "named right": str(of["right"]),
        "named right, of those that one code alone describes": f"{named} of {len(separable)}",
        "detected, cause unknown": str(of["unknown"]),
        "named wrong": str(of["misnamed"]),
        "pairs of faults detected": f"{len(pairs) - of_pairs['undetected']} of {len(pairs)}",
        "pairs named as one of the two": str(of_pairs["right"]),
        "pairs named as a third": str(of_pairs["misnamed"]),
        "false alarms on honest loops": f"{alarms} of {len(controls)}",
        **{f"median seconds of a diagnosis, {backend}": f"{value:.3f}" for backend, value in seconds.items()},
    }
    return [
        f"## {loops.title}",
        "",
        loops.where,
        "",
        loops.story,
        "",
        "| | |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in figures.items()),
        "",
        *_exceptions(rows),
    ]


def _exceptions(rows: Sequence[Row]) -> list[str]:
    bad = [row for row in rows if row.ok in BAD]
    if not bad:
        return ["None was missed, none misnamed, and no honest loop was called wrong.", ""]
    head = ["| loop | expected | found | |", "|---|---|---|---|"]
    return [*head, *(f"| {r.name} | {r.expected.replace('|', ' or ')} | {r.found} | {r.ok} |" for r in bad), ""]


def read_rows(path: Path) -> list[Row]:
    """The rows of a set, as `write_rows` left them."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                kind=row["kind"],
                name=row["name"],
                backend=row["backend"],
                expected=row["expected"],
                found=row["found"],
                ok=row["ok"],
                separable=row["separable"] == "True",
                seconds=float(row["seconds"]),
            )
            for row in csv.DictReader(file)
        ]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One row a loop."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; 1 when a fault was missed or misnamed, or an honest loop called wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", default=PROBLEM)
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--set", choices=[loops.name for loops in SETS], help="this set alone; all where left out")
    options = parser.parse_args(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    bad = False
    for loops in SETS:
        if options.set not in (None, loops.name):
            continue
        rows = judge_all(loops, options.problem, options.dtype)
        bad |= any(row.ok in BAD for row in rows)
        write_rows(options.results / loops.rows, rows)
        with (options.results / loops.counts).open("w", newline="", encoding="utf-8") as file:
            counts = csv.writer(file, lineterminator="\n")
            counts.writerows([("expected", "found", "count"), *confusion(rows)])
    text = summary(options.problem, options.dtype, options.results)
    (options.results / "README.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
