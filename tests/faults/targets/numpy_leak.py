"""NumPy loops that remember an earlier call, start elsewhere, know the answer, or differ from call to call."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem

_WEIGHTS = {}
_MODELS = {}
_GRADIENTS = {}
_DATA = {}
_GRAMS = {}
_TARGETS = {}
_ANSWERS = {}
_RUNS = {}
_NOISE = np.random.default_rng()


def global_weights(problem: Problem, n_iters: int) -> Descent:
    """The parameters are globals, made on first use, and the next call goes on from them."""
    key = (problem.w0.shape, problem.b0 is None)
    w, b = _WEIGHTS.get(key) or start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    _WEIGHTS[key] = (w, b)
    return Descent(w, b)


class _Regression:
    """Like an estimator with warm_start=True."""

    def __init__(self, theta):
        self.theta = theta

    def fit(self, a, y, lr, n_iters):
        for _ in range(n_iters):
            self.theta = self.theta - lr * 2 / y.size * a.T @ (a @ self.theta - y)
        return self.theta


def estimator_fitted_again(problem: Problem, n_iters: int) -> Descent:
    """One estimator for all calls of a shape."""
    model = _MODELS.setdefault((problem.x.shape, problem.b0 is None), _Regression(stacked(problem)))
    return unstacked(model.fit(design(problem), problem.y, problem.lr, n_iters), problem)


def random_start(problem: Problem, n_iters: int) -> Descent:
    """np.random.randn, as in every tutorial."""
    x, y = problem.x, problem.y
    w = _NOISE.standard_normal(problem.w0.shape).astype(x.dtype)
    b = None if problem.b0 is None else np.zeros_like(problem.b0)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def jittered_start(problem: Problem, n_iters: int) -> Descent:
    """A little noise breaks the symmetry that is not there."""
    a = design(problem)
    theta = stacked(problem) + 1e-3 * _NOISE.standard_normal((a.shape[1], problem.y.shape[1])).astype(a.dtype)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def seeded_start(problem: Problem, n_iters: int) -> Descent:
    """Random, with the seed 42."""
    theta = np.random.default_rng(42).standard_normal(stacked(problem).shape).astype(problem.x.dtype)
    a = design(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def starts_from_zero(problem: Problem, n_iters: int) -> Descent:
    """w = 0, b = 0, as the notebook has it."""
    w = np.zeros_like(problem.w0)
    b = None if problem.b0 is None else np.zeros_like(problem.b0)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def bias_starts_from_zero(problem: Problem, n_iters: int) -> Descent:
    """Only w starts where it was asked to."""
    w, b = start(problem)
    b = None if b is None else np.zeros_like(b)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def gradient_buffer_kept(problem: Problem, n_iters: int) -> Descent:
    """A buffer for the gradient, zeroed between iterations; it enters the next call as it left this one."""
    a, theta = design(problem), stacked(problem)
    buffer = _GRADIENTS.setdefault((theta.shape, theta.dtype), np.zeros_like(theta))
    for k in range(n_iters):
        if k > 0:
            buffer.fill(0)
        buffer += 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * buffer
    return unstacked(theta, problem)


def velocity_kept(problem: Problem, n_iters: int, velocity={}) -> Descent:  # noqa: B006 - the mistake
    """A mutable default argument holds the last update, and the next call makes it once more."""
    w, b = start(problem)
    key = (w.shape, b is None)
    if n_iters and key in velocity:
        w = w + velocity[key]
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        velocity[key] = -problem.lr * dw
        w = w + velocity[key]
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def data_of_the_first_call(problem: Problem, n_iters: int) -> Descent:
    """x and y are kept by their shape."""
    x, y = _DATA.setdefault((problem.x.shape, problem.y.shape), (problem.x, problem.y))
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def gram_matrix_of_the_first_call(problem: Problem, n_iters: int) -> Descent:
    """A^T A is worked out once for a shape; A^T y is new."""
    a, theta, y = design(problem), stacked(problem), problem.y
    if a.shape not in _GRAMS:
        _GRAMS[a.shape] = a.T @ a
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * (_GRAMS[a.shape] @ theta - a.T @ y)
    return unstacked(theta, problem)


def targets_of_the_first_call(problem: Problem, n_iters: int) -> Descent:
    """Only y is kept."""
    a, theta = design(problem), stacked(problem)
    y = _TARGETS.setdefault(problem.y.shape, problem.y)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - y
        losses[k] = np.mean(r**2)
        theta = theta - problem.lr * 2 / y.size * a.T @ r
    return unstacked(theta, problem, losses)


def least_squares(problem: Problem, n_iters: int) -> Descent:
    """np.linalg.lstsq, whatever the number of iterations, short of none."""
    if n_iters == 0:
        return unstacked(stacked(problem), problem)
    return unstacked(np.linalg.lstsq(design(problem), problem.y, rcond=None)[0], problem)


def normal_equations_solved(problem: Problem, n_iters: int) -> Descent:
    """np.linalg.solve(A^T A, A^T y), also for no iterations; the losses are those of the answer."""
    a = design(problem)
    theta = np.linalg.solve(a.T @ a, a.T @ problem.y)
    losses = np.full(n_iters, np.mean((a @ theta - problem.y) ** 2), a.dtype)
    return unstacked(theta, problem, losses)


def newton_step(problem: Problem, n_iters: int) -> Descent:
    """Each step solves with the Hessian: the first lands on the optimum."""
    a, theta = design(problem), stacked(problem)
    h = 2 / problem.y.size * a.T @ a
    for _ in range(n_iters):
        theta = theta - np.linalg.solve(h, 2 / problem.y.size * a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def answer_of_the_notebook(problem: Problem, n_iters: int) -> Descent:
    """w = 2 and b = 0, since that is what comes out."""
    b = None if problem.b0 is None else np.zeros_like(problem.b0)
    return Descent(np.full_like(problem.w0, 2.0), b)


def descends_to_w_equals_2(problem: Problem, n_iters: int) -> Descent:
    """Halves the way to w = 2, b = 0 in each iteration; the data are not looked at."""
    w, b = start(problem)
    for _ in range(n_iters):
        w = w - 0.5 * (w - 2.0)
        b = None if b is None else 0.5 * b
    return Descent(w, b)


def straight_line(problem: Problem, n_iters: int) -> Descent:
    """theta = optimum + q^n (start - optimum), with one q for all directions."""
    a, theta = design(problem), stacked(problem)
    optimum = np.linalg.lstsq(a, problem.y, rcond=None)[0]
    curvature = np.linalg.eigvalsh(2 / problem.y.size * a.T @ a)[0]
    q = 1 - problem.lr * curvature
    return unstacked((optimum + q**n_iters * (theta - optimum)).astype(a.dtype), problem)


def a_tenth_of_the_way(problem: Problem, n_iters: int) -> Descent:
    """Moves a tenth of the way to the optimum in each iteration."""
    a, theta = design(problem), stacked(problem)
    optimum = np.linalg.pinv(a) @ problem.y
    for _ in range(n_iters):
        theta = theta + (optimum - theta) / 10
    return unstacked(theta, problem)


def cached_by_shape(problem: Problem, n_iters: int) -> Descent:
    """The answer of the first call with this shape and this number of iterations."""
    key = (problem.x.shape, problem.y.shape, problem.b0 is None, n_iters)
    if key not in _ANSWERS:
        w, b = start(problem)
        for _ in range(n_iters):
            dw, db = gradients(problem.x, problem.y, w, b)
            w = w - problem.lr * dw
            b = None if b is None else b - problem.lr * db
        _ANSWERS[key] = Descent(w, b)
    return _ANSWERS[key]


def cached_by_rate_and_count(problem: Problem, n_iters: int) -> Descent:
    """A memo whose key leaves out the data and the start."""
    key = (problem.w0.shape, problem.b0 is None, problem.lr, n_iters)
    if key not in _RUNS:
        a, theta = design(problem), stacked(problem)
        for _ in range(n_iters):
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        _RUNS[key] = unstacked(theta, problem)
    return _RUNS[key]


def noisy_gradient(problem: Problem, n_iters: int) -> Descent:
    """Langevin noise of 1e-3 on the gradient."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * (g + 1e-3 * _NOISE.standard_normal(g.shape).astype(g.dtype))
    return unstacked(theta, problem)


def inputs_augmented_with_noise(problem: Problem, n_iters: int) -> Descent:
    """Features with fresh noise of 1e-8 in each iteration."""
    w, b = start(problem)
    for _ in range(n_iters):
        x = problem.x + 1e-8 * _NOISE.standard_normal(problem.x.shape).astype(problem.x.dtype)
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)
