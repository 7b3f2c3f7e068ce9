"""Planting a slowdown of a known share in a loop, by timing the loop as comparisons do."""

import math

from bench.harness import Harness
from bench.plan import Cell
from bench.timing.estimate import Estimate
from bench.timing.pingpong import PingPong
from bench.timing.ratio import log_ratio

PRODUCTS = 3.0
"""So many an iteration, because a large share stands out from the noise; it is in proportion to their number."""

LAUNCHES = 60


def product_share(harness: Harness, base: Cell, longer: Cell) -> float:
    """By how much one product more an iteration makes a loop longer.

    The products are of the loop's own kind, so that what slows the loop slows them too. It is measured where workers
    take turns, because a bare loop that has a processor and its caches to itself pays another share for them: 5 % of
    an iteration of torch by hand, and under 4 % here.

    Args:
        harness: what launches.
        base: the loop.
        longer: the same with `PRODUCTS` more.
    """
    proved = [harness.prove(cell) for cell in (base, longer)]
    arms = [harness.arm(one, name) for one, name in zip(proved, ("base", "longer"), strict=True)]
    game = PingPong(arms, harness.course(proved[0]), seed=0)
    launches = [rounds for _ in range(LAUNCHES) if (rounds := game.launch()) is not None]
    ratios = [log_ratio(rounds, 1, 0) for rounds in launches]
    ratio = Estimate.of_launches([each for each in ratios if math.isfinite(each)]).mean
    return (math.exp(ratio) - 1) / PRODUCTS
