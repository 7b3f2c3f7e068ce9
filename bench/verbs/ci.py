"""What a verb leaves for the CI service that it runs under: JUnit XML, annotations, a job summary."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.arguments import Arguments
from bench.report.text import complain, tell
from bench.verbs.shown import write

if TYPE_CHECKING:
    from bench.plan import Cell
    from bench.runs.records import Record


def tell_ci(
    arguments: Arguments,
    cells: "Iterable[Cell]",
    verdicts: "Sequence[Record]",
    *,
    timings: "Sequence[Record]" = (),
    comparisons: "Sequence[Record]" = (),
    failed_timings: "Sequence[Record]" = (),
) -> None:
    """Write what ``--junit`` asks for and, under GitHub Actions, the annotations and the summary.

    Args:
        arguments: the verb's.
        cells: those that were planned; they know where the variants are written.
        verdicts: rows of the verdicts.
        timings: rows of the timings.
        comparisons: rows of the comparisons.
        failed_timings: those of the timings that failed, not for the machine's sake.

    Raises:
        UsageError: the file of ``--junit`` cannot be written.
    """
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    if not arguments.junit and not on_github:
        return
    places = _places(cells)
    if on_github:
        from bench.report.github import annotations

        # Standard error, since standard output may be a JSON document; GitHub reads both.
        for line in annotations(verdicts, comparisons, failed_timings=failed_timings, places=places):
            tell(line)
        _summarise(verdicts, timings, comparisons)
    if arguments.junit:
        from bench.report.junit import junit_report

        files = {name: file for name, (file, _) in places.items()}
        suite = f"gdbench {arguments.verb}"
        text = junit_report(suite, verdicts, comparisons, failed_timings=failed_timings, files=files)
        write(Path(arguments.junit), text)


def _summarise(verdicts: "Sequence[Record]", timings: "Sequence[Record]", comparisons: "Sequence[Record]") -> None:
    from bench.report.github import append_summary, step_summary

    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        append_summary(Path(file), step_summary(verdicts, timings, comparisons))
    except OSError as error:
        complain(f"the job summary {file} cannot be written: {error.strerror}; the tables have what it would say")


def _places(cells: "Iterable[Cell]") -> dict[str, tuple[str, int]]:
    """For each variant that is written inside the repository, its file from the root there, and its line."""
    from bench.variants.place import place_of

    root = Path(os.environ.get("GITHUB_WORKSPACE") or os.curdir).resolve()
    places = {}
    for variant in {cell.variant.name: cell.variant for cell in cells}.values():
        found = place_of(variant)
        if found is not None and found[0].resolve().is_relative_to(root):
            places[variant.name] = (found[0].resolve().relative_to(root).as_posix(), found[1])
    return places
