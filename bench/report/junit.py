"""Test results as JUnit XML: what Jenkins, GitLab and most other CI services read.

There is no one JUnit schema; this is the part that its readers agree on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from bench.report.cases import Case, cases_of
from bench.report.tables import Record
from bench.report.text import printable

_LONGEST_NAME = 500
"""Characters."""


def junit_report(
    suite: str,
    verdicts: Sequence[Record],
    comparisons: Sequence[Record] = (),
    *,
    failed_timings: Sequence[Record] = (),
    files: Mapping[str, str] | None = None,
) -> str:
    """One test suite, with a test case for each cell and each comparison.

    A cell that is not as expected has a ``failure``, or an ``error`` where nothing can be said of its answer; one that
    was declined, is not on this machine or could not be compared has a ``skipped``. Times are in seconds.

    Args:
        suite: its name, such as ``gdbench gate``.
        verdicts: rows of the verdicts.
        comparisons: rows of the comparisons.
        failed_timings: rows of proved cells that failed while they were timed.
        files: for a variant's name, the source file that it is in.
    """
    cases = cases_of(verdicts, comparisons, failed_timings)
    outcomes = Counter(case.outcome for case in cases)
    totals = {
        "tests": str(len(cases)),
        "failures": str(outcomes["failed"]),
        "errors": str(outcomes["error"]),
        "skipped": str(outcomes["skipped"]),
        "time": _seconds(sum(case.seconds for case in cases)),
    }
    root = ElementTree.Element("testsuites", totals)
    parent = ElementTree.SubElement(root, "testsuite", {"name": suite} | totals)
    met: Counter[tuple[str, str]] = Counter()
    for case in cases:
        variant, name = printable(case.variant, _LONGEST_NAME), printable(_name(case), _LONGEST_NAME)
        met[variant, name] += 1
        # GitLab shows the first alone of those that are called the same.
        number = met[variant, name]
        attributes = {
            "classname": variant,
            "name": name if number == 1 else f"{name} ({number})",
            "time": _seconds(case.seconds),
        }
        if files and case.variant in files:
            attributes["file"] = printable(files[case.variant])
        _say(ElementTree.SubElement(parent, "testcase", attributes), case)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _say(element: ElementTree.Element, case: Case) -> None:
    if case.outcome == "passed":
        return
    tag = {"failed": "failure", "error": "error", "skipped": "skipped"}[case.outcome]
    said = ElementTree.SubElement(element, tag, {"message": printable(case.message)})
    if case.outcome != "skipped":
        said.set("type", printable(case.kind))
        # Jenkins shows the attribute, GitLab the text.
        said.text = printable(case.message)


def _name(case: Case) -> str:
    name = f"{case.problem}/{case.lane.replace(' ', '/')}"
    return f"{name} {case.aspect}" if case.aspect else name


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
