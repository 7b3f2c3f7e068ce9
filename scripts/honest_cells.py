"""Prove 10 000 random honest cells through real workers; not one may be called wrong.

``python -m scripts.honest_cells`` proves, on two processes, those that its file of rows does not have yet, so that it
may be interrupted; ``--only INDEX`` repeats one and prints all about it. What is drawn: `scripts.honest_problems`.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.errors import UsageError
from bench.harness import Harness, Options
from bench.judge.workshop import WorkerLimits
from bench.proof.verdict import Status
from bench.runs.records import Record, verdict_record
from bench.runs.strict_json import to_json
from bench.variants.contract import Variant
from scripts.honest_problems import Drawn, control_variants, core_variants, draw

CELLS = 10_000
ROWS = Path("honest-cells.jsonl")
DECLINED = (Status.UNSUPPORTED, Status.UNAVAILABLE)

CALL_SECONDS = 120.0
"""A busy machine is no fault of a loop, and the slowest calls take some seconds."""

KEPT = ("variant", "backend", "dtype", "status", "cause", "evidence", "iterate", "error", "bound", "power", "seconds")
SIZES = (10, 100, 1_000, 10_000)
ROOT = Path(__file__).parent.parent
JUDGED_BY = ("bench", "gd_impls", "scripts", "tests/faults")
"""What the rows depend on."""


class Prover:
    """A harness of its own, in which cells are proved by their index; a context manager."""

    def __init__(self, seed: int, *, small: bool = False) -> None:
        self._seed, self._small = seed, small
        self._open = ExitStack()
        self._harness = Harness(Options(limits=WorkerLimits(call_seconds=CALL_SECONDS)))

    def __enter__(self) -> "Prover":
        self._open.enter_context(threadpool_limits(1))
        self._open.enter_context(self._harness)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._open.__exit__(*exception)

    def rows(self, indices: Sequence[int]) -> list[Record]:
        """What was drawn, and what became of it; they are proved several at once."""
        drawn = [drawn_cell(index, self._seed, small=self._small) for index in indices]
        proofs = self._harness.prove_all([each.cell for each in drawn])
        verdicts = [verdict_record(proved.verdict) for proved in proofs]
        return [
            {"index": index, **each.facts, **{key: verdict[key] for key in KEPT}}
            for index, each, verdict in zip(indices, drawn, verdicts, strict=True)
        ]


def drawn_cell(index: int, seed: int, *, small: bool = False) -> Drawn:
    """Cell ``index`` of a seed, of the loops that are here."""
    return draw(index, seed, *_loops(), small=small)


def is_alarm(row: Record) -> bool:
    """Whether the cell was called anything but proved or declined."""
    return row["status"] != Status.PROVED and row["status"] not in DECLINED


@cache
def _loops() -> tuple[list[Variant], list[Variant]]:
    return core_variants(), control_variants()


_prover: Prover | None = None


def _begin(seed: int) -> None:
    global _prover  # noqa: PLW0603 - a pool gives each of its processes no other place
    _prover = Prover(seed).__enter__()
    multiprocessing.util.Finalize(None, _prover.__exit__, args=(None, None, None), exitpriority=10)


def _row(index: int) -> Record:
    assert _prover is not None
    [row] = _prover.rows([index])
    return row


def prove_all(indices: Sequence[int], seed: int, processes: int) -> Iterator[Record]:
    """The rows of these cells, each as soon as it is there."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _begin, (seed,)) as pool:
        yield from pool.imap_unordered(_row, indices)
        pool.close()
        pool.join()


def remembered(path: Path, origin: dict[str, object]) -> list[Record]:
    """The rows that a file has already; a new file where there is none.

    Raises:
        UsageError: they are of another seed, or were judged by another state of the code.
    """
    if not path.exists():
        path.write_text(to_json(origin), encoding="utf-8")
        return []
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if json.loads(first) != origin:
        raise UsageError(f"{path} has rows of {first}, not of {to_json(origin)}. Remove it, or name another by --rows.")
    # What was interrupted while it was written is proved again.
    whole = [line for line in lines if line.endswith("}")]
    path.write_text("\n".join([first, *whole]) + "\n", encoding="utf-8")
    return [json.loads(line) for line in whole]


