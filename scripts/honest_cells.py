"""Prove many random honest cells through real workers; not one may be called wrong.

``python scripts/honest_cells.py --cells 2000 --seed 0 [--json FILE]``: seeded families, every core variant, N to 1 000,
D and M to 8, learning rates from 0.01 to 0.95 of the limit, with and without bias, batched or not, in every dtype that
the backend computes in.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.backends import BACKENDS
from bench.harness import Harness
from bench.oracle.system import System
from bench.plan import Cell
from bench.problems.problem import Problem
from bench.problems.synthetic import generate, parse
from bench.proof.verdict import Status
from bench.runs.records import Record, verdict_record
from bench.runs.strict_json import to_json
from bench.variants.contract import Variant
from bench.variants.discovery import discover

HONEST = (Status.PROVED, Status.UNSUPPORTED)


def honest_variants() -> list[Variant]:
    """The core variants that are meant to be right, of backends that are installed."""
    meant_right = [variant for variant in discover() if variant.expect is None and variant.family != "as-published"]
    return [variant for variant in meant_right if BACKENDS[variant.backend].installed()]


def random_cells(variants: Sequence[Variant], n_cells: int, seed: int) -> Iterator[Cell]:
    """Cells drawn from seeded families; the same for the same seed."""
    random = np.random.Generator(np.random.PCG64(seed))
    for index in range(n_cells):
        variant = variants[index % len(variants)]
        batched = variant.name in ("torch-bmm",) or (variant.name == "numpy-batched" and random.random() < 0.5)
        n = round(float(np.exp(random.uniform(np.log(2), np.log(1000 if not batched else 200)))))
        d, m = (int(k) for k in random.integers(1, 9, 2))
        d = min(d, n)
        condition = float(f"{10 ** random.uniform(0, 3):.3g}") if d > 1 else 1.0
        keys = {
            "n": n,
            "d": d,
            "m": m,
            "condition": condition,
            "noise": float(f"{random.uniform(0, 1):.2g}"),
            "bias": "yes" if random.random() < 0.5 else "no",
            "seed": int(random.integers(2**31)),
        }
        family = "gaussian"
        if batched:
            family, keys = "batch", {"b": int(random.integers(1, 9)), **keys}
        spec = f"{family}:" + ",".join(f"{key}={value}" for key, value in keys.items())
        problem, _ = generate(parse(spec))
        lr = float(random.uniform(0.01, 0.95)) * System.of(problem).largest_learning_rate
        dtypes = BACKENDS[variant.backend].dtypes
        dtype = dtypes[int(random.integers(len(dtypes)))]
        yield Cell(variant, spec, Problem(problem.x, problem.y, problem.w0, problem.b0, lr), "cpu", dtype)


def prove_all(cells: Iterator[Cell]) -> list[Record]:
    """The verdict rows of the cells."""
    with Harness() as harness:
        return [verdict_record(harness.prove(cell).verdict) for cell in cells]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of the cells; exit 1 when an honest one was called anything but proved or declined."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    rows = prove_all(random_cells(honest_variants(), options.cells, options.seed))
    counts = Counter(f"{row['dtype']} {row['status']}" for row in rows)
    alarms = [row for row in rows if row["status"] not in HONEST]
    seconds: dict[str, float] = {}
    for backend in dict.fromkeys(str(row["backend"]) for row in rows):
        proved = [float(str(r["seconds"])) for r in rows if r["backend"] == backend and r["status"] == Status.PROVED]
        seconds[backend] = float(np.median(proved))
    summary = {
        "cells": len(rows),
        "seed": options.seed,
        "false_alarms": len(alarms),
        "counts": dict(sorted(counts.items())),
        "median_seconds": seconds,
        "wall_seconds": time.perf_counter() - began,
        "alarms": alarms,
    }
    if options.json is not None:
        options.json.write_text(to_json(summary, indent=1), encoding="utf-8")
    print(json.dumps({key: value for key, value in summary.items() if key != "alarms"}, indent=1))
    for row in alarms:
        print(row["variant"], row["problem"], row["dtype"], row["status"], row["evidence"], file=sys.stderr)
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
