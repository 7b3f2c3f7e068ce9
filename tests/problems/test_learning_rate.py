"""Learning rates: the allowed, the largest stable, the automatic."""

import math

import numpy as np
import pytest

from bench.errors import UsageError
from bench.problems.learning_rate import AUTO_FRACTION, checked, largest_stable, resolved
from bench.problems.problem import Problem


def problem_of(x: np.ndarray, *, n_outputs: int = 1, bias: bool = False) -> Problem:
    *lead, n_samples, n_features = x.shape
    return Problem(
        x,
        np.zeros((*lead, n_samples, n_outputs)),
        np.zeros((*lead, n_outputs, n_features)),
        np.zeros((*lead, n_outputs)) if bias else None,
        lr=1.0,
    )


def test_one_feature_without_bias_has_the_rate_one_over_the_mean_square() -> None:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert largest_stable(problem_of(x)) == pytest.approx(2 / 15, rel=1e-15)
    assert largest_stable(problem_of(x, n_outputs=3)) == pytest.approx(6 / 15, rel=1e-15)


def test_a_bias_counts_as_a_column_of_ones() -> None:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    # H = [[15, 5], [5, 2]]
    largest = (17 + math.sqrt(17**2 - 4 * 5)) / 2
    assert largest_stable(problem_of(x, bias=True)) == pytest.approx(2 / largest, rel=1e-14)


@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_it_is_the_edge_of_convergence(shape: tuple[int, int]) -> None:
    problem = problem_of(np.random.default_rng(7).standard_normal(shape), bias=True)
    a = np.column_stack([problem.x, np.ones(shape[0])])
    hessian = 2 / shape[0] * a.T @ a

    def growth(lr: float) -> float:
        return float(np.max(np.abs(np.linalg.eigvalsh(np.eye(shape[1] + 1) - lr * hessian))))

    edge = largest_stable(problem)
    assert growth(1.000001 * edge) > 1 + 1e-7
    assert growth(0.999999 * edge) <= 1 + 1e-12


def test_of_a_batch_the_smallest_rate_counts() -> None:
    x = np.random.default_rng(1).standard_normal((3, 8, 2)) * np.array([1.0, 5.0, 2.0])[:, np.newaxis, np.newaxis]
    members = [largest_stable(problem_of(member, bias=True)) for member in x]
    assert largest_stable(problem_of(x, bias=True)) == pytest.approx(min(members), rel=1e-14)
    assert members[1] == min(members)


def test_features_whose_squares_overflow_have_a_rate_all_the_same() -> None:
    x = np.array([[1e160], [2e160], [3e160], [4e160]])
    assert largest_stable(problem_of(x)) == pytest.approx(2 / 15 * 1e-320, rel=1e-3)


def test_auto_is_a_share_of_the_largest_stable_rate() -> None:
    x = np.array([[1.0], [2.0]])
    assert resolved("auto", x, n_outputs=2, bias=True) == AUTO_FRACTION * largest_stable(
        problem_of(x, n_outputs=2, bias=True)
    )
    assert resolved(0.25, x, n_outputs=2, bias=True) == 0.25


@pytest.mark.parametrize("value", [0.0, 1e200])
def test_auto_needs_features_that_allow_one(value: float) -> None:
    with pytest.raises(UsageError, match=r"no automatic learning rate exists: it came out as (inf|0\.0)"):
        resolved("auto", np.full((3, 1), value), n_outputs=1, bias=False)


@pytest.mark.parametrize("lr", [0.0, -0.1, math.nan, math.inf, -math.inf])
def test_what_is_no_learning_rate_is_refused(lr: float) -> None:
    with pytest.raises(UsageError, match=f"the learning rate {lr!r} is not a positive finite number"):
        checked(lr)
