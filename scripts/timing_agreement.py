"""Run the same timing command several times and say how well the figures agree.

``python scripts/timing_agreement.py --runs 4 [--json FILE] [-- gdbench time's options]``
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

from bench.runs.strict_json import to_json

DEFAULT = ["-v", "numpy-*", "-v", "torch-*", "-p", "line-4", "-p", "crop-yield", "-p", "batch", "-t", "float64"]
WITHIN = 0.05


def timed(options: Sequence[str]) -> dict[str, dict[str, float | str | None]]:
    """One run of ``gdbench time``, by cell."""
    command = [sys.executable, "-m", "bench", "time", "--quiet", "--json", "-", *options]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = json.loads(found.stdout)["timings"]
    return {
        " ".join(row[name] for name in ("variant", "problem", "device", "dtype")): {
            name: row[name] for name in ("ns_per_iter", "ci_low", "ci_high", "dispersion", "note")
        }
        for row in rows
        if row["status"] == "proved"
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, for each cell, its figures, and the share of pairs of runs that agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args(arguments)
    runs = [timed(given.options or DEFAULT) for _ in range(given.runs)]
    figures: dict[str, list[float]] = defaultdict(list)
    agreeing = said = pairs = 0
    for first, second in combinations(runs, 2):
        for cell in first:
            one, other = first[cell], second[cell]
            pairs += 1
            if one["ns_per_iter"] is None or other["ns_per_iter"] is None:
                said += 1
                continue
            low, high = sorted((float(one["ns_per_iter"]), float(other["ns_per_iter"])))
            if high / low - 1 <= WITHIN:
                agreeing += 1
            elif one["note"] or other["note"]:
                said += 1
    for run in runs:
        for cell, row in run.items():
            if row["ns_per_iter"] is not None:
                figures[cell].append(float(row["ns_per_iter"]))
    for cell, values in figures.items():
        print(f"{cell:48s} {' '.join(f'{v / 1e3:9.2f}' for v in values)} us, range {max(values) / min(values) - 1:.1%}")
    silent = pairs - agreeing - said
    print(f"{agreeing} of {pairs} pairs agree within {WITHIN:.0%}; {said} more disagree and say so; {silent} do not")
    if given.json is not None:
        spread = {cell: max(values) / min(values) - 1 for cell, values in figures.items()}
        summary = {"pairs": pairs, "agree": agreeing, "disagree_and_say_so": said, "silent": silent}
        document = {**summary, "within": WITHIN, "median_range": median(spread.values()), "range": spread, "runs": runs}
        given.json.write_text(to_json(document, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
