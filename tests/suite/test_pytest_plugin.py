"""The plugin in someone else's test-suite."""

import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

# pytester forgets what is imported while it runs, and NumPy cannot be imported twice.
import bench.harness
import bench.suite.calls  # noqa: F401

pytest_plugins = ["pytester"]

ONE_CELL = ("--gdbench-variant=numpy-analytic", "--gdbench-problem=line-4", "--gdbench-dtype=float64")


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture(autouse=True)
def left_open() -> Iterator[None]:
    """pytest-benchmark before 5.3 does not close a file in which there is nothing to be written."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # This process has imported the plugin, of which pytest 8 warns.
    strict = ("--strict-markers", "-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    return pytester.runpytest_inprocess("-p", "bench.pytest_plugin", *strict, "-rs", *arguments)


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    heavy = ("numpy", "scipy", "pandas", "pyarrow", "torch", "pytest_benchmark", "bench.harness", "bench.plan")
    code = f"import sys, bench.pytest_plugin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_test_of_ones_own_gets_each_cell_and_one_proof_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        seen = []

        def test_cell(gdbench_cell, variant):
            assert gdbench_cell.variant.name == variant == "numpy-analytic"
            assert (gdbench_cell.problem, gdbench_cell.device) == ("line-4", "cpu")

        def test_first(gdbench_proved, gdbench_harness):
            seen.append(gdbench_proved)
            assert gdbench_proved.verdict.proved

        def test_again(gdbench_proved):
            assert any(gdbench_proved is one for one in seen)

        def test_other():
            pass
        """
    )
    result = run(pytester, *ONE_CELL, "--gdbench-dtype=float32", "-v")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*::test_again[[]numpy-analytic-line-4-cpu-float32[]] PASSED*"])


def test_a_device_that_is_not_here_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from bench.suite.test_descent import test_convergence")
    result = run(pytester, *ONE_CELL, "--gdbench-device=cuda", "--gdbench-device=cpu", "-m", "cuda and convergence")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines(["SKIPPED*unsupported: numpy computes on cpu only"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--gdbench-variant=numpy-analitic", "No variant matches 'numpy-analitic'. Nearest: numpy-analytic*"),
        ("--gdbench-variant=nowhere.py:descend", "There is no file nowhere.py*"),
        ("--gdbench-problem=lime-4", "no problem is named 'lime-4'. The nearest names are line-4*"),
        ("--gdbench-dtype=float65", "dtype 'float65' is not known. gdbench knows float64*"),
    ],
)
def test_what_cannot_be_selected_is_said_in_one_line(pytester: pytest.Pytester, argument: str, message: str) -> None:
    pytester.makepyfile("def test_cell(gdbench_cell): pass")
    result = run(pytester, argument)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"gdbench: {message}"])
    result.stdout.no_fnmatch_line("*Traceback*")


WRONG = """
from bench import Descent

def stay(problem, n_iters):
    return Descent(problem.w0, problem.b0)
"""


def test_pytest_benchmark_has_no_complaint_where_every_cell_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from bench.suite.test_descent import test_iterations", wrong=WRONG)
    arguments = ("--gdbench-variant=wrong.py:stay", *ONE_CELL[1:], "--benchmark-json=none.json")
    result = run(pytester, "-p", "pytest_benchmark.plugin", *arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expected proved, became wrong*"])
    assert json.loads((pytester.path / "none.json").read_text())["benchmarks"] == []


def test_pytest_benchmark_does_not_fail_the_session_where_every_cell_is_skipped(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from bench.suite.conftest import pytest_sessionfinish")
    pytester.makepyfile("from bench.suite.test_descent import test_iterations")
    arguments = ("--gdbench-device=cuda", *ONE_CELL, "--benchmark-json=none.json")
    with pytest.warns(Warning, match="Not saving anything, no benchmarks have been run!"):
        result = run(pytester, "-p", "pytest_benchmark.plugin", *arguments)
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.OK
