"""pyperf, with its defaults: ``pyperf timeit``, twenty processes of three values, and the mean, which it prints."""

import json
import statistics
import sys
from pathlib import Path

from bench.judge.forkserver import THREAD_VARIABLES
from scripts.agreement.works import Work

NAME = "pyperf"
RESULT = "pyperf.json"


def command(work: Work, folder: Path) -> list[str]:  # noqa: ARG001 - it starts in the folder
    """What is run and timed as one invocation; pyperf hides the environment from its processes unless it is named."""
    given = ["--inherit-environ", ",".join(("PYTHONPATH", *THREAD_VARIABLES)), "--quiet", "-o", RESULT]
    setup = f"from scripts.agreement.works import prepared; call = prepared({work.name!r})"
    pyperf = [sys.executable, "-m", "pyperf", "timeit"]
    return [*pyperf, *given, "--inner-loops", str(work.n_iters), "-s", setup, "call()"]


def figures(text: str, work: Work) -> dict[str, float]:  # noqa: ARG001 - its values are by inner loop already
    """Nanoseconds an iteration."""
    (found,) = json.loads(text)["benchmarks"]
    return {"mean": statistics.fmean(value for run in found["runs"] for value in run.get("values", ())) * 1e9}
