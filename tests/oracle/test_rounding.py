"""Loops written in every way that the bound admits stay inside it where each of its terms is the largest."""

from collections.abc import Callable

import numpy as np
import pytest

from bench.dtypes import DTYPES, rounded
from bench.oracle.system import System
from bench.oracle.truth import truth
from bench.problems.problem import Problem
from bench.problems.rounding import in_dtype

Step = Callable[[Problem, int, type[np.floating]], np.ndarray]


def affine(problem: Problem, n_iters: int, dtype: type[np.floating]) -> np.ndarray:
    """(I - lr H) theta + lr q, every product summed from its largest term on."""
    x, y, theta = (np.asarray(a, dtype) for a in (problem.x, problem.y, problem.w0.T))
    rate = 2 * problem.lr / y.size
    step, shift = np.eye(x.shape[1], dtype=dtype) - rate * x.T @ x, rate * x.T @ y
    for _ in range(n_iters):
        moved = []
        for j, row in enumerate(step):
            order = [j, *(k for k in range(len(row)) if k != j)]
            total = np.zeros(y.shape[1], dtype)
            for k in order:
                total = total + row[k] * theta[k]
            moved.append(total + shift[j])
        theta = np.stack(moved)
    return theta


def sample_by_sample(problem: Problem, n_iters: int, dtype: type[np.floating]) -> np.ndarray:
    """Each sample's part of the gradient is taken off the weights at once; the residuals are all worked out before."""
    x, y, theta = (np.asarray(a, dtype) for a in (problem.x, problem.y, problem.w0.T))
    rate = dtype(2 * problem.lr / y.size)
    for _ in range(n_iters):
        residual = x @ theta - y
        for xi, ri in zip(x, residual, strict=True):
            theta = theta - rate * np.outer(xi, ri)
    return theta


def lopsided(n: int, d: int, seed: int) -> Problem:
    """One column of ordinary size and many so small that a step hardly moves their weights."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)) * np.where(np.arange(d) == 0, 1.0, 1e-4)
    w0 = 1 + random.random((1, d))
    problem = in_dtype(Problem(x, random.standard_normal((n, 1)), w0, None, 1.0), DTYPES["float32"])
    return Problem(problem.x, problem.y, problem.w0, None, 0.9 * System.of(problem).largest_learning_rate)


def unlucky(n: int, d: int) -> Problem:
    """Products that are each 0.6 of the last place of the first weight: one after the other they round the same way."""
    last_place = 2.0**-23
    x = np.ones((n, d))
    lr = 0.9 / d
    x[:, 0] = 0.6 * last_place / (2 * lr)
    w0 = np.ones((1, d))
    w0[0, 0] = 1.5
    return in_dtype(Problem(x, np.zeros((n, 1)), w0, None, lr), DTYPES["float32"])


@pytest.mark.parametrize(
    ("step", "problem"),
    [(affine, unlucky(1, 33)), (sample_by_sample, lopsided(400, 3, 0)), (affine, lopsided(40, 33, 0))],
)
def test_weights_that_hardly_move_pass_through_long_sums(step: Step, problem: Problem) -> None:
    exact = truth(problem, [1, 20], DTYPES["float32"])
    for n_iters in (1, 20):
        off = exact.distance(n_iters, step(problem, n_iters, np.float32).T, None)
        assert np.all(off <= exact.bound[n_iters])


def test_residuals_that_underflow_when_they_are_scaled() -> None:
    residual = float(rounded(1.3 * 2.0**-14, DTYPES["float16"]))
    x, y = np.full((4, 1), 64.0), np.full((4, 256), residual)
    problem = Problem(x, y, np.zeros((256, 1)), None, 0.01)
    exact = truth(problem, [1], DTYPES["float16"])
    half = [np.asarray(a, np.float16) for a in (x, y)]
    slope = 2 / y.size * (np.float16(0) - half[1])
    w = -problem.lr * (slope.T @ half[0])
    off = exact.distance(1, w.astype(np.float64), None)
    assert np.all(off <= exact.bound[1])


def test_a_bound_without_end_is_no_number_beside_a_column_of_zeros() -> None:
    x = np.array([[1.0, 0.0]] * 300)
    problem = Problem(x, np.ones((300, 1)), np.zeros((1, 2)), None, 0.1)
    assert np.all(np.isposinf(truth(problem, [3], DTYPES["bfloat16"]).bound[3]))
