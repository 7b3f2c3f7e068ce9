"""What ``from bench import verify, time, run`` gives: the command line's verbs as functions."""

import sys
from pathlib import Path
from typing import Any

from bench.harness import Harness, Options
from bench.plan import Request
from bench.proof.verdict import Verdict
from bench.recording import finish_run, record_proofs, record_timings, start_run
from bench.timing.record import Timing


def verify(*targets: str, options: Options | None = None, **selection: Any) -> list[Verdict]:
    """Prove variants.

    Args:
        targets: names, globs, ``file.py:function``, ``package.module``; every registered variant where there are none.
        options: limits, seed and the like.
        selection: the other fields of `bench.plan.Request`: ``problems``, ``devices``, ``dtypes``, ...

    >>> from bench import verify
    >>> [verdict] = verify("numpy-dot-mean", problems=("line-4",), dtypes=("float64",))
    >>> verdict.finding.cause, verdict.finding.factor
    ('scale.sum', 4.0)
    """
    with Harness(options) as harness:
        cells = harness.plan(Request(targets=targets, **selection))
        return [proved.verdict for proved in harness.prove_all(cells)]


def time(*targets: str, options: Options | None = None, **selection: Any) -> list[Timing]:
    """Prove variants and time those that are proved; arguments as in `verify`.

    Returns:
        One timing for each cell that was proved on a machine quiet enough to time it.
    """
    with Harness(options) as harness:
        proved = list(harness.prove_all(harness.plan(Request(targets=targets, **selection))))
        outcomes = {timed.cell.key: timed.outcome for timed in harness.time(proved)}
        in_order = (outcomes.get(one.cell.key) for one in proved)
        return [outcome for outcome in in_order if isinstance(outcome, Timing)]


def run(*targets: str, results: str | Path = "results", options: Options | None = None, **selection: Any) -> Path:
    """Prove, time and keep: everything that one `gdbench run` does; arguments as in `verify`.

    Returns:
        The run folder, to be read with `bench.load`.
    """
    with Harness(options) as harness:
        cells = harness.plan(Request(targets=targets, **selection))
        with start_run(Path(results), harness.options, sys.argv, cells) as folder:
            proved = list(record_proofs(harness, cells, folder))
            for _ in record_timings(harness, proved, folder):
                pass
            finish_run(folder)
            return folder.path
