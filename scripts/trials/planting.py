"""Planting a slowdown of a known share in a loop, by timing the bare loop in a process of its own."""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.problems.catalogue import find
from bench.problems.problem import Problem
from scripts.trials.works import Work, source

BARE_ITERATIONS = {"numpy": 40, "torch": 10, "matmul": 40}
CALIBRATING_ROUNDS = 300


def planted(work: Work, share: float) -> tuple[tuple[int, int], float]:
    """The extra work for a share, and the share that it comes to; measured in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_planted, (work, share))


def _planted(work: Work, share: float) -> tuple[tuple[int, int], float]:
    run = runner(work)
    extra = extra_for(work, share, run)
    return extra, share_of(work, extra, run)


def extra_for(work: Work, share: float, run: Callable[[str], Callable[[], object]]) -> tuple[int, int]:
    """How many operations and how long a spin make an iteration longer by a share.

    Args:
        work: the loop.
        share: 0.05 for 5 %.
        run: gives, for a module's source, a call of some iterations of its loop; all calls have the same number.
    """
    plain, operation, spin = _least_ns([run(source(work, "w", *extra)) for extra in ((0, 0), (1, 0), (0, 100))])
    wanted, each, per_spin = share * plain, operation - plain, (spin - plain) / 100
    operations = int(wanted // each)
    return operations, round((wanted - operations * each) / per_spin)


def share_of(work: Work, extra: tuple[int, int], run: Callable[[str], Callable[[], object]]) -> float:
    """By how much the extra work makes the bare loop slower, measured."""
    plain, longer = _least_ns([run(source(work, "w")), run(source(work, "w", *extra))])
    return longer / plain - 1


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


def _least_ns(calls: list[Callable[[], object]]) -> list[float]:
    """The quick end of each call's times, the calls taking turns: the mean of the least twentieth."""
    times: list[list[int]] = [[] for _ in calls]
    gc.disable()
    for _ in range(CALIBRATING_ROUNDS):
        for taken, call in zip(times, calls, strict=True):
            began_ns = time.perf_counter_ns()
            call()
            taken.append(time.perf_counter_ns() - began_ns)
    gc.enable()
    return [statistics.fmean(sorted(taken)[: CALIBRATING_ROUNDS // 20]) for taken in times]
