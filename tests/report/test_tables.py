"""Grids, groups and the summary say of every cell what became of it."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.proof.verdict import Status
from bench.report import tables, times

Row = dict[str, Any]


def test_the_summary_counts_every_cell_once(verdicts: list[Row], surprises: list[Row]) -> None:
    assert tables.summary(verdicts) == "88 proved, 6 wrong as expected, 14 unsupported; 0 not as expected"
    assert tables.summary(surprises) == (
        "86 proved, 4 wrong as expected, 14 unsupported; 4 not as expected (2 proved, 2 wrong)"
    )
    assert tables.summary([]) == "no cells"


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("as_expected", [True, False])
def test_every_status_is_told_apart_without_colour(
    status: Status, as_expected: bool, make_verdict: Callable[..., Row]
) -> None:
    row = make_verdict("v", "line-4", "cpu", "float64", status=str(status), as_expected=as_expected)
    opposite = row | {"as_expected": not as_expected}
    assert str(status) in tables.label(row)
    assert tables.label(row) != tables.label(opposite)
    assert tables.tally(row)[0] != tables.tally(opposite)[0]
    assert (tables.tally(row)[1] == "bad") is not as_expected


def test_causes_that_cannot_be_told_apart_are_all_printed(make_verdict: Callable[..., Row]) -> None:
    row = make_verdict(
        "v", "line-4", "cpu", "float64", status="wrong", cause="scale.sum", factor=4.0,
        alternatives=["scale.extra-division"], as_expected=False,
    )  # fmt: skip
    assert tables.label(row) == "✗ scale.sum 4.00x or scale.extra-division"


def test_absent_fields_may_come_from_a_frame(make_verdict: Callable[..., Row]) -> None:
    row = make_verdict(
        "v", "p", "cpu", "float64", status="wrong", cause=float("nan"), factor=float("nan"), alternatives=None,
        as_expected=False,
    )  # fmt: skip
    assert tables.label(row) == "✗ wrong"


def test_grids_that_say_the_same_are_one(verdicts: list[Row], surprises: list[Row]) -> None:
    assert [grid.title for grid in tables.verdict_grids(verdicts)] == ["cpu float64 · cpu float32"]
    changed = [row for row in surprises if row["dtype"] == "float64"]
    mixed = changed + [row for row in verdicts if row["dtype"] == "float32"]
    assert [grid.title for grid in tables.verdict_grids(mixed)] == ["cpu float64", "cpu float32"]


def test_every_cell_has_its_place(verdicts_on_two_devices: list[Row]) -> None:
    grids = {title: grid for grid in tables.verdict_grids(verdicts_on_two_devices) for title in grid.title.split(" · ")}
    for row in verdicts_on_two_devices:
        shown = grids[f"{row['device']} {row['dtype']}"].cells[row["variant"], row["problem"]]
        assert shown.text == tables.label(row)


def test_a_grid_has_no_empty_rows_or_columns(timings: list[Row]) -> None:
    (grid,) = times.timing_grids([row for row in timings if row["problem"] == "batch" and row["dtype"] == "float64"])
    assert grid.problems == ("batch",)
    assert grid.variants == ("numpy-analytic", "torch-matmul", "torch-bmm", "numpy-batched")


def test_overlapping_intervals_share_the_mark(make_timing: Callable[..., Row]) -> None:
    rows = [
        make_timing("a", "p", "cpu", "float64", 100.0, ci_low=95.0, ci_high=105.0),
        make_timing("b", "p", "cpu", "float64", 108.0, ci_low=104.0, ci_high=112.0),
        make_timing("c", "p", "cpu", "float64", 120.0, ci_low=118.0, ci_high=122.0),
        make_timing("alone", "q", "cpu", "float64", 7.0),
    ]
    assert {name for name, *_ in times.marked_fastest(rows)} == {"a", "b"}


def test_a_ratio_needs_both_devices(timings_on_two_devices: list[Row]) -> None:
    took = {tables.key(row): row["ns_per_iter"] for row in timings_on_two_devices}
    grids = times.ratio_grids(timings_on_two_devices)
    assert [grid.title for grid in grids] == ["cpu/cuda float64", "cpu/cuda float32"]
    assert grids[0].variants == ("torch-manual", "torch-optim", "torch-optim-tensor", "torch-matmul", "torch-bmm")
    cell = ("torch-bmm", "line-4")
    ratio = took[*cell, "cpu", "float64"] / took[*cell, "cuda", "float64"]
    assert float(grids[0].cells[cell].text.rstrip("x")) == pytest.approx(ratio, rel=0.02)
    assert not times.ratio_grids([row for row in timings_on_two_devices if row["device"] == "cuda"])


def test_a_reason_is_given_once_with_all_its_cells(verdicts: list[Row]) -> None:
    batch, feature = tables.declined(verdicts)
    assert batch.reason == "one regression at a time, not a batch of 8"
    assert batch.where == (
        "torch-manual, torch-optim, torch-optim-tensor, numpy-matmul on batch (cpu float64, cpu float32)",
    )
    assert feature.where == ("numpy-dot-mean on crop-yield, gaussian, batch (cpu float64, cpu float32)",)


def test_the_three_lists_hold_every_cell_that_is_not_simply_proved(surprises: list[Row]) -> None:
    unexpected, faults = tables.unexpected(surprises), tables.known_faults(surprises)
    assert [(group.label, group.expected) for group in unexpected] == [
        ("✗ state.momentum 0.900 or state.nesterov", "proved"),
        ("✓ proved (not expected)", "scale.sum"),
    ]
    assert [group.label for group in faults] == ["✗ scale.sum 4.00x (expected)", "✗ scale.sum 36.0x (expected)"]
