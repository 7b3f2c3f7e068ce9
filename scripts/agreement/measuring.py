"""One interleaved run: invocations of every tool in a shuffled order, each next to the bare loop timed by hand."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.judge.forkserver import THREAD_VARIABLES
from scripts.agreement import asv_run, by_hand, gdbench_time, pyperf_timeit, pytest_benchmark_run, torch_timer
from scripts.agreement.works import FOLDER, WORKS, Work

CONDITIONS = ("idle", "neighbour")
PATIENCE_SECONDS = 300.0


class Tool(Protocol):
    """One module of this folder: how a tool is invoked, and what it says."""

    NAME: str
    RESULT: str
    """Where its figures are: ``output``, or a pattern of one file in its folder."""

    def command(self, work: Work, folder: Path) -> list[str]:
        """What is run and timed as one invocation, in that folder."""

    def figures(self, text: str, work: Work) -> dict[str, float]:
        """Nanoseconds an iteration, by the name of the statistic; nothing where the tool gives no figure."""


TOOLS: Mapping[str, Tool] = {
    tool.NAME: tool for tool in (gdbench_time, pytest_benchmark_run, torch_timer, pyperf_timeit, asv_run)
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation that is to be made.

    Attributes:
        condition: ``idle``, or ``neighbour`` for beside a bursty one.
        round: the number of the round, from 1.
        work: the name of the work.
        tool: the name of the tool.
    """

    condition: str
    round: int
    work: str
    tool: str


def planned(
    rounds: int, conditions: Sequence[str], works: Sequence[str], tools: Sequence[str], seed: int
) -> list[Invocation]:
    """Every invocation, in the order to be made: a round has each of them once, those of a work one after the other.

    Works, conditions, and the tools of each work are shuffled anew in every round.
    """
    source = random.Random(seed)
    order = []
    for number in range(1, rounds + 1):
        places = [(condition, work) for condition in conditions for work in works]
        for condition, work in source.sample(places, len(places)):
            order += [Invocation(condition, number, work, tool) for tool in source.sample(tools, len(tools))]
    return order


def measured(invocation: Invocation) -> dict[str, Any]:
    """Make one invocation, after a launch of the bare loop by hand: a row of the results."""
    work, tool = WORKS[invocation.work], TOOLS[invocation.tool]
    with tempfile.TemporaryDirectory(prefix="agreement-") as name, _neighbour(invocation):
        folder = Path(name)
        bare = _run([sys.executable, "-m", "scripts.agreement.by_hand", work.name], folder)
        command = tool.command(work, folder)
        began = time.monotonic()
        output = _run(command, folder, may_fail=tool is gdbench_time)
        wall_seconds = time.monotonic() - began
        if tool.RESULT != "output":
            (path,) = folder.glob(tool.RESULT)
            output = path.read_text(encoding="utf-8")
    return {
        "condition": invocation.condition,
        "round": invocation.round,
        "work": work.name,
        "tool": tool.NAME,
        "wall_seconds": round(wall_seconds, 3),
        "ns_per_iter": tool.figures(output, work),
        "bare_ns_per_iter": by_hand.figures(bare, work),
    }


def _run(command: Sequence[str], folder: Path, *, may_fail: bool = False) -> str:
    settings = dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(FOLDER.parents[1])}
    environment = {**os.environ, **settings}
    found = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if found.returncode and not (may_fail and found.returncode == 1):
        raise SystemExit(
            f"{' '.join(command)} ended with {found.returncode}: {(found.stderr or found.stdout)[-2000:].strip()}"
        )
    return found.stdout


@contextmanager
def _neighbour(invocation: Invocation) -> Iterator[None]:
    """A neighbour beside what is measured, with the same bursts for every tool of a round."""
    if invocation.condition == "idle":
        yield
        return
    command = [sys.executable, "-m", "scripts.agreement.neighbour", str(invocation.round)]
    process = subprocess.Popen(command, cwd=FOLDER.parents[1])
    try:
        yield
    finally:
        process.kill()
        process.wait()
