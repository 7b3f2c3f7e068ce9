"""asv, with its defaults for a ``time_`` benchmark, in an existing environment and a repository of its own: the median.

asv keeps nothing of a run in an existing environment unless it is told the commit, hence ``--set-commit-hash``.
"""

import json
import subprocess
import sys
from pathlib import Path

from scripts.agreement.works import FOLDER, Work

NAME = "asv"
RESULT = "results/here/*-existing*.json"
BENCHMARK = """\
from scripts.agreement.works import prepared


class Loop:
    def setup(self):
        self.call = prepared({name!r})

    def time_loop(self):
        self.call()
"""
CONFIGURATION = {
    "version": 1,
    "project": "agreement",
    "repo": ".",
    "branches": ["main"],
    "environment_type": "existing",
    "benchmark_dir": "benchmarks",
    "results_dir": "results",
}
GIT = ["git", "-c", "user.name=agreement", "-c", "user.email=agreement@example.org"]


def command(work: Work, folder: Path) -> list[str]:
    """What is run and timed as one invocation, after a repository with the benchmark was made in the folder.

    asv writes what it knows of the machine into the home directory, so that it gets one of its own.
    """
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "__init__.py").touch()
    (folder / "benchmarks" / "loop.py").write_text(BENCHMARK.format(name=work.name), encoding="utf-8")
    (folder / "asv.conf.json").write_text(json.dumps(CONFIGURATION), encoding="utf-8")
    for each in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "the benchmark"]):
        subprocess.run([*GIT, *each], cwd=folder, check=True)
    commit = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    asv = ["env", f"HOME={folder}", f"ASV_PYTHONPATH={FOLDER.parents[1]}", sys.executable, "-m", "asv"]
    subprocess.run([*asv, "machine", "--yes", "--machine", "here"], cwd=folder, check=True, capture_output=True)
    environment = ["-E", f"existing:{sys.executable}", "--machine", "here"]
    return [*asv, "run", *environment, "--set-commit-hash", commit.stdout.strip()]


def figures(text: str, work: Work) -> dict[str, float]:
    """Nanoseconds an iteration."""
    document = json.loads(text)
    (row,) = document["results"].values()
    (seconds,) = dict(zip(document["result_columns"], row, strict=False))["result"]
    return {} if seconds is None else {"median": seconds * 1e9 / work.n_iters}
