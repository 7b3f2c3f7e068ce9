"""A bursty neighbour: ``python -m scripts.agreement.neighbour SEED`` computes and sleeps by turns until it is ended.

Bursts and pauses of 50 to 500 ms, drawn with a seed, as short as the spells in which shared processors are slow.
"""

import os
import random
import sys
import time

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 0.5


def main(seed: str) -> None:
    """Compute and sleep by turns while the process that started this one lives."""
    source, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:
        deadline = time.monotonic() + source.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
        while time.monotonic() < deadline:
            sum(range(10_000))
        time.sleep(source.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))


if __name__ == "__main__":
    main(sys.argv[1])
