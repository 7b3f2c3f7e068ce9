import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.problems.catalogue import find
from bench.proof.verdict import ProvedVerdict, Status, Verdict
from bench.runs import records
from bench.runs.records import (
    ADDED_LATER,
    ITERATE_COLUMNS,
    RUN_COLUMN,
    TIMING_COLUMNS,
    VERDICT_COLUMNS,
    Column,
    fault_in,
    timing_record,
    untimed_record,
    verdict_record,
)
from bench.timing.limits.work import Shape
from bench.timing.record import Timing
from bench.variants.contract import Variant

PAGE = Path(__file__).parents[2] / "docs" / "reference-frames.md"
VERDICT_FIELDS = [
    "variant",
    "backend",
    "family",
    "problem",
    "device",
    "dtype",
    "status",
    "cause",
    "factor",
    "alternatives",
    "evidence",
    "iterate",
    "error",
    "bound",
    "power",
    "power_problem",
    "converges_in",
    "checked_to",
    "expected",
    "as_expected",
    "seconds",
    "isolation",
    "peak_memory_bytes",
    "peak_device_bytes",
]
EXTENTS = ("n_samples", "n_features", "n_outputs", "n_regressions")
TIMING_FIELDS = [
    "variant",
    "backend",
    "family",
    "problem",
    "device",
    "dtype",
    "n_samples",
    "n_features",
    "n_outputs",
    "n_regressions",
    "ns_per_iter",
    "ci_low",
    "ci_high",
    "setup_ns",
    "first_call_ns",
    "launches",
    "stopped_by",
    "samples",
    "discarded",
    "limit_ns",
    "share_of_limit",
    "bytes_per_iter",
    "operations_per_iter",
    "work_class",
    "limited_by",
    "limit_note",
    "queue_share",
    "dispersion",
    "setup_share",
    "n_small",
    "n_large",
    "threads",
    "cold_ns_per_iter",
    "hot_ns_per_iter",
    "host_ns_per_iter",
    "sm_clock_mhz",
    "cycles_per_iter",
    "peak_device_bytes",
    "note",
    "doubt",
    "failed",
]
ITERATE_FIELDS = ["variant", "problem", "device", "dtype", "probe", "n", "component", "observed", "exact", "bound"]


@pytest.mark.parametrize(
    ("columns", "fields"),
    [(VERDICT_COLUMNS, VERDICT_FIELDS), (TIMING_COLUMNS, TIMING_FIELDS), (ITERATE_COLUMNS, ITERATE_FIELDS)],
)
def test_columns_are_those_of_schema_version_1_in_order(columns: tuple[Column, ...], fields: list[str]) -> None:
    assert [name for name, _, _ in columns] == fields


def test_a_verdict_is_flattened_in_column_order(verdict: Callable[..., Verdict]) -> None:
    row = verdict_record(
        verdict(
            status=Status.WRONG,
            cause="scale.sum",
            factor=4.0,
            alternatives=("scale.constant", "x"),
            evidence="four times",
            iterate=1,
            error=3.0,
            bound=1e-15,
            power=1e12,
            power_problem=11.0,
            converges_in=20,
            checked_to=0,
        )
    )
    assert list(row) == VERDICT_FIELDS
    assert row == {
        "variant": "numpy-analytic",
        "backend": "numpy",
        "family": "analytic",
        "problem": "notebook",
        "device": "cpu",
        "dtype": "float64",
        "status": "wrong",
        "cause": "scale.sum",
        "factor": 4.0,
        "alternatives": ["scale.constant", "x"],
        "evidence": "four times",
        "iterate": 1,
        "error": 3.0,
        "bound": 1e-15,
        "power": 1e12,
        "power_problem": 11.0,
        "converges_in": 20,
        "checked_to": 0,
        "expected": "proved",
        "as_expected": True,
        "seconds": 0.25,
        "isolation": "fork",
        "peak_memory_bytes": 1 << 26,
        "peak_device_bytes": None,
    }
    assert fault_in([row], VERDICT_COLUMNS) is None


def test_every_field_of_a_finding_is_a_column(verdict: Callable[..., Verdict]) -> None:
    made = verdict()
    fields = {field.name for thing in (made, made.finding) for field in dataclasses.fields(thing)} - {"finding"}
    assert fields == set(VERDICT_FIELDS)


