"""The file of ``pytest --benchmark-json`` as verdict and timing rows."""

from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.runs.journal import Cells
from bench.runs.layout import read_text
from bench.runs.records import TIMING_COLUMNS, VERDICT_COLUMNS, fault_in
from bench.runs.strict_json import from_json


def read_benchmark_json(path: Path) -> tuple[dict[str, Any], Cells]:
    """The environment and the cells of a pytest-benchmark file.

    Each benchmark whose ``extra_info`` names a variant gives a verdict row, and a timing row as well where it is
    proved and has a time. The fields of ``extra_info`` are named as the columns are; pytest-benchmark's own
    statistics, in seconds a call, give only the number of samples.

    Raises:
        UsageError: the file is none of pytest-benchmark's, or none of its benchmarks is gdbench's.
    """
    document = from_json(read_text(path), str(path))
    benchmarks = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(benchmarks, list):
        raise UsageError(
            f"{path} is not what `pytest --benchmark-json` writes: it has no list of benchmarks. "
            f"Give such a file, a run folder, or a folder of run folders."
        )
    cells = Cells()
    for number, benchmark in enumerate(benchmarks, start=1):
        extra = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
        if isinstance(extra, dict) and "variant" in extra:
            _add(cells, benchmark, extra, f"{path} benchmark {number}")
    if not cells.verdicts:
        raise UsageError(
            f"{path} has {len(benchmarks)} benchmarks and none is gdbench's: no extra_info names a variant. "
            f"Make the file with `pytest --pyargs bench.suite --benchmark-json FILE`."
        )
    machine = document.get("machine_info")
    # pytest-benchmark calls the host name "node"; environments leave it out.
    facts = {name: fact for name, fact in machine.items() if name != "node"} if isinstance(machine, dict) else {}
    environment = {"machine": facts, "commit": document.get("commit_info"), "datetime": document.get("datetime")}
    return environment, cells


def _add(cells: Cells, benchmark: dict[str, Any], extra: dict[str, Any], where: str) -> None:
    verdict = {name: extra.get(name) for name, _, _ in VERDICT_COLUMNS}
    verdict["alternatives"] = extra.get("alternatives") or []
    timing = {name: extra.get(name) for name, _, _ in TIMING_COLUMNS}
    statistics = benchmark.get("stats")
    timing["samples"] = statistics.get("rounds") if isinstance(statistics, dict) else None
    fault = fault_in([verdict], VERDICT_COLUMNS) or fault_in([timing], TIMING_COLUMNS)
    if fault:
        raise UsageError(f"{where} cannot be read: in extra_info {fault}. Write the file again with this gdbench.")
    cells.verdicts.append(verdict)
    if verdict["status"] == "proved" and extra.get("verified") is True and timing["ns_per_iter"] is not None:
        cells.timings.append(timing)
