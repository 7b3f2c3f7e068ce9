"""Timed calls in pytest's own process."""

import gc
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bench.plan import Cell
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.verdict import ProvedVerdict
from bench.suite.calls import FEWEST_ROUNDS, MOST_ROUNDS, Calls, WrongAnswerError, iterations_of, steady
from bench.variants.contract import Variant
from gd_impls.numpy_analytic import numpy_analytic
from tests.proof.verdicts import a_verdict

ANALYTIC = Variant("numpy-analytic", "numpy", "analytic", "gd_impls.numpy_analytic:numpy_analytic")


def cell_of(variant: Variant = ANALYTIC, problem: str = "line-4", dtype: str = "float64") -> Cell:
    return Cell(variant, problem, find(problem).problem, "cpu", dtype)


def proof_of(cell: Cell) -> ProvedVerdict:
    return ProvedVerdict(
        a_verdict(
            variant=cell.variant.name,
            backend=cell.variant.backend,
            family=cell.variant.family,
            problem=cell.problem,
            device=cell.device,
            dtype=cell.dtype,
        )
    )


def calls_of(cell: Cell) -> Calls:
    return Calls(cell, proof_of(cell))


def returning(tmp_path: Path, result: str) -> Variant:
    source = tmp_path / "mine.py"
    source.write_text(f"from bench import Descent\n\ndef descend(problem, n_iters):\n    return {result}\n")
    return replace(ANALYTIC, name="mine", target=f"{source}:descend")


def of_size(n_samples: int, n_outputs: int = 1) -> Problem:
    return Problem(np.empty((n_samples, 2)), np.empty((n_samples, n_outputs)), np.zeros((n_outputs, 2)), None, 0.1)


def test_large_problems_get_fewer_iterations() -> None:
    assert [iterations_of(of_size(n)) for n in (4, 25_000, 50_000, 100_000, 1_000_000)] == [64, 64, 32, 16, 8]
    assert iterations_of(of_size(25_000, n_outputs=4)) == 16


def test_how_many_iterations_depends_on_the_problem_and_the_dtype_alone() -> None:
    batched = Variant("numpy-batched", "numpy", "batched", "gd_impls.numpy_matmul:numpy_batched")
    one, other = calls_of(cell_of()), calls_of(cell_of(batched))
    assert (one.n_small, one.n_large) == (other.n_small, other.n_large) == (8, 64)


def test_iterates_that_the_dtype_cannot_hold_are_not_asked_for() -> None:
    cell = cell_of(dtype="float16")
    assert cell.data is not None
    diverging = replace(cell, data=replace(cell.data, lr=0.2))
    assert calls_of(cell).n_large == 64
    assert 2 <= calls_of(diverging).n_large < 64


@pytest.mark.parametrize(("iteration_ns", "rounds"), [(50, MOST_ROUNDS), (200_000, 10), (10**8, FEWEST_ROUNDS)])
def test_the_quickest_short_and_the_quickest_long_call_give_the_line(
    monkeypatch: pytest.MonkeyPatch, iteration_ns: int, rounds: int
) -> None:
    passed_ns, slowness = [0], [1]

    def descend(problem: Problem, n_iters: int) -> object:
        passed_ns[0] += slowness[0] * (1000 + iteration_ns * n_iters)
        return numpy_analytic(problem, n_iters)

    monkeypatch.setattr("gd_impls.numpy_analytic.numpy_analytic", descend)
    cell = cell_of()
    calls = Calls(cell, proof_of(cell), clock_ns=lambda: passed_ns[0])
    assert calls.warm_up() == rounds
    for slowness[0] in (5, 2, 3):
        calls.long(*calls.short())
    assert calls.line() == (2 * iteration_ns, 2 * 1000)


def test_every_call_starts_elsewhere_with_arrays_of_its_own() -> None:
    calls = calls_of(cell_of())
    (first, placed), (second, placed_again) = calls.short(), calls.short()
    assert not np.array_equal(first.w0, second.w0)
    assert np.array_equal(placed.w0, first.w0)
    assert placed.x is not placed_again.x
    assert np.array_equal(placed.x, placed_again.x)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("Descent(problem.w0)", "a timed answer is not gradient descent's: after 8 iterations"),
        ("None", "a timed call returned NoneType, not a Descent"),
        ("Descent(problem.w0[0])", r"w has shape \(1,\) where \(1, 1\) was due"),
        ("Descent(problem.w0.astype('float32'))", "w has dtype float32 where float64 was due"),
    ],
)
def test_a_wrong_answer_is_never_timed(tmp_path: Path, result: str, message: str) -> None:
    calls = calls_of(cell_of(returning(tmp_path, result)))
    with pytest.raises(WrongAnswerError, match=message):
        calls.short()


def test_the_last_long_call_is_checked_too() -> None:
    calls = calls_of(cell_of())
    start, placed = calls.short()
    calls.long(start, replace(placed, lr=placed.lr * 1.01))
    with pytest.raises(WrongAnswerError, match="after 64 iterations"):
        calls.line()


def test_another_cell_s_proof_is_no_proof() -> None:
    with pytest.raises(ValueError, match="is not the cell that was proved"):
        Calls(cell_of(), proof_of(cell_of(problem="line-6")))


def test_timing_is_single_threaded_and_without_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_threads = [4]
    torch = SimpleNamespace(get_num_threads=lambda: torch_threads[-1], set_num_threads=torch_threads.append)
    monkeypatch.setitem(sys.modules, "torch", torch)
    before = [library["num_threads"] for library in threadpool_info()]
    with steady():
        assert not gc.isenabled()
        assert torch_threads == [4, 1]
        assert {library["num_threads"] for library in threadpool_info()} <= {1}
    assert gc.isenabled()
    assert torch_threads == [4, 1, 4]
    assert [library["num_threads"] for library in threadpool_info()] == before
