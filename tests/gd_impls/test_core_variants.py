"""Every core variant against exact iterates of small random problems: a check that needs no harness."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.dtypes import DTYPES, rounded
from bench.problems.problem import Problem
from bench.variants.contract import Unsupported

PLAIN = frozenset({"weights", "line", "bias", "line-bias"})
BATCHED = frozenset({"batch", "batch-bias", "batch-of-one"})
ACCEPTS = {
    "numpy-analytic": PLAIN,
    "numpy-matmul": PLAIN,
    "numpy-batched": PLAIN | BATCHED,
    "numpy-dot-mean": frozenset({"line"}),
    "torch-manual": PLAIN,
    "torch-optim": PLAIN,
    "torch-optim-tensor": PLAIN,
    "torch-matmul": PLAIN,
    "torch-bmm": BATCHED,
}
SHAPES = {
    "weights": ((), 7, 3, 2, False),
    "line": ((), 6, 1, 1, False),
    "bias": ((), 7, 3, 2, True),
    "line-bias": ((), 5, 1, 1, True),
    "batch": ((3,), 7, 4, 2, False),
    "batch-bias": ((3,), 7, 4, 2, True),
    "batch-of-one": ((1,), 5, 2, 3, True),
}
N_ITERS = 6
TOLERANCE = {"float64": 1e-10, "float32": 8 * 2.0**-24, "float16": 8 * 2.0**-11, "bfloat16": 8 * 2.0**-8}
CASES = [(name, shape) for name in ACCEPTS for shape in SHAPES]
ACCEPTED = [(name, shape) for name, shape in CASES if shape in ACCEPTS[name]]

Descend = Callable[..., Any]
Array = npt.NDArray[np.floating]


def dtypes(name: str) -> list[str]:
    return [dtype for dtype in DTYPES if dtype != "bfloat16" or not name.startswith("numpy")]


def random_problem(shape: str, dtype: str = "float64", seed: int = 0) -> Problem:
    batch, n_samples, n_features, n_outputs, has_bias = SHAPES[shape]
    random = np.random.default_rng([seed, *map(ord, shape)])

    def draw(*size: int, offset: float = 0.0) -> npt.NDArray[np.float64]:
        return rounded(offset + 3 * random.standard_normal((*batch, *size)), DTYPES[dtype])

    x, y = draw(n_samples, n_features) / 4, draw(n_samples, n_outputs)
    # The start is far from the optimum, so that every update matters in every dtype.
    w0, b0 = draw(n_outputs, n_features, offset=8), draw(n_outputs, offset=8) if has_bias else None
    return Problem(x, y, w0, b0, lr=2.0**-3)


def exact(problem: Problem, lr: float, n_iters: int) -> tuple[Array, Array]:
    """The iterate (w and b side by side) and the losses, straight from the definition, in long double."""
    x, y, w = (np.asarray(array, np.longdouble) for array in (problem.x, problem.y, problem.w0))
    b = np.zeros(w.shape[:-1], np.longdouble) if problem.b0 is None else np.asarray(problem.b0, np.longdouble)
    losses = []
    for _ in range(n_iters):
        residual = np.einsum("...nd,...md->...nm", x, w) + b[..., np.newaxis, :] - y
        count = residual.shape[-1] * residual.shape[-2]
        losses.append((residual**2).sum((-1, -2)) / count)
        w = w - lr * 2 * np.einsum("...nm,...nd->...md", residual, x) / count
        if problem.b0 is not None:
            b = b - lr * 2 * residual.sum(-2) / count
    return np.concatenate([w, b[..., np.newaxis]], -1), np.array(losses)


def state(descent: Any) -> Array:
    b = np.zeros(descent.w.shape[:-1]) if descent.b is None else descent.b
    return np.concatenate([descent.w, b[..., np.newaxis]], -1)


def check(descend: Descend, name: str, shape: str, dtype: str, device: str = "cpu") -> None:
    for seed in range(3):
        problem = random_problem(shape, dtype, seed)
        # The published formula is wrong by a factor N, and by nothing else.
        lr = problem.lr * (len(problem.x) if name == "numpy-dot-mean" else 1)
        theta, losses = exact(problem, lr, N_ITERS)
        wrong, _ = exact(problem, 2 * lr, N_ITERS)
        allowed = TOLERANCE[dtype] * (1 + np.abs(theta).max() + np.abs(problem.w0).max())
        observed = descend(name, problem, N_ITERS, dtype, device)
        assert np.abs(state(observed) - theta).max() <= allowed
        assert np.abs(state(observed) - wrong).max() > allowed
        assert observed.losses.shape == losses.shape
        assert np.abs(observed.losses - losses).max() <= 2 * TOLERANCE[dtype] * (1 + losses.max())
        assert (observed.b is None) == (problem.b0 is None)


@pytest.mark.parametrize(("name", "shape", "dtype"), [(*case, dtype) for case in ACCEPTED for dtype in dtypes(case[0])])
def test_iterates_and_losses_are_those_of_the_definition(descend: Descend, name: str, shape: str, dtype: str) -> None:
    check(descend, name, shape, dtype)


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "shape"), [case for case in ACCEPTED if case[0].startswith("torch")])
def test_so_they_are_on_a_cuda_device(descend: Descend, name: str, shape: str) -> None:
    for dtype in DTYPES:
        check(descend, name, shape, dtype, "cuda")


@pytest.mark.parametrize(("name", "shape"), ACCEPTED)
def test_no_iterations_return_the_start(descend: Descend, name: str, shape: str) -> None:
    problem = random_problem(shape, "float32")
    observed = descend(name, problem, 0)
    assert np.array_equal(state(observed), exact(problem, 0.0, 0)[0])
    assert observed.losses.shape == (0, *problem.x.shape[:-2])


@pytest.mark.parametrize(("name", "shape"), [case for case in CASES if case not in ACCEPTED])
def test_what_a_variant_cannot_do_it_declines_with_a_reason(descend: Descend, name: str, shape: str) -> None:
    with pytest.raises(Unsupported, match=r"batch|bias"):
        descend(name, random_problem(shape), N_ITERS)


def test_each_regression_of_a_batch_is_the_one_it_would_be_alone(descend: Descend) -> None:
    problem = random_problem("batch-bias")
    together = descend("numpy-batched", problem, N_ITERS, "float64")
    for i in range(3):
        assert problem.b0 is not None
        alone = Problem(problem.x[i], problem.y[i], problem.w0[i], problem.b0[i], problem.lr)
        assert state(together)[i] == pytest.approx(
            state(descend("numpy-analytic", alone, N_ITERS, "float64")), abs=1e-12
        )
