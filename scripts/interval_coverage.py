"""How often a timing's interval holds the truth: ``python -m scripts.interval_coverage``, in the checkout.

Simulates cells whose launches differ normally, ends each where `bench.timing` ends it, and prints the shares that
docs/explanation-timing.md quotes. A quarter of a minute.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from bench.harness import Options
from bench.timing.interval import Launches
from bench.timing.session import most_launches
from bench.timing.slope import Line

SPREADS = (0.0025, 0.005, 0.01, 0.02, 0.03)
TRUTH_NS = 100.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each standard deviation of launches."""
    parser = argparse.ArgumentParser(prog="python -m scripts.interval_coverage", description=__doc__)
    parser.add_argument("--cells", type=int, default=4_000, metavar="N", help="of each standard deviation")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the launches")
    given = parser.parse_args(arguments)
    source = random.Random(given.seed)
    for spread in SPREADS:
        cells = [simulated(spread, source) for _ in range(given.cells)]
        ended = [holds for holds, narrow, _ in cells if narrow]
        print(
            f"launches differ by {spread:.2%}: the interval holds the truth in "
            f"{sum(holds for holds, _, _ in cells) / len(cells):.1%}, where it is narrow enough ({len(ended)} of "
            f"{len(cells)}) in {sum(ended) / max(1, len(ended)):.1%}; "
            f"{sum(launches for _, _, launches in cells) / len(cells):.1f} launches a cell"
        )
    return 0


def simulated(spread: float, source: random.Random) -> tuple[bool, bool, int]:
    """One cell: whether its interval holds the truth, whether it became narrow enough, and after how many launches."""
    options = Options()
    slopes_ns = [_launch_ns(spread, source) for _ in range(options.launches - 1)]
    while True:
        slopes_ns.append(_launch_ns(spread, source))
        seen = [(Line(slope_ns, 0.0, slope_ns), 1.0) for slope_ns in slopes_ns]
        found = Launches([], [], seen, seen, agree=True).estimate_ns
        narrow = found.half <= options.budget.width * found.mean
        if narrow or len(slopes_ns) == most_launches(options.launches):
            return found.low <= TRUTH_NS <= found.high, narrow, len(slopes_ns)


def _launch_ns(spread: float, source: random.Random) -> float:
    return source.gauss(TRUTH_NS, spread * TRUTH_NS)


if __name__ == "__main__":
    sys.exit(main())
