"""pytest-benchmark, with its defaults: the least (by which its tables are sorted) and the median of the rounds."""

import json
import sys
from pathlib import Path

from scripts.agreement.works import Work

NAME = "pytest-benchmark"
RESULT = "benchmark.json"
TEST = """\
from scripts.agreement.works import prepared


def test_loop(benchmark):
    benchmark(prepared({name!r}))
"""


def command(work: Work, folder: Path) -> list[str]:
    """What is run and timed as one invocation; gdbench's own pytest plugin is left out of it."""
    (folder / "test_loop.py").write_text(TEST.format(name=work.name), encoding="utf-8")
    options = ["-q", "-p", "no:bench.pytest_plugin", "-p", "no:cacheprovider", f"--benchmark-json={RESULT}"]
    return [sys.executable, "-m", "pytest", "test_loop.py", *options]


def figures(text: str, work: Work) -> dict[str, float]:
    """Nanoseconds an iteration."""
    (found,) = json.loads(text)["benchmarks"]
    return {name: found["stats"][key] * 1e9 / work.n_iters for name, key in (("least", "min"), ("median", "median"))}
