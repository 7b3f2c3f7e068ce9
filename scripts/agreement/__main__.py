"""Time the same bare loops with five tools in one interleaved run: ``python -m scripts.agreement``, in the checkout.

Needs pyperf, asv, numba and pytest-benchmark: ``tox -e agreement``. Every invocation is added to ``--json`` when it has
ended, and one that is there already is not made again, so that a run may be stopped and go on. Results that
are kept have a page in ``docs/``, which is written from them; ``--page`` writes only the pages.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.runs.environment import environment
from bench.runs.strict_json import to_json
from scripts.agreement.measuring import CONDITIONS, TOOLS, Invocation, measured, planned
from scripts.agreement.page import PAGES, RESULTS, page
from scripts.agreement.works import WORKS

SCHEMA = "gdbench/agreement/1"
OTHERS = ("pytest", "pytest-benchmark", "pyperf", "asv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, and write the page."""
    given = _parser().parse_args(arguments)
    if not given.page:
        _measure(given)
    for results, (where, _) in PAGES.items():
        if results.exists():
            document = json.loads(results.read_text(encoding="utf-8"))
            where.write_text(page(document, results), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.agreement", description=__doc__)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), metavar="NAME", help=", ".join(TOOLS))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--invocations", type=int, default=5, metavar="N", help="of each tool, work and condition")
    parser.add_argument("--seconds", type=float, metavar="S", help="begin no invocation after so many; go on next time")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="what is found, and what there is")
    parser.add_argument("--page", action="store_true", help="write only the pages, from the results that are there")
    return parser


def _measure(given: argparse.Namespace) -> None:
    here = environment() | {name: version(name) for name in OTHERS}
    document: dict[str, Any] = {"schema": SCHEMA, "environment": here, "seed": given.seed, "invocations": []}
    if given.json.exists():
        document = json.loads(given.json.read_text(encoding="utf-8"))
        _require_the_same(document["environment"], here)
    rows: list[dict[str, Any]] = document["invocations"]
    there = {Invocation(row["condition"], row["round"], row["work"], row["tool"]) for row in rows}
    order = planned(given.invocations, given.conditions, given.works, given.tools, given.seed)
    missing = [one for one in order if one not in there]
    began = time.monotonic()
    for count, one in enumerate(missing):
        if given.seconds is not None and time.monotonic() - began > given.seconds:
            print(f"{len(missing) - count} of {len(order)} invocations are still to be made: run it again")
            return
        rows.append(measured(one))
        _write(given.json, document)
        found = ", ".join(f"{name} {ns:.4g} ns" for name, ns in rows[-1]["ns_per_iter"].items()) or "no figure"
        bare_ns, seconds = rows[-1]["bare_ns_per_iter"]["tenth"], rows[-1]["wall_seconds"]
        where = f"round {one.round}, {one.condition}, {one.work}"
        print(f"{where}: {one.tool} {found} in {seconds:.1f} s; by hand {bare_ns:.4g} ns", flush=True)


def _require_the_same(before: dict[str, Any], here: dict[str, Any]) -> None:
    """One run has one machine and one set of versions; the commit may differ."""
    for name in {*before, *here} - {"git", "missing", "memory_bytes", "affinity", "threads"}:
        if before.get(name) != here.get(name):
            raise SystemExit(
                f"the results there are of {name} {before.get(name)!r}, and here it is {here.get(name)!r}: a table "
                "is of one machine and one set of versions. Give another --json, or move the file away."
            )


def _write(path: Path, document: dict[str, Any]) -> None:
    beside = path.with_suffix(".part")
    beside.write_text(to_json(document, indent=1), encoding="utf-8")
    os.replace(beside, path)


if __name__ == "__main__":
    sys.exit(main())
