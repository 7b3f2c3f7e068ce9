"""Exact iterates against rational arithmetic and mpmath; bounds against loops that are right."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from bench.dtypes import DTYPES, FloatArray, rounded
from bench.oracle.convergence import FRACTION, iterations_to_converge
from bench.oracle.reach import out_of_range
from bench.oracle.rounding import gamma
from bench.oracle.system import System, stacked
from bench.oracle.truth import truth
from bench.problems.catalogue import find
from bench.problems.problem import Problem


def random_problem(seed: int, *, bias: bool, batch: int | None = None, dtype: str = "float64") -> Problem:
    random = np.random.default_rng(seed)
    n, d, m = (int(k) for k in random.integers(1, 12, 3))
    leading = () if batch is None else (batch,)
    x = random.standard_normal((*leading, n, d)) + random.uniform(-1, 1, d)
    parts = [x, random.standard_normal((*leading, n, m)), random.standard_normal((*leading, m, d))]
    b0 = random.standard_normal((*leading, m)) if bias else None
    x, y, w0 = (rounded(part, DTYPES[dtype]) for part in parts)
    problem = Problem(x, y, w0, None if b0 is None else rounded(b0, DTYPES[dtype]), 1.0)
    lr = float(random.uniform(0.05, 0.95)) * System.of(problem).largest_learning_rate
    return Problem(problem.x, problem.y, problem.w0, problem.b0, lr)


def rational_iterates(problem: Problem, n_iters: int) -> list[list[list[Fraction]]]:
    ones = [] if problem.b0 is None else [Fraction(1)]
    x = [[Fraction(float(v)) for v in row] + ones for row in problem.x]
    y = [[Fraction(float(v)) for v in row] for row in problem.y]
    theta = [[Fraction(float(v)) for v in row] for row in stacked(problem.w0, problem.b0).astype(float)]
    n, p, m = len(x), len(theta), len(y[0])
    lr = Fraction(problem.lr)
    states = [theta]
    for _ in range(n_iters):
        r = [[sum(x[i][j] * theta[j][k] for j in range(p)) - y[i][k] for k in range(m)] for i in range(n)]
        theta = [
            [theta[j][k] - lr * Fraction(2, n * m) * sum(x[i][j] * r[i][k] for i in range(n)) for k in range(m)]
            for j in range(p)
        ]
        states.append(theta)
    return states


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_iterates_equal_those_of_rational_arithmetic(seed: int, bias: bool) -> None:
    problem = random_problem(seed, bias=bias)
    exact = truth(problem, [12], DTYPES["float64"]).exact
    for n, state in enumerate(rational_iterates(problem, 12)):
        scale = max(1.0, *(abs(float(v)) for row in state for v in row))
        for j, row in enumerate(state):
            for k, value in enumerate(row):
                high = np.longdouble(float(value)) + np.longdouble(float(value - Fraction(float(value))))
                assert abs(float(exact[n][j, k] - high)) <= 2.0**-56 * scale


def test_far_iterates_equal_those_of_mpmath() -> None:
    problem = find("linear-4-lr0.001").problem
    assert problem.b0 is not None
    exact = truth(problem, [1000, 100_000], DTYPES["float64"]).exact
    with mpmath.workdps(40):
        x = mpmath.matrix([[float(v), 1.0] for v in problem.x[:, 0]])
        y = mpmath.matrix([float(v) for v in problem.y[:, 0]])
        hessian, linear = x.T * x * (mpmath.mpf(2) / 4), x.T * y * (mpmath.mpf(2) / 4)
        step = mpmath.eye(2) - mpmath.mpf(problem.lr) * hessian
        theta0 = mpmath.matrix([float(problem.w0[0, 0]), float(problem.b0[0])])
        optimum = mpmath.lu_solve(hessian, linear)
        for n in (1000, 100_000):
            state = optimum + step**n * (theta0 - optimum)
            for j in range(2):
                assert abs(float(mpmath.mpf(float(exact[n][j, 0])) - state[j])) <= 1e-15 * max(1, abs(float(state[j])))


def descend(problem: Problem, n_iters: int, dtype: str) -> list[tuple[FloatArray, FloatArray | None, FloatArray]]:
    x, y, w = (a.astype(dtype) for a in (problem.x, problem.y, problem.w0))
    b = None if problem.b0 is None else problem.b0.astype(dtype)
    states = []
    for _ in range(n_iters + 1):
        r = x @ w.swapaxes(-1, -2) - y if b is None else x @ w.swapaxes(-1, -2) + b[..., None, :] - y
        loss = (r * r).mean(axis=(-1, -2))
        states.append((w.astype(float), None if b is None else b.astype(float), loss.astype(float)))
        scale = 2 / (r.shape[-1] * r.shape[-2])
        w = w - problem.lr * (scale * (r.swapaxes(-1, -2) @ x))
        b = None if b is None else b - problem.lr * (scale * r.sum(-2))
    return states


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_a_right_loop_stays_inside_the_bound(dtype: str, batch: int | None, bias: bool) -> None:
    nearest = 0.0
    for seed in range(6):
        problem = random_problem(seed, bias=bias, batch=batch, dtype=dtype)
        found = truth(problem, [200], DTYPES[dtype])
        states = descend(problem, 200, dtype)
        for n in found.exact:
            w, b, loss = states[n]
            assert np.all(found.distance(n, w, b) <= found.bound[n])
            assert np.all(np.abs(loss - found.objective[n]) <= found.objective_bound[n])
            if n:
                nearest = max(nearest, float(np.max(found.distance(n, w, b) / found.bound[n])))
    # The bound is worst-case, and still near enough to mean something: it is not a tolerance in disguise.
    assert nearest > 0.01


def test_bounds_in_blocks_are_no_smaller_than_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = find("linear-4-lr0.01").problem
    blocks = truth(problem, [100], DTYPES["float32"]).bound[100]
    monkeypatch.setattr("bench.oracle.truth.DENSE", 100)
    steps = truth(problem, [100], DTYPES["float32"]).bound[100]
    assert np.all(steps <= blocks)
    assert np.all(blocks <= 20 * steps)


def test_bounds_with_a_spread_hold_for_every_start_within_it() -> None:
    problem = find("crop-yield").problem
    spread = 0.1
    around = truth(problem, [50], DTYPES["float32"], start_spread=spread)
    assert problem.b0 is not None
    random = np.random.default_rng(3)
    for _ in range(10):
        moved = Problem(
            problem.x,
            problem.y,
            rounded(problem.w0 + random.uniform(-spread, spread, problem.w0.shape), DTYPES["float32"]),
            rounded(problem.b0 + random.uniform(-spread, spread, problem.b0.shape), DTYPES["float32"]),
            problem.lr,
        )
        assert np.all(truth(moved, [50], DTYPES["float32"]).bound[50] <= 1.001 * around.bound[50])


def test_descent_in_the_eigenbasis_has_a_bound_of_its_own() -> None:
    """Next to a large weight a small one is rounded to the large one's size there; in a plain loop it is not."""
    plain = with_basis = 0.0
    for seed in range(20):
        random = np.random.default_rng(seed)
        x, w0 = random.standard_normal((7, 3)), np.array([[1e-3, 40.0, 1e-3]])
        y = x @ w0.T + 1e-3 * random.standard_normal((7, 1))
        problem = Problem(x, y, w0, None, 1e-3)
        values, vectors = np.linalg.eigh(2 / y.size * x.T @ x)
        at, pull = vectors.T @ w0.T, vectors.T @ (2 / y.size * x.T @ y)
        for _ in range(5):
            at = at - problem.lr * (values[:, np.newaxis] * at - pull)
        sharp, loose = (truth(problem, (5,), DTYPES["float64"], any_basis=basis) for basis in (False, True))
        distance = sharp.distance(5, (vectors @ at).T, None)
        plain = max(plain, float(np.max(distance / sharp.bound[5])))
        with_basis = max(with_basis, float(np.max(distance / loose.bound[5])))
    assert plain > 1
    assert 0.01 < with_basis <= 1


