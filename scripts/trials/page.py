"""The table of trials that docs/explanation-timing.md shows: python -m scripts.trials.page FILE."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

VERDICTS = ("slower", "faster", "same", "inconclusive")


def table(trials: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of the table: a row for each planted share, idle and beside a neighbour.

    >>> table([{"share": 0.05, "busy": False, "verdict": "slower", "seconds": 9.0, "ratio": 1.052}])[2]
    '| 5 % slower | idle | 1 | 1 | 0 | 0 | 0 | 1.052 | 9.0 s |'
    """
    lines = [
        f"| head | machine | comparisons | {' | '.join(VERDICTS)} | median ratio | median time |",
        f"|{'---|' * (len(VERDICTS) + 5)}",
    ]
    for share, busy in product(sorted({trial["share"] for trial in trials}), (False, True)):
        chosen = [trial for trial in trials if trial["share"] == share and trial["busy"] == busy]
        if not chosen:
            continue
        counts = Counter(trial["verdict"] for trial in chosen)
        ratios = [trial["ratio"] for trial in chosen if trial["ratio"] is not None]
        cells = [
            f"{share:.0%} slower".replace("%", " %") if share else "unchanged",
            "beside a busy neighbour" if busy else "idle",
            str(len(chosen)),
            *(str(counts[verdict]) for verdict in VERDICTS),
            f"{median(ratios):.3f}" if ratios else "",
            f"{median(trial['seconds'] for trial in chosen):.1f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["trials"])))
