"""The JUnit XML is well-formed whatever it holds, and says of each cell what the exit code says."""

from typing import Any
from xml.etree import ElementTree

import pytest

from bench.proof.verdict import Status
from bench.report.junit import junit_report

Row = dict[str, Any]


def suite_of(text: str) -> ElementTree.Element:
    """The one suite of a report, held to the structure that readers agree on."""
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>\n')
    root = ElementTree.fromstring(text.encode("utf-8"))
    assert root.tag == "testsuites"
    [suite] = root
    assert suite.tag == "testsuite"
    outcomes = [child.tag for case in suite for child in case]
    for element in (root, suite):
        assert element.get("tests") == str(len(suite))
        for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(total) == str(outcomes.count(tag))
    for case in suite:
        assert case.tag == "testcase"
        assert set(case.attrib) - {"file"} == {"classname", "name", "time"}
        assert float(case.attrib["time"]) >= 0
        assert len(case) <= 1
    assert len({(case.get("classname"), case.get("name")) for case in suite}) == len(suite)
    return suite


def test_a_run_that_is_as_expected(verdicts: list[Row]) -> None:
    suite = suite_of(junit_report("gdbench gate", verdicts))
    assert suite.get("name") == "gdbench gate"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(verdicts)), "0", "0")
    declined = [row for row in verdicts if row["status"] == "unsupported"]
    assert suite.get("skipped") == str(len(declined)) != "0"
    first = suite[0]
    assert first.attrib == {"classname": "numpy-analytic", "name": "line-4/cpu/float64", "time": "0.210"}
    assert suite.get("time") == f"{0.21 * len(verdicts):.3f}"


def test_what_is_not_as_expected_has_its_evidence(surprises: list[Row]) -> None:
    suite = suite_of(junit_report("gdbench gate", surprises))
    failures = {
        (case.get("classname"), case.get("name")): case[0] for case in suite if case.find("failure") is not None
    }
    assert set(failures) == {
        ("numpy-dot-mean", "line-4/cpu/float64"),
        ("numpy-dot-mean", "line-4/cpu/float32"),
        ("torch-optim", "norris/cpu/float64"),
        ("torch-optim", "norris/cpu/float32"),
    }
    wrong = failures["torch-optim", "norris/cpu/float64"]
    said = "expected proved, became wrong (state.momentum): each step carries 0.900 of the one before"
    assert (wrong.get("message"), wrong.get("type"), wrong.text) == (said, "wrong", said)
    right = failures["numpy-dot-mean", "line-4/cpu/float64"]
    assert right.get("message") == "expected scale.sum, became proved: exact"


@pytest.mark.parametrize("as_expected", [True, False])
@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_element(make_verdict: Any, status: Status, as_expected: bool) -> None:
    row = make_verdict("numpy-analytic", "line-4", "cpu", "float64", status=status.value, as_expected=as_expected)
    [case] = suite_of(junit_report("gdbench verify", [row]))
    if as_expected and status is not Status.JUDGE_ERROR:
        due = ["skipped"] if status in (Status.UNSUPPORTED, Status.UNAVAILABLE) else []
    else:
        errors = (Status.CRASHED, Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.VOID, Status.JUDGE_ERROR)
        due = ["error" if status in errors else "failure"]
    assert [child.tag for child in case] == due


def test_a_skipped_cell_says_why(make_verdict: Any) -> None:
    row = make_verdict("torch-optim", "batch", "cpu", "float64", status="unsupported", evidence="one at a time")
    [case] = suite_of(junit_report("gdbench verify", [row]))
    assert case[0].attrib == {"message": "unsupported: one at a time"}


def test_comparisons_are_cases_of_their_own(verdicts: list[Row], comparisons: list[Row]) -> None:
    *_, slower, same, nothing = suite_of(junit_report("gdbench gate", verdicts, comparisons))
    assert slower.get("classname") == "numpy-analytic"
    assert slower.get("name") == "line-4/cpu/float64 speed against origin/main"
    assert slower[0].get("message") == "slower than origin/main: 1.052 times its time (95 %: 1.031 to 1.075)"
    assert [child.tag for child in same] == []
    assert [(child.tag, child.get("message")) for child in nothing] == [
        ("skipped", "inconclusive: the machine is busy")
    ]


def test_a_comparison_of_two_variants_is_advice(comparisons: list[Row]) -> None:
    advice = {name: value for name, value in comparisons[0].items() if name not in ("variant", "as_expected")}
    [case] = suite_of(junit_report("gdbench compare", [], [advice | {"base": "numpy-matmul", "head": "torch-bmm"}]))
    assert (case.get("classname"), len(case)) == ("torch-bmm", 0)


def test_a_timing_that_failed_is_a_failure(verdicts: list[Row], make_timing: Any) -> None:
    failed = make_timing("numpy-matmul", "line-4", "cpu", "float64", 1.0, note="a timed answer is wrong")
    *_, case = suite_of(junit_report("gdbench run", verdicts, failed_timings=[failed]))
    assert case.get("name") == "line-4/cpu/float64 timing"
    assert case[0].get("message") == "proved, and failed while it was timed: a timed answer is wrong"


def test_a_cell_that_is_asked_for_twice_is_two_cases(make_verdict: Any) -> None:
    row = make_verdict("numpy-analytic", "line-4", "cpu", "float64")
    names = [case.get("name") for case in suite_of(junit_report("gdbench gate", [row, row]))]
    assert names == ["line-4/cpu/float64", "line-4/cpu/float64 (2)"]


def test_files_are_named_where_they_are_known(verdicts: list[Row]) -> None:
    suite = suite_of(junit_report("gdbench gate", verdicts, files={"torch-bmm": "gd_impls/torch_matmul.py"}))
    assert {case.get("classname") for case in suite if case.get("file") == "gd_impls/torch_matmul.py"} == {"torch-bmm"}


@pytest.mark.parametrize(
    "text", ["]]>", "a\x00\x08\x1b[2J\x7f\x85b", "\ud800 \udfff", "\ufffe\uffff", "<&'\">", "x" * 9000]
)
def test_no_text_breaks_it(make_verdict: Any, text: str) -> None:
    row = make_verdict(text, text, text, text, status="wrong", cause=text, evidence=text, expected=text)
    rows = [row | {"as_expected": False}, row | {"status": "unsupported"}, row | {"as_expected": False}]
    suite = suite_of(junit_report("gdbench gate", rows, files={text: text}))
    assert [child.tag for case in suite for child in case] == ["failure", "skipped", "failure"]
