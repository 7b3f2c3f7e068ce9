"""The suite as users run it: pytest in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench import load

ROOT = Path(bench.__file__).parents[1]
ONE_CELL_A_VARIANT = ("--gdbench-problem=line-4", "--gdbench-dtype=float64", "--gdbench-device=cpu")
STRICT = ("-W", "error", "-q", "-rA")

# The two descents decline what a short example need not do, so that the proof looks at lines through the origin.
AD_HOC = """
import sys

from bench import Descent, Unsupported


def descend(problem, n_iters, factor):
    if problem.b0 is not None or problem.x.ndim != 2:
        raise Unsupported("one regression, without a bias")
    w = problem.w0.copy()
    for _ in range(n_iters):
        w -= factor * problem.lr / problem.y.size * ((problem.x @ w.T - problem.y).T @ problem.x)
    return Descent(w)


def right(problem, n_iters):
    return descend(problem, n_iters, 2)


def doubled(problem, n_iters):
    return descend(problem, n_iters, 4)


def lazy_in_pytest(problem, n_iters):
    return descend(problem, n_iters - ("_pytest" in sys.modules), 2)
"""


def run_pytest(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", *STRICT, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def outcomes(output: str) -> dict[str, str]:
    """What became of each test, by its name."""
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S*::(\w+\[[^\]]*\])", output, re.MULTILINE)
    return {name: outcome for outcome, name in found}


def benchmarks(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["benchmarks"]
    return found


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    file = tmp_path_factory.mktemp("core") / "core.json"
    variants = ("--gdbench-variant=numpy-analytic", "--gdbench-variant=numpy-dot-*")
    arguments = ("bench/suite", *variants, *ONE_CELL_A_VARIANT, f"--benchmark-json={file}")
    return run_pytest(*arguments, "--benchmark-group-by=param:variant,param:dtype"), file


Core = tuple[subprocess.CompletedProcess[str], Path]


def test_the_right_variant_is_timed_and_the_known_wrong_one_is_not(core: Core) -> None:
    done, _ = core
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done.stdout) == {
        "test_convergence[numpy-analytic-line-4-cpu-float64]": "PASSED",
        "test_convergence[numpy-dot-mean-line-4-cpu-float64]": "PASSED",
        "test_iterations[numpy-analytic-line-4-cpu-float64]": "PASSED",
    }
    assert re.search(r"^SKIPPED \[1\] .*: known wrong: scale\.sum$", done.stdout, re.MULTILINE)
    assert "Traceback" not in done.stdout + done.stderr


def test_benchmarks_can_be_grouped_by_each_name(core: Core) -> None:
    done, file = core
    [benchmark] = benchmarks(file)
    assert benchmark["group"] == "line-4 cpu float64, 64 iterations"
    assert benchmark["params"] == {
        "variant": "numpy-analytic",
        "problem": "line-4",
        "device": "cpu",
        "dtype": "float64",
    }
    assert "benchmark 'variant=numpy-analytic dtype=float64': 1 tests" in done.stdout


def test_the_file_says_what_was_proved_and_timed(core: Core) -> None:
    [benchmark] = benchmarks(core[1])
    extra = benchmark["extra_info"]
    assert (extra["status"], extra["verified"], extra["isolation"].partition(";")[0]) == ("proved", True, "fork")
    assert (extra["n_iters"], extra["n_small"], extra["n_large"], extra["threads"]) == (64, 8, 64, 1)
    assert extra["power"] >= 10


def test_the_file_is_read_back_as_frames(core: Core) -> None:
    run = load(core[1])
    assert run.verdicts[["run", "variant", "problem", "device", "dtype", "status"]].to_numpy().tolist() == [
        ["core", "numpy-analytic", "line-4", "cpu", "float64", "proved"]
    ]
    assert run.verdicts["as_expected"].tolist() == [True]
    assert run.verdicts["converges_in"].tolist() == [47]
    [row] = run.timings.to_dict("records")
    assert (row["variant"], row["n_small"], row["n_large"], row["threads"]) == ("numpy-analytic", 8, 64, 1)
    assert row["ns_per_iter"] > 0
    assert row["samples"] >= 7
    assert pd.isna(row["ci_low"])


def test_saved_numbers_are_compared_by_pytest_benchmark_itself(tmp_path: Path) -> None:
    of_one_cell = ("bench/suite", "--benchmark-only", "--gdbench-variant=numpy-analytic", *ONE_CELL_A_VARIANT)
    arguments = (*of_one_cell, f"--benchmark-storage={tmp_path}")
    saved = run_pytest(*arguments, "--benchmark-autosave")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    [file] = tmp_path.rglob("0001_*.json")
    document = json.loads(file.read_text())
    # No timing decides this test: what was saved is made a thousand times as long, then a thousand times as short.
    measured = document["benchmarks"][0]["stats"]["median"]
    for factor, code in ((1e3, 0), (1e-3, 1)):
        document["benchmarks"][0]["stats"]["median"] = factor * measured
        file.write_text(json.dumps(document))
        done = run_pytest(*arguments, "--benchmark-compare", "--benchmark-compare-fail=median:50%")
        assert done.returncode == code, done.stdout + done.stderr
        assert "test_iterations[numpy-analytic-line-4-cpu-float64] (0001_" in done.stdout
        assert ("Performance has regressed" in done.stdout + done.stderr) == bool(code)


@pytest.fixture(scope="module")
def ad_hoc(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Three functions from a file, in a pytest that loads no plugin by its entry point."""
    folder = tmp_path_factory.mktemp("ad_hoc")
    source = folder / "descents.py"
    source.write_text(AD_HOC)
    variants = [f"--gdbench-variant={source}:{name}" for name in ("right", "doubled", "lazy_in_pytest")]
    arguments = (*variants, *ONE_CELL_A_VARIANT, f"--benchmark-json={folder / 'ad_hoc.json'}")
    done = run_pytest("bench/suite", "-p", "pytest_benchmark.plugin", *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    return done, folder / "ad_hoc.json"


def test_a_wrong_variant_fails_and_is_named(ad_hoc: Core) -> None:
    done, _ = ad_hoc
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(done.stdout) == {
        "test_convergence[descents.py:right-line-4-cpu-float64]": "PASSED",
        "test_iterations[descents.py:right-line-4-cpu-float64]": "PASSED",
        "test_convergence[descents.py:doubled-line-4-cpu-float64]": "FAILED",
        "test_iterations[descents.py:doubled-line-4-cpu-float64]": "FAILED",
        "test_convergence[descents.py:lazy_in_pytest-line-4-cpu-float64]": "PASSED",
        "test_iterations[descents.py:lazy_in_pytest-line-4-cpu-float64]": "FAILED",
    }
    reason = "expected proved, became wrong (scale.double): gradient 2.00 times too large"
    failures, summary, _ = done.stdout.partition("short test summary info")
    assert summary  # which repeats the reasons, whole or cut short, as pytest finds itself in CI or not
    assert failures.count(reason) == 2


def test_a_variant_that_answers_wrongly_while_it_is_timed_fails(ad_hoc: Core) -> None:
    expected = "descents.py:lazy_in_pytest · line-4 · cpu · float64: a timed answer is not gradient descent's"
    assert expected in ad_hoc[0].stdout


def test_only_what_is_proved_and_verified_is_in_the_file(ad_hoc: Core) -> None:
    assert [one["params"]["variant"] for one in benchmarks(ad_hoc[1])] == ["descents.py:right"]


def test_the_installed_suite_runs_from_anywhere_and_without_pytest_benchmark(tmp_path: Path) -> None:
    plugins = ("-p", "bench.pytest_plugin", "-p", "no:benchmark", "-p", "no:cacheprovider")
    arguments = ("--gdbench-variant=numpy-analytic", *ONE_CELL_A_VARIANT)
    done = run_pytest("--pyargs", "bench.suite", *plugins, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done.stdout) == {"test_convergence[numpy-analytic-line-4-cpu-float64]": "PASSED"}
    assert "pytest-benchmark is not here, so nothing can be timed: pip install 'gdbench[pytest]'" in done.stdout


def test_switching_the_plugin_off_is_a_usage_error() -> None:
    done = run_pytest("bench/suite", "-p", "no:bench.pytest_plugin")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Leave out -p no:bench.pytest_plugin" in done.stderr
    assert "Traceback" not in done.stderr
