"""What github-action-benchmark and Bencher read: every time of a run, in nanoseconds, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.errors import UsageError
from bench.report.continuous import bencher_metric_format, github_action_benchmark

Row = dict[str, Any]
NAME = "numpy-analytic/line-4/cpu/float64"


@pytest.fixture
def two(make_timing: Any) -> list[Row]:
    timed = make_timing("numpy-analytic", "line-4", "cpu", "float64", 5713.0, ci_low=5600.0, ci_high=5900.0)
    void = make_timing("numpy-matmul", "line-4", "cpu", "float64", 1.0) | dict.fromkeys(("ns_per_iter", "ci_low"))
    return [timed | {"note": "contention: a processor was waited for"}, void]


def test_entries_of_github_action_benchmark(two: list[Row]) -> None:
    [entry] = json.loads(github_action_benchmark(two))
    assert entry == {
        "name": NAME,
        "unit": "ns",
        "value": 5713.0,
        "range": "± 187",
        "extra": "5.71 ±0.19 µs an iteration, 95 % over 8 launches\ncontention: a processor was waited for",
    }


def test_metrics_of_bencher(two: list[Row]) -> None:
    assert json.loads(bencher_metric_format(two)) == {
        NAME: {"latency": {"value": 5713.0, "lower_value": 5600.0, "upper_value": 5900.0}}
    }


def test_a_time_without_an_interval(two: list[Row]) -> None:
    bare = two[0] | {"ci_low": None, "ci_high": float("nan"), "note": ""}
    assert json.loads(github_action_benchmark([bare])) == [{"name": NAME, "unit": "ns", "value": 5713.0}]
    assert json.loads(bencher_metric_format([bare])) == {NAME: {"latency": {"value": 5713.0}}}


def test_every_time_of_a_run_has_its_name(timings: list[Row]) -> None:
    entries = json.loads(github_action_benchmark(timings))
    metrics = json.loads(bencher_metric_format(timings))
    assert [entry["name"] for entry in entries] == list(metrics)
    assert len(metrics) == len(timings)
    assert [entry["value"] for entry in entries] == [row["ns_per_iter"] for row in timings]
    for metric in metrics.values():
        assert metric["latency"]["lower_value"] <= metric["latency"]["value"] <= metric["latency"]["upper_value"]


@pytest.mark.parametrize("form", [github_action_benchmark, bencher_metric_format])
def test_hostile_text_and_no_times(
    form: Callable[[list[Row]], str], hostile_timings: list[Row], two: list[Row]
) -> None:
    assert form(hostile_timings).isascii()
    for nothing in ([], two[1:]):
        with pytest.raises(UsageError, match="the run has no timings"):
            form(nothing)
