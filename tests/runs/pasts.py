"""Folders of runs with a past that is known, for the tests of histories on every face."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.runs.folder import RunFolder

BEGUN = datetime(2026, 1, 10, 12, tzinfo=UTC)
MACHINE = {
    "python": "3.12.4", "python_implementation": "CPython", "numpy": "2.4.6", "torch": "2.13.0", "machine": "x86_64",
    "cpu": "Example CPU", "logical_cores": 2, "gpus": [], "threads": {"OMP_NUM_THREADS": 1},
}  # fmt: skip


def timing_row(variant: str, ns: float | None, problem: str = "line-4", dtype: str = "float64") -> dict[str, Any]:
    low, high = (None, None) if ns is None else (0.97 * ns, 1.03 * ns)
    return {
        "variant": variant, "backend": "numpy", "family": "analytic", "problem": problem, "device": "cpu",
        "dtype": dtype, "ns_per_iter": ns, "ci_low": low, "ci_high": high, "setup_ns": 100.0, "first_call_ns": 5000.0,
        "launches": 8, "samples": 240, "discarded": 1, "limit_ns": None, "share_of_limit": None, "queue_share": 0.01,
        "dispersion": 0.02, "setup_share": 0.05, "n_small": 10, "n_large": 500, "threads": 1, "note": "",
    }  # fmt: skip


def add_run(
    results: Path,
    day: int,
    times: Mapping[str, float | None],
    *,
    finish: bool = True,
    data: Mapping[str, str] | None = None,
    **facts: Any,
) -> Path:
    """Write the run of a day: a time for each variant, in ns, on the problem line-4 in float64."""
    environment = MACHINE | {"git": {"commit": f"{day:02d}" * 20, "dirty": day == 5}} | facts
    with RunFolder.create(
        results, BEGUN + timedelta(days=day), environment=environment, command=["gdbench", "run"], seed=0,
        inputs={"problems": data or {}}, suffixes=[f"{day:04x}"],
    ) as folder:  # fmt: skip
        for variant, ns in times.items():
            folder.append_timing(timing_row(variant, ns))
        if finish:
            folder.finish(BEGUN + timedelta(days=day, minutes=1))
    return folder.path


def fifteen_runs(results: Path) -> list[Path]:
    """The variant ``steady`` with one slow run on day 7, ``slower`` from day 9 on, ``quicker`` from day 11 on."""
    random = np.random.default_rng(4)
    runs = []
    for day in range(15):
        noise = np.exp(random.normal(0, 0.03, 3))
        times = {
            "steady": 5700 * noise[0] * (1.8 if day == 7 else 1),
            "slower": 47000 * noise[1] * (1.25 if day >= 9 else 1),
            "quicker": 2150 * noise[2] * (0.4 if day >= 11 else 1),
        }
        runs.append(add_run(results, day, times))
    return runs
