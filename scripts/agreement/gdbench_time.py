"""This harness, with its defaults: ``gdbench time``, which proves the variant first, and its trimmed mean of slopes."""

import json
import sys
from pathlib import Path

from scripts.agreement.works import Work

NAME = "gdbench"
RESULT = "output"


def command(work: Work, folder: Path) -> list[str]:  # noqa: ARG001 - it leaves nothing in the folder
    """What is run and timed as one invocation."""
    cell = [work.target, "--backend", work.backend, "-p", work.problem, "-d", "cpu", "-t", "float64"]
    return [sys.executable, "-m", "bench", "time", *cell, "--json", "-", "--quiet"]


def figures(text: str, work: Work) -> dict[str, float]:  # noqa: ARG001 - its figure is by iteration already
    """Nanoseconds an iteration; nothing where there is no timing."""
    (found,) = json.loads(text)["timings"]
    return {} if found["ns_per_iter"] is None else {"slope": found["ns_per_iter"]}
