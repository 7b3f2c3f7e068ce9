"""The truth that the tools are held against: a bare loop timed by hand, in a fresh process, in many short blocks.

``python -m scripts.agreement.by_hand WORK`` prints nanoseconds an iteration.
"""

import gc
import json
import sys
import time

from scripts.agreement.works import WORKS, Work, prepared

SECONDS = 0.4
WARM_UP_CALLS = 5


def figures(text: str, work: Work) -> dict[str, float]:  # noqa: ARG001 - what it prints is by iteration
    """Nanoseconds an iteration: the least of the blocks, their tenth percentile, their median."""
    found: dict[str, float] = json.loads(text)
    return found


def main(name: str) -> None:
    """Time the bare loop and print what was found."""
    call, n_iters = prepared(name), WORKS[name].n_iters
    for _ in range(WARM_UP_CALLS):
        call()
    gc.collect()
    gc.disable()
    blocks_ns: list[int] = []
    deadline_ns = time.perf_counter_ns() + int(SECONDS * 1e9)
    while (began_ns := time.perf_counter_ns()) < deadline_ns:
        call()
        blocks_ns.append(time.perf_counter_ns() - began_ns)
    blocks_ns.sort()
    shares = {"least": 0.0, "tenth": 0.1, "median": 0.5}
    print(json.dumps({name: blocks_ns[int(share * len(blocks_ns))] / n_iters for name, share in shares.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