def test_a_timing_is_flattened_in_column_order(
    verdict: Callable[..., Verdict], timing_row: Callable[..., dict[str, Any]]
) -> None:
    expected = timing_row()
    extents = dict(zip(EXTENTS, (100, 5, 3, 1), strict=True))
    own = {name: value for name, value in expected.items() if name not in (*VERDICT_FIELDS[:6], *EXTENTS, "failed")}
    row = timing_record(Timing(verdict=ProvedVerdict(verdict()), **own), Shape.of(find("gaussian").problem))
    assert list(row) == TIMING_FIELDS
    assert row == expected | extents
    assert fault_in([row], TIMING_COLUMNS) is None


def test_a_cell_that_could_not_be_timed_has_its_names_and_a_note_and_no_number() -> None:
    variant = Variant(name="a", backend="numpy", family="analytic", target="m:f")
    row = untimed_record(variant, ("a", "notebook", "cpu", "float64"), "the machine was busy")
    assert list(row) == TIMING_FIELDS
    assert fault_in([row], TIMING_COLUMNS) is None
    assert {name: value for name, value in row.items() if value is not None} == {
        "variant": "a",
        "backend": "numpy",
        "family": "analytic",
        "problem": "notebook",
        "device": "cpu",
        "dtype": "float64",
        "note": "the machine was busy",
        "doubt": "",
        "failed": False,
    }


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"variant": None}, "'variant' is None, not "),
        ({"status": None}, "'status' is None, not "),
        ({"status": "fine"}, "'status' is 'fine', not one of proved"),
        ({"factor": "4"}, "'factor' is '4', not a number"),
        ({"factor": True}, "'factor' is True, not a number"),
        ({"factor": 10**400}, "not a number"),
        ({"iterate": 1.0}, "'iterate' is 1.0, not a whole number"),
        ({"iterate": True}, "'iterate' is True, not a whole number"),
        ({"iterate": 2**63}, "not a whole number"),
        ({"as_expected": 1}, "'as_expected' is 1, not true or false"),
        ({"evidence": 3}, "'evidence' is 3, not text"),
        ({"alternatives": "a;b"}, "'alternatives' is 'a;b', not a list of text"),
        ({"alternatives": [1]}, "not a list of text"),
        ({"alternatives": None}, "not a list of text"),
    ],
)
def test_a_record_that_is_no_row_is_named(
    verdict_row: Callable[..., dict[str, Any]], changes: dict[str, Any], fact: str
) -> None:
    fault = fault_in([verdict_row(), verdict_row() | changes], VERDICT_COLUMNS)
    assert fault is not None
    assert fact in fault


@pytest.mark.parametrize("name", VERDICT_FIELDS)
def test_every_field_must_be_there_but_those_that_older_runs_lack(
    verdict_row: Callable[..., dict[str, Any]], name: str
) -> None:
    row = verdict_row()
    del row[name]
    missing = None if name in ADDED_LATER else f"the field '{name}' is missing"
    assert fault_in([row], VERDICT_COLUMNS) == missing


def test_fields_may_be_added(verdict_row: Callable[..., dict[str, Any]]) -> None:
    assert fault_in([verdict_row() | {"later": 1}], VERDICT_COLUMNS) is None


def test_documents_carry_their_schema() -> None:
    environment = {"cpu": "abacus"}
    assert records.verdicts_document(environment, [{"a": 1}]) == {
        "schema": "gdbench/verdicts/1",
        "environment": environment,
        "verdicts": [{"a": 1}],
    }
    assert records.timings_document(environment, ({"b": 2},)) == {
        "schema": "gdbench/timings/1",
        "environment": environment,
        "timings": [{"b": 2}],
    }
    assert records.run_document(environment, [{"a": 1}], [{"b": 2}]) == {
        "schema": "gdbench/run/1",
        "environment": environment,
        "verdicts": [{"a": 1}],
        "timings": [{"b": 2}],
    }


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("`verdicts`", VERDICT_COLUMNS), ("`timings`", TIMING_COLUMNS), ("`iterates`", ITERATE_COLUMNS)],
)
def test_the_page_lists_exactly_the_columns(heading: str, columns: tuple[Column, ...]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    listed = [line for line in section.splitlines() if line.startswith("| `")]
    assert listed == [f"| `{name}` | `{dtype}` | {meaning} |" for name, dtype, meaning in (RUN_COLUMN, *columns)]
