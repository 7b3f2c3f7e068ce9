"""Planting a slowdown of a known share in a loop, by timing the bare loop in a process of its own."""

import gc
import math
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.timing.ratio import middle
from scripts.trials.works import Work, source

BARE_ITERATIONS = {"numpy": 40, "torch": 10, "matmul": 40}
CALIBRATING_ROUNDS = 3000
PRODUCTS = 3.0


def product_share(work: Work) -> float:
    """By how much one product more an iteration makes a bare loop longer, measured in a process of its own.

    The products are of the loop's own kind, so that what slows the loop slows them too.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_product_share, (work,))


def _product_share(work: Work) -> float:
    # Several, because a large share stands out from the noise: it is in proportion to their number.
    run = runner(work)
    return _share_of(run(source(work, "w")), run(source(work, "w", PRODUCTS))) / PRODUCTS


def runner(work: Work) -> Callable[[str], Callable[[], object]]:
    """What makes calls of a module's loop in this process."""
    problem: Any = find(work.problem).problem
    if work.backend == "torch":
        import torch  # noqa: PLC0415 - only where it is compared

        torch.set_num_threads(1)
        x, y, w0 = (torch.tensor(each) for each in (problem.x, problem.y, problem.w0))
        problem = Problem(x, y, w0, None, problem.lr)

    def run(text: str) -> Callable[[], object]:
        module: dict[str, Any] = {"__name__": "bare"}
        bare = "\n".join(line for line in text.splitlines() if not line.startswith("@variant"))
        exec(bare, module)
        return lambda: module["loop"](problem, BARE_ITERATIONS[work.loop])

    return run


def _share_of(plain: Callable[[], object], longer: Callable[[], object]) -> float:
    """By how much one call is longer than another, the two taking turns."""
    times: list[tuple[int, int]] = []
    gc.disable()
    for number in range(CALIBRATING_ROUNDS):
        taken = [0, 0]
        for which, call in ((0, plain), (1, longer))[:: 1 if number % 2 else -1]:
            began_ns = time.perf_counter_ns()
            call()
            taken[which] = time.perf_counter_ns() - began_ns
        times.append((taken[0], taken[1]))
    gc.enable()
    return math.exp(middle(np.array([math.log(after / before) for before, after in times]))) - 1
