"""The notebooks' problems, against the numbers that the notebooks printed."""

import numpy as np
import pytest

from bench.problems.catalogue import find
from bench.problems.problem import Problem


def loss(problem: Problem, w: np.ndarray, b: np.ndarray | None) -> float:
    residual = problem.x @ w.T + (0 if b is None else b) - problem.y
    return float(np.mean(residual**2))


def updated(problem: Problem, w: np.ndarray, b: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    residual = problem.x @ w.T + (0 if b is None else b) - problem.y
    w = w - problem.lr * 2 * residual.T @ problem.x / residual.size
    return w, None if b is None else b - problem.lr * 2 * residual.sum(axis=0) / residual.size


def test_line_4_takes_the_steps_that_autograd_printed() -> None:
    problem = find("line-4").problem
    w, losses, weights = problem.w0, [], []
    for _ in range(10):
        losses.append(f"{loss(problem, w, None):.4f}")
        w, _ = updated(problem, w, None)
        weights.append(f"{w.item():.3f}")
    assert losses[:4] == ["30.0000", "21.6750", "15.6602", "11.3145"]
    assert weights == ["0.300", "0.555", "0.772", "0.956", "1.113", "1.246", "1.359", "1.455", "1.537", "1.606"]


def test_line_6_starts_at_the_printed_loss() -> None:
    problem = find("line-6").problem
    assert loss(problem, problem.w0, None) == pytest.approx(36.667, abs=5e-4)
    assert problem.lr == 0.01


def test_crop_yield_has_the_printed_loss_gradient_and_next_state() -> None:
    problem = find("crop-yield").problem
    # The start was printed to four digits, so the rest agrees to about as many.
    assert problem.b0 is not None
    assert loss(problem, problem.w0, problem.b0) == pytest.approx(21231.4629, rel=2e-5)
    w, b = updated(problem, problem.w0, problem.b0)
    assert b is not None
    gradient_w, gradient_b = (problem.w0 - w) / problem.lr, (problem.b0 - b) / problem.lr
    assert gradient_w == pytest.approx(
        np.array([[-13965, -17300, -10198], [1481.0, -1077.7, -4.9734]]), rel=1e-4, abs=0.05
    )
    assert gradient_b == pytest.approx(np.array([-171.3918, 11.5904]), abs=1e-3)
    # The state and loss that the notebook printed next are those of the update cell run twice with one gradient.
    w, b = problem.w0 - 2 * problem.lr * gradient_w, problem.b0 - 2 * problem.lr * gradient_b
    assert w == pytest.approx(np.array([[0.9835, -1.2214, -0.1539], [1.7002, -1.2803, 1.2665]]), abs=1.1e-4)
    assert b == pytest.approx(np.array([-0.9844, 0.1371]), abs=1.1e-4)
    assert loss(problem, w, b) == pytest.approx(11332.5527, rel=2e-5)


@pytest.mark.parametrize("name", ["line-4", "line-6", "linear-4-lr0.01", "linear-4-lr0.001"])
def test_the_answer_has_no_residual(name: str) -> None:
    named = find(name)
    assert named.answer is not None
    assert loss(named.problem, named.answer.w, named.answer.b) == 0.0
