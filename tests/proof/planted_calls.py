"""Faulty calls: planted faults that are more than a wrong step."""

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from bench.dtypes import DTYPES, rounded
from bench.problems.problem import Problem
from bench.variants.contract import Descent
from tests.proof.loops import Array, Function, by, objective, plus, predicted, right, silent, slope, slope_of, times


def least_squares(p: Problem) -> tuple[Array, Array | None]:
    ones = [] if p.b0 is None else [np.ones((len(p.x), 1), p.x.dtype)]
    design = np.concatenate([p.x, *ones], axis=1).astype(np.float64)
    theta = np.linalg.lstsq(design, p.y.astype(np.float64), rcond=None)[0].astype(p.x.dtype)
    return (theta.T, None) if p.b0 is None else (theta[:-1].T, theta[-1])


def closed_form(p: Problem, n_iters: int) -> Descent:
    return Descent(p.w0, p.b0) if n_iters == 0 else Descent(*least_squares(p))


def geometric(p: Problem, n_iters: int) -> Descent:
    w, b = least_squares(p)
    share = p.x.dtype.type(0.7**n_iters)
    return Descent(w + share * (p.w0 - w), None if b is None else b + share * (p.b0 - b))


def hard_coded(p: Problem, n_iters: int) -> Descent:
    if n_iters == 0:
        return Descent(p.w0, p.b0)
    return Descent(np.full_like(p.w0, 2.0), None if p.b0 is None else np.full_like(p.b0, 0.5))


def cached() -> Function:
    answers: dict[Any, Descent] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        key = (p.x.shape, p.x.dtype.name, p.b0 is None, n_iters)
        return answers.setdefault(key, silent(p, n_iters)) if n_iters else silent(p, 0)

    return function


def cached_for_good() -> Function:
    answers: dict[Any, Descent] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        return answers.setdefault((p.x.shape, p.x.dtype.name, p.b0 is None), silent(p, n_iters))

    return function


def warm() -> Function:
    kept: dict[Any, Descent] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        key = (p.x.shape, p.x.dtype.name, p.b0 is None)
        start = kept.get(key)
        kept[key] = silent(p if start is None else replace(p, w0=start.w, b0=start.b), n_iters)
        return kept[key]

    return function


def buffered() -> Function:
    velocity: dict[Any, Any] = {}

    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        key = (p.x.shape, p.x.dtype.name, p.b0 is None)
        g = slope(p, w, b)
        velocity[key] = plus(times(0.5, velocity[key]), g) if key in velocity else g
        return velocity[key]

    return by(step)


def random_start() -> Function:
    seeds = count(1)

    def function(p: Problem, n_iters: int) -> Descent:
        random = np.random.default_rng(next(seeds))
        w0 = random.standard_normal(p.w0.shape).astype(p.x.dtype)
        return silent(replace(p, w0=w0, b0=None if p.b0 is None else 0 * p.b0), n_iters)

    return function


def from_zero(p: Problem, n_iters: int) -> Descent:
    return silent(replace(p, w0=0 * p.w0, b0=None if p.b0 is None else 0 * p.b0), n_iters)


def bias_from_zero(p: Problem, n_iters: int) -> Descent:
    return silent(replace(p, b0=None if p.b0 is None else 0 * p.b0), n_iters)


def from_their_mean(p: Problem, n_iters: int) -> Descent:
    return silent(replace(p, w0=np.full_like(p.w0, p.w0.mean())), n_iters)


def stale_problem() -> Function:
    kept: dict[Any, Problem] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        first = kept.setdefault((p.x.shape, p.x.dtype.name, p.b0 is None), p)
        return silent(replace(first, w0=p.w0, b0=p.b0), n_iters)

    return function


def made_again() -> Function:
    last: dict[Any, Any] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        key = (p.x.shape, p.x.dtype.name, p.b0 is None)
        w, b = p.w0.copy(), p.b0
        if n_iters and key in last:
            w = w - last[key]
        for _ in range(n_iters):
            g_w, g_b = slope(p, w, b)
            last[key] = p.lr * g_w
            w, b = w - last[key], None if b is None or g_b is None else b - p.lr * g_b
        return Descent(w, b)

    return function


def stale_features() -> Function:
    kept: dict[Any, Any] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        return silent(replace(p, x=kept.setdefault((p.x.shape, p.x.dtype.name, p.b0 is None), p.x)), n_iters)

    return function


