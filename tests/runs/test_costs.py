"""Timings come into series that differ in one extent, and in nothing else."""

import json
from typing import Any

import pytest

from bench.problems.catalogue import find
from bench.runs.costs import costs, costs_fields, crossings, series
from bench.runs.records import EXTENT_COLUMNS, extent_fields
from bench.timing.growth import Growth
from bench.timing.limits.work import Shape

Row = dict[str, Any]


def row(spec: str, ns: float, variant: str = "a", device: str = "cpu", dtype: str = "float64") -> Row:
    found = find(spec)
    names = {"variant": variant, "problem": found.name, "device": device, "dtype": dtype}
    return (
        names | extent_fields(Shape.of(found.problem)) | {"ns_per_iter": ns, "ci_low": 0.99 * ns, "ci_high": 1.01 * ns}
    )


def swept(key: str, sizes: tuple[int, ...], rest: str = "bias=no", **names: str) -> list[Row]:
    return [row(f"gaussian:{key}={size},{rest}", 5_000.0 + 40.0 * size, **names) for size in sizes]


def test_a_problem_says_its_extents() -> None:
    assert extent_fields(Shape.of(find("batch:b=4,n=20").problem)) == {
        "n_samples": 20, "n_features": 3, "n_outputs": 2, "n_regressions": 4
    }  # fmt: skip
    assert extent_fields(Shape.of(find("line-4").problem))["n_regressions"] == 1
    assert extent_fields(None) == dict.fromkeys(name for name, _, _ in EXTENT_COLUMNS)


@pytest.mark.parametrize(("key", "extent"), [("n", "n_samples"), ("d", "n_features"), ("m", "n_outputs")])
def test_problems_that_differ_in_one_extent_are_a_series(key: str, extent: str) -> None:
    [found] = series(swept(key, (10, 20, 40)))
    assert (found.extent, found.problem, list(found.points)) == (extent, "gaussian:bias=no", [10, 20, 40])


def test_the_default_of_a_family_belongs_to_its_series() -> None:
    [found] = series([row("gaussian:n=10", 1.0), row("gaussian", 2.0), row("gaussian:n=1000", 3.0)])
    assert list(found.points) == [10, 100, 1_000]


def test_what_else_differs_keeps_problems_apart() -> None:
    rows = [row("gaussian:n=10,bias=no", 1.0), row("gaussian:n=20", 1.0), row("gaussian:n=40,seed=3", 1.0)]
    rows += [row("gaussian:n=80", 1.0, variant="b"), row("gaussian:n=80", 1.0, dtype="float32"), row("line-4", 1.0)]
    assert series(rows) == []


def test_a_cell_without_a_time_or_of_an_earlier_run_is_in_no_series() -> None:
    untimed = row("gaussian:n=10", 1.0) | {"ns_per_iter": None}
    earlier = {name: value for name, value in row("gaussian:n=20", 1.0).items() if not name.startswith("n_")}
    of_a_frame = row("gaussian:n=40", 1.0) | {"ns_per_iter": float("nan")}
    assert series([untimed, earlier, of_a_frame, row("gaussian:n=80", 1.0)]) == []


@pytest.mark.parametrize("ns", [0.0, -1.0, 1e-310, 1e300, float("inf")])
def test_a_number_that_is_no_time_is_in_no_series(ns: float) -> None:
    rows = swept("n", (10, 20, 40, 80, 160))
    assert [list(one.points) for one in series([rows[0] | {"ns_per_iter": ns}, *rows[1:]])] == [[20, 40, 80, 160]]
    assert series([one | {"ci_low": ns} for one in rows]) == []


def test_two_sizes_are_no_series_to_speak_of() -> None:
    assert costs(series(swept("n", (10, 20)))) == []


def test_the_document_is_strict_json() -> None:
    sizes = (10, 40, 160, 640, 2_560)
    rows = swept("n", sizes) + swept("n", sizes[:3], variant="b")
    rows += [
        one | {"device": "cuda", "ns_per_iter": 9e3, "ci_low": 8.9e3, "ci_high": 9.1e3} for one in swept("n", sizes)
    ]
    told = json.loads(json.dumps(costs_fields(rows), allow_nan=False))
    first, second, third = told["costs"]
    assert first["power"] == pytest.approx(1.0, abs=0.01)
    assert (first["extent"], first["sizes"], first["reason"]) == ("n_samples", list(sizes), "")
    assert (second["variant"], second["power"]) == ("b", None)
    assert "3 sizes" in second["reason"]
    assert third["device"] == "cuda"
    [crossing] = told["crossings"]
    assert (crossing["device"], crossing["overtaken"]) == ("cuda", "cpu")
    assert (crossing["before"], crossing["after"]) == (40, 160)
    assert crossing["size"] == pytest.approx(100.0)


def test_a_series_of_one_device_crosses_nothing() -> None:
    assert crossings(series(swept("n", (10, 100)))) == []


def test_the_growth_of_a_series_is_that_of_its_points() -> None:
    [cost] = costs(series(swept("n", (10, 100, 1_000, 10_000, 100_000))))
    assert isinstance(cost.found, Growth)
    assert cost.series.symbol == "N"
    assert cost.found.fixed_ns == pytest.approx(5_000.0, rel=0.01)
