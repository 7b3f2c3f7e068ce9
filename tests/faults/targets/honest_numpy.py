"""Gradient descent in NumPy, written rightly in many styles; one regression at a time."""

import functools
import itertools

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def textbook(problem: Problem, n_iters: int) -> Descent:
    """Predictions, errors, gradients, update."""
    x, y, lr = problem.x, problem.y, problem.lr
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        y_pred = forward(x, w, b)
        losses[k] = mse(y, y_pred)
        dw = 2 / y.size * (y_pred - y).T @ x
        db = 2 / y.size * (y_pred - y).sum(axis=0)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, b, losses)


def samples_reversed(problem: Problem, n_iters: int) -> Descent:
    """The sums run from the last sample to the first."""
    x, y = problem.x[::-1], problem.y[::-1]
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w -= problem.lr * dw
        if b is not None:
            b -= problem.lr * db
    return Descent(w, b)


def samples_shuffled_each_time(problem: Problem, n_iters: int) -> Descent:
    """All samples, in a new order in each iteration."""
    random = np.random.default_rng()
    w, b = start(problem)
    for _ in range(n_iters):
        order = random.permutation(len(problem.x))
        dw, db = gradients(problem.x[order], problem.y[order], w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def augmented_design(problem: Problem, n_iters: int) -> Descent:
    """The bias is the weight of a column of ones."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r * r)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def normal_equations(problem: Problem, n_iters: int) -> Descent:
    """H theta - q, with H and q worked out beforehand."""
    a, theta = design(problem), stacked(problem)
    h, q = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters):
        theta = theta - problem.lr * (h @ theta - q)
    return unstacked(theta, problem)


def affine_map(problem: Problem, n_iters: int) -> Descent:
    """(I - lr H) theta + lr q."""
    a, theta = design(problem), stacked(problem)
    rate = problem.lr * 2 / problem.y.size
    step, shift = np.eye(a.shape[1], dtype=a.dtype) - rate * a.T @ a, rate * a.T @ problem.y
    for _ in range(n_iters):
        theta = step @ theta + shift
    return unstacked(theta, problem)


def double_inside(problem: Problem, n_iters: int) -> Descent:
    """float64 from end to end, brought back at the end."""
    x, y, w = (np.asarray(array, np.float64) for array in (problem.x, problem.y, problem.w0))
    b = None if problem.b0 is None else problem.b0.astype(np.float64)
    losses = np.empty(n_iters)
    for k in range(n_iters):
        losses[k] = mse(y, forward(x, w, b))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    dtype = problem.x.dtype
    return Descent(w.astype(dtype), None if b is None else b.astype(dtype), losses.astype(dtype))


def extended_inside(problem: Problem, n_iters: int) -> Descent:
    """The widest floats of the machine inside."""
    a, theta = design(problem).astype(np.longdouble), stacked(problem).astype(np.longdouble)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 * (a.T @ (a @ theta - problem.y)) / problem.y.size
    return unstacked(theta.astype(problem.x.dtype), problem)


def rate_folded_in(problem: Problem, n_iters: int) -> Descent:
    """One constant, 2 lr / (N M)."""
    x, y = problem.x, problem.y
    rate = 2 * problem.lr / y.size
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - rate * (error.T @ x)
        b = None if b is None else b - rate * error.sum(axis=0)
    return Descent(w, b)


def rate_folded_into_the_data(problem: Problem, n_iters: int) -> Descent:
    """2 lr / (N M) x^T is worked out beforehand."""
    a, theta = design(problem), stacked(problem)
    scaled = (2 * problem.lr / problem.y.size) * a.T
    for _ in range(n_iters):
        theta = theta - scaled @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def divided_last(problem: Problem, n_iters: int) -> Descent:
    """The sum is multiplied by lr and by 2 and divided by N and by M, one after the other."""
    x, y = problem.x, problem.y
    n, m = y.shape
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * 2 * (error.T @ x) / n / m
        b = None if b is None else b - problem.lr * 2 * error.sum(axis=0) / n / m
    return Descent(w, b)


def divided_first(problem: Problem, n_iters: int) -> Descent:
    """Each residual is divided before it is summed, and minus is in the residual."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = (y - forward(x, w, b)) / y.size * 2
        w = w + problem.lr * np.dot(slope.T, x)
        b = None if b is None else b + problem.lr * np.add.reduce(slope, axis=0)
    return Descent(w, b)


def mean_of_products(problem: Problem, n_iters: int) -> Descent:
    """The mean over the samples of error times x, over M."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        error = forward(x, w, b) - y
        w = w - problem.lr * (2 * error[:, :, None] * x[:, None, :]).mean(axis=0) / y.shape[1]
        b = None if b is None else b - problem.lr * (2 * error).mean(axis=0) / y.shape[1]
    return Descent(w, b)


def einsum(problem: Problem, n_iters: int) -> Descent:
    """Every product by np.einsum."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        r = np.einsum("nd,md->nm", x, w) - y
        if b is not None:
            r = r + b
        losses[k] = np.einsum("nm,nm->", r, r) / y.size
        w = w - problem.lr * 2 / y.size * np.einsum("nm,nd->md", r, x)
        b = None if b is None else b - problem.lr * 2 / y.size * np.einsum("nm->m", r)
    return Descent(w, b, losses)


def tensordot(problem: Problem, n_iters: int) -> Descent:
    """Every product by np.tensordot."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        r = np.tensordot(x, w, axes=(1, 1)) - y + (0 if b is None else b)
        w = w - problem.lr * (2 / y.size) * np.tensordot(r, x, axes=(0, 0))
        b = None if b is None else b - problem.lr * (2 / y.size) * r.sum(axis=0)
    return Descent(w, b)


def transposed_layout(problem: Problem, n_iters: int) -> Descent:
    """Samples are columns, in memory too."""
    x, y = np.ascontiguousarray(problem.x.T), np.ascontiguousarray(problem.y.T)
    w, b = start(problem)
    for _ in range(n_iters):
        r = w @ x - y if b is None else w @ x + b[:, None] - y
        w = w - 2 / y.size * problem.lr * (r @ x.T)
        b = None if b is None else b - 2 / y.size * problem.lr * r.sum(axis=1)
    return Descent(w, b)


def fortran_order(problem: Problem, n_iters: int) -> Descent:
    """Column-major arrays; the result is a transposed view."""
    a, theta = np.asfortranarray(design(problem)), np.asfortranarray(stacked(problem))
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    if problem.b0 is None:
        return Descent(theta.T)
    return Descent(theta[:-1].T, theta[-1])


def output_by_output(problem: Problem, n_iters: int) -> Descent:
    """M regressions of one output."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for m in range(y.shape[1]):
        for _ in range(n_iters):
            r = x @ w[m] - y[:, m] if b is None else x @ w[m] + b[m] - y[:, m]
            w[m] -= problem.lr * 2 / y.size * (r @ x)
            if b is not None:
                b[m] -= problem.lr * 2 / y.size * r.sum()
    return Descent(w, b)


def leading_batch_axis(problem: Problem, n_iters: int) -> Descent:
    """A batch of one."""
    x, y = problem.x[np.newaxis], problem.y[np.newaxis]
    w, b = problem.w0[np.newaxis].copy(), None if problem.b0 is None else problem.b0[np.newaxis].copy()
    for _ in range(n_iters):
        r = x @ w.swapaxes(1, 2) - y if b is None else x @ w.swapaxes(1, 2) + b[:, None] - y
        w = w - problem.lr * 2 / y.size * (r.swapaxes(1, 2) @ x)
        b = None if b is None else b - problem.lr * 2 / y.size * r.sum(axis=1)
    return Descent(w[0], None if b is None else b[0])


def out_arguments(problem: Problem, n_iters: int) -> Descent:
    """Nothing is allocated in the loop."""
    a, theta = design(problem), stacked(problem)
    r, g = np.empty_like(problem.y), np.empty_like(theta)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        np.matmul(a, theta, out=r)
        np.subtract(r, problem.y, out=r)
        losses[k] = np.vdot(r, r) / r.size
        np.matmul(a.T, r, out=g)
        np.multiply(g, problem.lr * 2 / r.size, out=g)
        np.subtract(theta, g, out=theta)
    return unstacked(theta, problem, losses)


def unrolled(problem: Problem, n_iters: int) -> Descent:
    """Four steps a turn, and what is left one by one."""
    a, theta = design(problem), stacked(problem)

    def step(theta):
        return theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)

    for _ in range(n_iters // 4):
        theta = step(step(step(step(theta))))
    for _ in range(n_iters % 4):
        theta = step(theta)
    return unstacked(theta, problem)


def recursion_by_halves(problem: Problem, n_iters: int) -> Descent:
    """n steps are the second half of the steps after the first half."""

    def descend(w, b, n):
        if n == 0:
            return w, b
        if n == 1:
            dw, db = gradients(problem.x, problem.y, w, b)
            return w - problem.lr * dw, None if b is None else b - problem.lr * db
        return descend(*descend(w, b, n // 2), n - n // 2)

    return Descent(*descend(*start(problem), n_iters))


def generator(problem: Problem, n_iters: int) -> Descent:
    """An endless generator of states, of which the n-th is taken."""
    a = design(problem)

    def states(theta):
        while True:
            yield theta
            theta = theta - problem.lr * (2 / problem.y.size * a.T @ (a @ theta - problem.y))

    return unstacked(next(itertools.islice(states(stacked(problem)), n_iters, None)), problem)


def reduce(problem: Problem, n_iters: int) -> Descent:
    """functools.reduce over range(n)."""
    a = design(problem)

    def step(theta, _):
        return theta - problem.lr * (2 / problem.y.size * a.T @ (a @ theta - problem.y))

    return unstacked(functools.reduce(step, range(n_iters), stacked(problem)), problem)


def whole_trajectory(problem: Problem, n_iters: int) -> Descent:
    """Every state is kept; the losses are worked out afterwards from them."""
    a, theta = design(problem), stacked(problem)
    states = [theta]
    for _ in range(n_iters):
        states.append(states[-1] - problem.lr * 2 / problem.y.size * a.T @ (a @ states[-1] - problem.y))
    losses = [np.mean((a @ state - problem.y) ** 2) for state in states[:-1]]
    return unstacked(states[-1], problem, np.array(losses, a.dtype))


class _LinearRegression:
    """Parameters in a dictionary, gradients in another."""

    def __init__(self, w, b):
        self.parameters = {"w": w, "b": b}

    def __call__(self, x):
        return forward(x, self.parameters["w"], self.parameters["b"])

    def step(self, x, y, lr):
        dw, db = gradients(x, y, **self.parameters)
        self.parameters["w"] = self.parameters["w"] - lr * dw
        if db is not None:
            self.parameters["b"] = self.parameters["b"] - lr * db


def class_with_step(problem: Problem, n_iters: int) -> Descent:
    """A model that knows how to take a step."""
    model = _LinearRegression(*start(problem))
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, model(problem.x))
        model.step(problem.x, problem.y, problem.lr)
    return Descent(model.parameters["w"], model.parameters["b"], losses)
