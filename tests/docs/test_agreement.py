"""What each tool says is read rightly, the summary is what it claims, and the page shows the results there are."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scripts.agreement import asv_run, by_hand, gdbench_time, pyperf_timeit, pytest_benchmark_run, torch_timer
from scripts.agreement.measuring import CONDITIONS, TOOLS, planned
from scripts.agreement.page import PAGES, RESULTS, page, summaries
from scripts.agreement.works import FOLDER, WORKS

NUMPY = WORKS["numpy"]

# What pytest-benchmark 5.3.1, pyperf 2.11.0 and asv 0.6.6 write, cut to a few fields; 150 iterations a call.
PYTEST_BENCHMARK = """{"version": "5.3.1", "benchmarks": [{"group": null, "name": "test_loop", "fullname":
    "test_loop.py::test_loop", "params": null, "stats": {"min": 0.0015, "max": 0.009, "mean": 0.002,
    "median": 0.00165, "rounds": 403, "iterations": 1}}]}"""
PYPERF = """{"benchmarks": [{"metadata": {"name": "timeit", "inner_loops": 150, "loops": 64}, "runs": [
    {"metadata": {"calibrate_loops": 64}, "warmups": [[1, 2e-05], [64, 1.5e-05]]},
    {"warmups": [[64, 9e-05]], "values": [1.0e-05, 1.1e-05, 1.2e-05]},
    {"warmups": [[64, 9e-05]], "values": [1.3e-05, 1.4e-05, 1.8e-05]}]}], "version": "1.0"}"""
ASV = """{"commit_hash": "0123456789", "env_name": "existing-python", "result_columns": ["result", "params", "version",
    "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number",
    "stats_repeat", "samples", "profile"],
    "results": {"loop.Loop.time_loop": [[0.0015], [], "abc", 1700000000000, 2.5, [0.0014], [0.0016]]}, "version": 2}"""


def test_pytest_benchmark_gives_the_least_and_the_median_of_a_call() -> None:
    assert pytest_benchmark_run.figures(PYTEST_BENCHMARK, NUMPY) == pytest.approx({"least": 10_000, "median": 11_000})


def test_pyperf_gives_values_by_iteration_and_none_of_its_warm_ups() -> None:
    assert pyperf_timeit.figures(PYPERF, NUMPY) == pytest.approx({"mean": 13_000})


def test_asv_gives_the_median_of_a_call() -> None:
    assert asv_run.figures(ASV, NUMPY) == pytest.approx({"median": 10_000})
    assert asv_run.figures(ASV.replace("[0.0015]", "[null]"), NUMPY) == {}


def test_the_torch_timer_gives_the_median_of_a_call() -> None:
    assert torch_timer.figures('{"median": 0.0015}\n', NUMPY) == pytest.approx({"median": 10_000})


def test_gdbench_gives_an_iteration_or_nothing() -> None:
    document: dict[str, Any] = {"schema": "gdbench/timings/1", "timings": [{"status": "proved", "ns_per_iter": 9876.5}]}
    assert gdbench_time.figures(json.dumps(document), NUMPY) == {"slope": 9876.5}
    document["timings"][0] |= {"status": "void", "ns_per_iter": None}
    assert gdbench_time.figures(json.dumps(document), NUMPY) == {}


def test_by_hand_gives_an_iteration() -> None:
    text = '{"least": 9800.1, "tenth": 9900.2, "median": 21000.0}\n'
    assert by_hand.figures(text, NUMPY) == {"least": 9800.1, "tenth": 9900.2, "median": 21000.0}


def test_every_work_is_a_variant_in_a_file_of_its_own() -> None:
    for work in WORKS.values():
        assert "def descend(problem: Problem, n_iters: int) -> Descent:" in (FOLDER / f"{work.module}.py").read_text()
        command = gdbench_time.command(work, Path())
        assert command[4] == work.target
        assert work.problem in command


def test_a_round_has_every_invocation_once_and_its_order_is_the_seed_s() -> None:
    order = planned(2, CONDITIONS, list(WORKS), list(TOOLS), seed=1)
    assert set(Counter(order).values()) == {1}
    assert len(order) == 2 * len(CONDITIONS) * len(WORKS) * len(TOOLS)
    assert [one.round for one in order] == sorted(one.round for one in order)
    assert order == planned(2, CONDITIONS, list(WORKS), list(TOOLS), seed=1)
    assert order != planned(2, CONDITIONS, list(WORKS), list(TOOLS), seed=2)


def row(number: int, tool: str, figures: dict[str, float], bare_ns: float = 100.0) -> dict[str, Any]:
    bare = {"least": bare_ns, "tenth": 2 * bare_ns, "median": 1e9}
    rest = {"condition": "idle", "work": "numpy", "wall_seconds": float(number)}
    return rest | {"round": number, "tool": tool, "ns_per_iter": figures, "bare_ns_per_iter": bare}


def test_a_summary_says_how_far_from_bare_and_how_well_it_repeats() -> None:
    rows = [row(number, "asv", {"median": ns}) for number, ns in enumerate((100.0, 110.0, 120.0), start=1)]
    rows += [
        row(1, "gdbench", {"slope": 102.0}, bare_ns=104.0),
        row(2, "gdbench", {}),
        row(3, "gdbench", {"slope": 97.0}),
    ]
    hand, tenth, ours, asv = summaries(rows)
    assert (hand.tool, hand.ns_per_iter, hand.over_bare, hand.pairs) == ("by hand, least", 100.0, (1.0, 0.5), 3)
    assert (tenth.tool, tenth.ns_per_iter, tenth.over_bare) == ("by hand, tenth", 200.0, (2.0, 1.0))
    assert (ours.tool, ours.ns_per_iter, ours.pairs, ours.apart) == ("gdbench, slope", 99.5, 1, 1)
    assert ours.over_bare == pytest.approx((0.985, 0.4925))
    assert (ours.invocations, ours.made, ours.wall_seconds) == (2, 3, 2.0)
    assert (asv.tool, asv.ns_per_iter, asv.pairs, asv.apart) == ("asv, median", 110.0, 3, 3)
    assert asv.spread == pytest.approx(10 / 110)
    assert asv.over_bare == pytest.approx((1.1, 0.55))


def test_a_tool_without_any_figure_keeps_its_row() -> None:
    *_, ours = summaries([row(1, "gdbench", {}), row(2, "gdbench", {})])
    assert (ours.tool, ours.invocations, ours.made, ours.pairs) == ("gdbench, no figure", 0, 2, 0)


def test_at_a_glance_the_steadiest_and_the_fastest_of_the_others_are_shown() -> None:
    rows = []
    for number in (1, 2, 3):
        rows += [
            row(number, "gdbench", {"slope": 101.0 + number / 10}),
            row(number, "asv", {"median": 100.0 + 10 * number}) | {"wall_seconds": 1.0},
            row(number, "pytest-benchmark", {"least": 103.0 + number, "median": 200.0 * number})
            | {"wall_seconds": 3.0},
        ]
    document = {"environment": json.loads(RESULTS.read_text(encoding="utf-8"))["environment"], "invocations": rows}
    steadiest, fastest = "0.95 % (pytest-benchmark, least)", "3.0 s (pytest-benchmark, least)"
    line = f"| NumPy as published | idle | 1.012 | 0.506 | 0.099 % | {steadiest} | 2.0 s | {fastest} |"
    assert line in page(document)
    assert "| **gdbench, slope** | 1.012 to 1.012 | 0.506 to 0.506 | 0.099 % | 0 of 3 | 2.0 s |" in page(document)
    assert "made in pieces" not in page(document)
    assert "made in pieces" in page(document | {"invocations": rows[::-1]})
    others = [one for one in rows if one["tool"] == "asv"]
    assert "| NumPy as published | idle |" not in page(document | {"invocations": others})


@pytest.mark.parametrize("results", PAGES, ids=lambda path: path.name)
def test_the_page_is_what_the_results_give(results: Path) -> None:
    document = json.loads(results.read_text(encoding="utf-8"))
    expected = page(document, results)
    assert PAGES[results][0].read_text(encoding="utf-8") == expected, (
        "python -m scripts.agreement --page writes it anew"
    )
