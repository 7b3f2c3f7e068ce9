"""What GitHub Actions reads: workflow commands that become annotations, and a job summary.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report.cases import Case, cases_of
from bench.report.figures import count
from bench.report.markdown import markdown_report
from bench.report.tables import Record
from bench.report.text import printable

MOST_ANNOTATIONS = 10
"""Errors of one step that GitHub shows; it drops the others without a word."""
SUMMARY_LIMIT_BYTES = 2**20
"""GitHub drops the whole summary of a step that wrote more."""

_CUT = "\n\nThe rest of this summary is left out: GitHub takes 1 MiB a step.\n"


def annotations(
    verdicts: Sequence[Record],
    comparisons: Sequence[Record] = (),
    *,
    failed_timings: Sequence[Record] = (),
    places: Mapping[str, tuple[str, int]] | None = None,
) -> list[str]:
    """One workflow command for each cell that is not as expected, `MOST_ANNOTATIONS` of them at most.

    Where there are more cells, the last command says how many it stands for.

    Args:
        verdicts: rows of the verdicts.
        comparisons: rows of the comparisons.
        failed_timings: rows of proved cells that failed while they were timed.
        places: for a variant's name, its source file, from the repository's root, and its line.
    """
    failing = [case for case in cases_of(verdicts, comparisons, failed_timings) if not case.as_expected]
    shown = failing if len(failing) <= MOST_ANNOTATIONS else failing[: MOST_ANNOTATIONS - 1]
    commands = [_annotation(case, places or {}) for case in shown]
    if len(shown) < len(failing):
        more = count(len(failing) - len(shown), "more cell")
        commands.append(workflow_error(f"{more} not as expected; the summary has them all", title="gdbench"))
    return commands


def workflow_error(message: str, **properties: object) -> str:
    r"""The workflow command that makes an error annotation; nothing in it ends the line or begins a property.

    >>> workflow_error("50 % too large\n::warning::x", title="a: b, c")
    '::error title=a%3A b%2C c::50 %25 too large ::warning::x'
    """
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::error {written}::{_data(message)}"


def step_summary(verdicts: Sequence[Record], timings: Sequence[Record] = (), comparisons: Sequence[Record] = ()) -> str:
    """The report as a job summary shows it."""
    return markdown_report({}, verdicts, timings, comparisons)


def append_summary(file: Path, text: str) -> None:
    """Add to a step's summary as much as GitHub takes, whole lines only.

    Args:
        file: named by ``GITHUB_STEP_SUMMARY``; what earlier commands of the step wrote stays.
        text: Markdown.

    Raises:
        OSError: the file cannot be written.
    """
    with file.open("ab") as summary:
        room = SUMMARY_LIMIT_BYTES - summary.tell()
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > room:
            kept = data[: max(0, room - len(_CUT))]
            data = kept[: kept.rfind(b"\n") + 1] + _CUT.encode() if room >= len(_CUT) else b""
        summary.write(data)


def _annotation(case: Case, places: Mapping[str, tuple[str, int]]) -> str:
    where = f"{case.variant} on {case.problem} ({case.lane})"
    properties: dict[str, object] = {"title": f"{where}, {case.aspect}" if case.aspect else where}
    if case.variant in places:
        file, line = places[case.variant]
        properties |= {"file": file, "line": line}
    return workflow_error(case.message, **properties)


def _data(value: object) -> str:
    # A line feed has become a space, and a carriage return too: what is left to escape is the escape itself.
    return printable(value).replace("%", "%25")


def _property(value: object) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