def test_a_dtype_too_short_for_the_sums_says_nothing() -> None:
    problem = find("gaussian:n=300").problem
    bound = truth(problem, [1], DTYPES["bfloat16"]).bound
    assert np.all(bound[0] == 0)
    assert np.all(np.isinf(bound[1]))
    assert gamma(300, 2.0**-8) == np.inf


@pytest.mark.parametrize("name", ["line-4", "line-6", "linear-4-lr0.01", "crop-yield", "norris", "gaussian", "batch"])
def test_convergence_is_predicted_to_the_iteration(name: str) -> None:
    problem = find(name).problem
    system = System.of(problem)
    predicted = iterations_to_converge(problem, system)
    assert predicted is not None
    exact = truth(problem, [max(0, predicted - 1), predicted], DTYPES["float64"]).exact
    start = np.linalg.norm((exact[0] - system.optimum).astype(float))
    left = {n: np.linalg.norm((state - system.optimum).astype(float)) / start for n, state in exact.items()}
    assert left[predicted] <= FRACTION * (1 + 1e-6)
    assert left[predicted - 1] > FRACTION * (1 - 1e-6)


def test_the_largest_learning_rate_parts_convergence_from_divergence() -> None:
    problem = find("line-4").problem
    system = System.of(problem)
    assert system.largest_learning_rate == pytest.approx(2 / 15, rel=1e-12)
    for factor, converges in ((0.999, True), (1.001, False)):
        at = Problem(problem.x, problem.y, problem.w0, problem.b0, factor * system.largest_learning_rate)
        assert (iterations_to_converge(at, system) is not None) is converges


def test_what_float16_cannot_hold_is_said_beforehand() -> None:
    crop, line = find("crop-yield").problem, find("line-4").problem
    reason = out_of_range(crop, System.of(crop), DTYPES["float16"])
    assert reason is not None
    assert "65504" in reason
    assert out_of_range(line, System.of(line), DTYPES["float16"]) is None
    assert out_of_range(crop, System.of(crop), DTYPES["bfloat16"]) is None


@pytest.mark.parametrize(
    ("problem", "what"),
    [
        (Problem(np.full((4, 1), 0.001), np.ones((4, 1)), np.zeros((1, 1)), None, 1e5), "the learning rate"),
        (
            Problem(np.full((9000, 1), 0.01), np.zeros((9000, 4)), np.zeros((4, 1)), None, 1.0),
            "the number of residuals",
        ),
        (
            Problem(np.full((400, 1), 0.01), np.ones((400, 1)), np.zeros((1, 1)), None, 1e4),
            "a step before it is divided",
        ),
    ],
)
def test_numbers_that_a_loop_writes_down_are_looked_at_as_well_as_its_arrays(problem: Problem, what: str) -> None:
    assert what in str(out_of_range(problem, System.of(problem), DTYPES["float16"]))
    assert out_of_range(problem, System.of(problem), DTYPES["bfloat16"]) is None


def test_a_descent_that_leaves_even_long_arithmetic_is_out_of_range() -> None:
    line = find("line-4").problem
    steep = Problem(line.x, line.y, line.w0, line.b0, 1e3)
    assert "parameters" in str(out_of_range(steep, System.of(steep), DTYPES["float64"], n_iters=300))