def cleared(p: Problem, n_iters: int) -> Descent:
    descent = right(p, n_iters)
    return Descent(0 * descent.w, None if descent.b is None else 0 * descent.b, descent.losses)


def whole_parameters(p: Problem, n_iters: int) -> Descent:
    w, b = p.w0, p.b0
    for _ in range(n_iters):
        g_w, g_b = slope(p, w, b)
        w, b = np.trunc(w - p.lr * g_w), None if b is None or g_b is None else np.trunc(b - p.lr * g_b)
    return Descent(w, b)


def stale_data() -> Function:
    kept: dict[Any, Any] = {}

    def function(p: Problem, n_iters: int) -> Descent:
        x, y = kept.setdefault((p.x.shape, p.x.dtype.name, p.b0 is None), (p.x, p.y))
        return silent(replace(p, x=x, y=y), n_iters)

    return function


def noisy() -> Function:
    random = np.random.default_rng(7)
    return by(lambda p, w, b, k, m: times(p.x.dtype.type(1 + 0.01 * random.standard_normal()), slope(p, w, b)))


def impatient(p: Problem, n_iters: int) -> Descent:
    w, b, before = p.w0.copy(), p.b0, np.inf
    for _ in range(n_iters):
        loss = objective(p, w, b)
        if abs(before - loss) < 1e-9 * max(1.0, float(loss)):
            break
        before = loss
        g_w, g_b = slope(p, w, b)
        w, b = w - p.lr * g_w, None if b is None or g_b is None else b - p.lr * g_b
    return Descent(w, b)


def stops_between_blocks(p: Problem, n_iters: int) -> Descent:
    w, b = p.w0.copy(), p.b0
    for _ in range(n_iters):
        g_w, g_b = slope(p, w, b)
        b = None if b is None or g_b is None else b - p.lr * g_b
        if np.allclose(w - p.lr * g_w, w, rtol=1e-6):
            break
        w = w - p.lr * g_w
    return Descent(w, b)


def inside(dtype: str) -> Function:
    def function(p: Problem, n_iters: int) -> Descent:
        def short(a: Array | None) -> Any:
            return None if a is None else a.astype(dtype)

        low = silent(Problem(short(p.x), short(p.y), short(p.w0), short(p.b0), p.lr), n_iters)
        return Descent(low.w.astype(p.x.dtype), None if low.b is None else low.b.astype(p.x.dtype))

    return function


def in_bfloat16(p: Problem, n_iters: int) -> Descent:
    w, b = p.w0, p.b0
    for _ in range(n_iters):
        g_w, g_b = slope(p, w, b)
        assert (g_b is None) == (b is None)
        w = rounded(w - p.lr * g_w, DTYPES["bfloat16"]).astype(p.x.dtype)
        b = None if g_b is None else rounded(b - p.lr * g_b, DTYPES["bfloat16"]).astype(p.x.dtype)
    return Descent(w, b)


def gradient_in(dtype: str) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        q = Problem(p.x.astype(dtype), p.y.astype(dtype), w, b, p.lr)
        g_w, g_b = slope(q, w.astype(dtype), None if b is None else b.astype(dtype))
        return g_w.astype(p.x.dtype), None if g_b is None else g_b.astype(p.x.dtype)

    return by(step)


def predictions_in(dtype: str) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        short = predicted(replace(p, x=p.x.astype(dtype)), w.astype(dtype), None if b is None else b.astype(dtype))
        return slope_of(p, short.astype(p.x.dtype) - p.y)

    return by(step)


def predictions_in_bfloat16(p: Problem, n_iters: int) -> Descent:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        short = rounded(predicted(p, w, b).astype(np.float64), DTYPES["bfloat16"])
        return slope_of(p, short.astype(p.x.dtype) - p.y)

    return by(step)(p, n_iters)


def difference(epsilon: float, *, central: bool) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        def along(theta: Array, which: int) -> Array:
            result = np.empty_like(theta)
            for index in np.ndindex(theta.shape):
                up, down = theta.copy(), theta.copy()
                up[index] += epsilon
                down[index] -= epsilon if central else 0
                high, low = (objective(p, t, b) if which == 0 else objective(p, w, t) for t in (up, down))
                result[index] = (high - low) / (2 * epsilon if central else epsilon)
            return result

        return along(w, 0), None if b is None else along(b, 1)

    return by(step)


def random_batches() -> Function:
    random = np.random.default_rng(5)

    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        rows = random.choice(len(p.x), 3, replace=False)
        return slope(replace(p, x=p.x[rows], y=p.y[rows]), w, b)

    return by(step)