def digest_of_code() -> str:
    """A short digest of everything that draws, runs and judges."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for folder in JUDGED_BY for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def summary(rows: Sequence[Record], origin: dict[str, object]) -> dict[str, object]:
    """The counts that are kept of a run."""
    proved = [row for row in rows if row["status"] == Status.PROVED]
    shares = [float(str(row["error"])) / float(str(row["bound"])) for row in proved if row["error"] and row["bound"]]
    return {
        "cells": len(rows),
        **origin,
        "command": f"python -m scripts.honest_cells --seed {origin['seed']}",
        "false_alarms": sum(map(is_alarm, rows)),
        "counts": {
            "status": _counts(rows, lambda row: str(row["status"])),
            "backend": _counts(rows, lambda row: f"{row['backend']} {row['status']}"),
            "dtype": _counts(rows, lambda row: f"{row['dtype']} {row['status']}"),
            "samples": _counts(rows, _size_class),
            "loops": len({row["variant"] for row in rows}),
            "declined": _counts([row for row in rows if row["status"] in DECLINED], _reason),
        },
        "nearest_to_a_bound": max(shares, default=None),
        "median_seconds": {
            backend: float(np.median([float(str(row["seconds"])) for row in proved if row["backend"] == backend]))
            for backend in sorted({str(row["backend"]) for row in proved})
        },
        "seconds": sum(float(str(row["seconds"])) for row in rows),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "torch") if find_spec(name)},
        },
        "alarms": [row for row in rows if is_alarm(row)],
    }


def _counts(rows: Iterable[Record], key: Any) -> dict[str, int]:
    return dict(sorted(Counter(key(row) for row in rows).items()))


def _size_class(row: Record) -> str:
    most = next(size for size in SIZES if int(str(row["n"])) <= size)
    return f"to {most}".rjust(len("to 10000"))


def _reason(row: Record) -> str:
    """The reason without its figures."""
    return str(row["evidence"]).partition(" may reach ")[0].partition(", at iterate ")[0].partition(" to say that ")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of the cells; exit 1 when an honest one was called anything but proved or declined."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--rows", type=Path, default=ROWS, help="the rows proved so far; what it has is not repeated")
    parser.add_argument("--json", type=Path, help="write the counts here")
    parser.add_argument("--only", type=int, metavar="INDEX", help="repeat this one")
    options = parser.parse_args(arguments)
    if options.only is not None:
        with Prover(options.seed) as prover:
            [row] = prover.rows([options.only])
        print(to_json(row, indent=1))
        return int(is_alarm(row))
    origin: dict[str, object] = {"seed": options.seed, "code": digest_of_code()}
    try:
        rows = remembered(options.rows, origin)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    done = {row["index"] for row in rows}
    began = time.perf_counter()
    with options.rows.open("a", encoding="utf-8") as file:
        missing = [index for index in range(options.cells) if index not in done]
        for row in prove_all(missing, options.seed, options.processes):
            file.write(to_json(row))
            file.flush()
            rows.append(row)
            if is_alarm(row):
                print(f"python -m scripts.honest_cells --seed {options.seed} --only {row['index']}: {to_json(row)}")
            if len(rows) % 500 == 0:
                print(f"{len(rows)} of {options.cells}, {time.perf_counter() - began:.0f} s", flush=True)
    found = summary(sorted(rows, key=lambda row: int(str(row["index"]))), origin)
    text = to_json(found, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text, encoding="utf-8")
    return 1 if found["false_alarms"] else 0


if __name__ == "__main__":
    sys.exit(main())
