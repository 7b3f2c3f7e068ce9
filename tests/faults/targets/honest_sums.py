"""Gradient descent in NumPy, written rightly, with its sums taken in other orders or by other means."""

import math
from operator import mul

import numpy as np
import scipy.linalg.blas
import scipy.sparse
from parts_numpy import design, forward, mse, stacked, start, unstacked

from bench import Descent, Problem


def _descend(problem, n_iters, product):
    """theta - lr 2/(N M) A^T r with a product of one's own for A^T r."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * product(a, a @ theta - problem.y)
    return unstacked(theta.astype(a.dtype), problem)


def sample_by_sample(problem: Problem, n_iters: int) -> Descent:
    """Outer products, summed in a loop."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = np.zeros_like(w), np.zeros(len(w), w.dtype)
        for xi, yi in zip(x, y, strict=True):
            error = w @ xi - yi if b is None else w @ xi + b - yi
            dw += np.outer(error, xi)
            db += error
        w = w - problem.lr * 2 / y.size * dw
        b = None if b is None else b - problem.lr * 2 / y.size * db
    return Descent(w, b)


def plain_python(problem: Problem, n_iters: int) -> Descent:
    """Lists of floats, and no array but the result."""
    x, y, w = problem.x.tolist(), problem.y.tolist(), problem.w0.tolist()
    b = None if problem.b0 is None else problem.b0.tolist()
    rate = problem.lr * 2 / (len(y) * len(y[0]))
    for _ in range(n_iters):
        errors = [
            [sum(map(mul, wm, xi)) + (0.0 if b is None else b[m]) - yi[m] for m, wm in enumerate(w)]
            for xi, yi in zip(x, y, strict=True)
        ]
        for m, wm in enumerate(w):
            for d in range(len(wm)):
                wm[d] -= rate * sum(e[m] * xi[d] for e, xi in zip(errors, x, strict=True))
            if b is not None:
                b[m] -= rate * sum(e[m] for e in errors)
    dtype = problem.x.dtype
    return Descent(np.array(w, dtype), None if b is None else np.array(b, dtype))


def chunks(problem: Problem, n_iters: int) -> Descent:
    """Four unequal chunks of samples, each divided by the whole count."""

    def product(a, r):
        rows = np.array_split(np.arange(len(a)), 4)
        return sum(a[part].T @ r[part] for part in rows)

    return _descend(problem, n_iters, product)


def pairwise(problem: Problem, n_iters: int) -> Descent:
    """A tree of sums."""

    def tree(terms):
        if len(terms) == 1:
            return terms[0]
        return tree(terms[: len(terms) // 2]) + tree(terms[len(terms) // 2 :])

    return _descend(problem, n_iters, lambda a, r: tree([np.outer(ai, ri) for ai, ri in zip(a, r, strict=True)]))


def kahan(problem: Problem, n_iters: int) -> Descent:
    """Compensated sums."""

    def product(a, r):
        total = np.zeros((a.shape[1], r.shape[1]), a.dtype)
        lost = np.zeros_like(total)
        for ai, ri in zip(a, r, strict=True):
            term = np.outer(ai, ri) - lost
            new = total + term
            lost = (new - total) - term
            total = new
        return total

    return _descend(problem, n_iters, product)


def exact_sums(problem: Problem, n_iters: int) -> Descent:
    """math.fsum of the products."""

    def product(a, r):
        columns = [[math.fsum((c * e).tolist()) for e in r.T] for c in a.T]
        return np.array(columns, a.dtype)

    return _descend(problem, n_iters, product)


def smallest_first(problem: Problem, n_iters: int) -> Descent:
    """The products are sorted by their size before they are summed."""

    def product(a, r):
        terms = a[:, :, None] * r[:, None, :]
        return np.take_along_axis(terms, np.argsort(np.abs(terms), axis=0), axis=0).sum(axis=0)

    return _descend(problem, n_iters, product)


def running_totals(problem: Problem, n_iters: int) -> Descent:
    """The last of np.cumsum."""
    return _descend(problem, n_iters, lambda a, r: np.cumsum(a[:, :, None] * r[:, None, :], axis=0)[-1])


def rank_one_updates(problem: Problem, n_iters: int) -> Descent:
    """dger, once for each sample."""

    def product(a, r):
        (ger,) = scipy.linalg.blas.get_blas_funcs(["ger"], [a])
        total = np.zeros((a.shape[1], r.shape[1]), a.dtype, order="F")
        for ai, ri in zip(a, r, strict=True):
            total = ger(1.0, ai, ri, a=total, overwrite_a=1)
        return total

    return _descend(problem, n_iters, product)


def blas_gemm(problem: Problem, n_iters: int) -> Descent:
    """The whole update by gemm: theta <- -2 lr / (N M) A^T r + theta."""
    a, theta = np.asfortranarray(design(problem)), np.asfortranarray(stacked(problem))
    (gemm,) = scipy.linalg.blas.get_blas_funcs(["gemm"], [a])
    for _ in range(n_iters):
        r = gemm(1.0, a, theta, beta=-1.0, c=np.asfortranarray(problem.y))
        theta = gemm(-2 * problem.lr / problem.y.size, a, r, beta=1.0, c=theta, trans_a=True)
    return unstacked(np.ascontiguousarray(theta), problem)


def sparse_design(problem: Problem, n_iters: int) -> Descent:
    """A is a CSR matrix."""
    a, theta = scipy.sparse.csr_array(design(problem)), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * (a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def forward_mode(problem: Problem, n_iters: int) -> Descent:
    """Dual numbers: one directional derivative a parameter."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        r = forward(x, w, b) - y
        dw = np.empty_like(w)
        for m, d in np.ndindex(w.shape):
            dw[m, d] = 2 * np.mean(r[:, m] * x[:, d]) / y.shape[1]
        db = np.array([2 * np.mean(r[:, m] * 1) / y.shape[1] for m in range(y.shape[1])], w.dtype)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


class _Node:
    """A step of a small reverse-mode tape over arrays."""

    def __init__(self, value, parents=()):
        self.value, self.parents, self.grad = value, parents, 0

    def backward(self, seed):
        self.grad = self.grad + seed
        for parent, pull in self.parents:
            parent.backward(pull(seed))


def reverse_mode(problem: Problem, n_iters: int) -> Descent:
    """A tape of four nodes: product, sum, difference, mean square."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        weight, bias = _Node(w), _Node(np.zeros(len(w), w.dtype) if b is None else b)
        product = _Node(x @ w.T, [(weight, lambda g: g.T @ x)])
        shifted = _Node(product.value + bias.value, [(product, lambda g: g), (bias, lambda g: g.sum(axis=0))])
        residual = _Node(shifted.value - y, [(shifted, lambda g: g)])
        loss = _Node(mse(y, shifted.value), [(residual, lambda g, r=residual: g * 2 / y.size * r.value)])
        loss.backward(1.0)
        losses[k] = loss.value
        w = w - problem.lr * weight.grad
        b = None if b is None else b - problem.lr * bias.grad
    return Descent(w, b, losses)


def displacement(problem: Problem, n_iters: int) -> Descent:
    """The state is kept as its distance from the start, whose residual is worked out once."""
    a, theta0 = design(problem), stacked(problem)
    r0 = a @ theta0 - problem.y
    moved = np.zeros_like(theta0)
    for _ in range(n_iters):
        moved = moved - problem.lr * 2 / problem.y.size * a.T @ (r0 + a @ moved)
    return unstacked(theta0 + moved, problem)
