"""Planted faults: one or more small NumPy functions for each cause, and right functions beside them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from bench.dtypes import DTYPES, rounded
from bench.problems.problem import Problem
from bench.variants.contract import Descent, Unsupported

Array = Any
Function = Callable[[Problem, int], Descent]
Step = Callable[..., tuple[Array, Array | None]]


def predicted(p: Problem, w: Array, b: Array | None) -> Array:
    return p.x @ w.T if b is None else p.x @ w.T + b


def slope_of(p: Problem, r: Array, scale: float | None = None) -> tuple[Array, Array | None]:
    c = p.y.dtype.type(2 / p.y.size if scale is None else scale)
    return c * (r.T @ p.x), None if p.b0 is None else c * r.sum(0)


def slope(p: Problem, w: Array, b: Array | None) -> tuple[Array, Array | None]:
    return slope_of(p, predicted(p, w, b) - p.y)


def objective(p: Problem, w: Array, b: Array | None) -> Array:
    return np.mean((predicted(p, w, b) - p.y) ** 2)


def times(a: Any, pair: tuple[Array, Array | None]) -> tuple[Array, Array | None]:
    return a * pair[0], None if pair[1] is None else a * pair[1]


def plus(one: tuple[Array, Array | None], two: tuple[Array, Array | None]) -> tuple[Array, Array | None]:
    return one[0] + two[0], None if one[1] is None or two[1] is None else one[1] + two[1]


def by(step: Step, *, losses: bool = False, n: Callable[[int], int] = lambda n: n) -> Function:
    """A loop whose step is ``step(problem, w, b, k, memory)``; memory is a dictionary of the call's own."""

    def descend(p: Problem, n_iters: int) -> Descent:
        if p.x.ndim > 2:
            raise Unsupported("no batches")
        w, b = p.w0.copy(), None if p.b0 is None else p.b0.copy()
        memory: dict[str, Any] = {"n": n_iters}
        reported = []
        for k in range(n(n_iters)):
            reported.append(objective(p, w, b))
            g_w, g_b = step(p, w, b, k, memory)
            w = w - p.lr * g_w
            b = None if b is None or g_b is None else b - p.lr * g_b
        return Descent(w, b, np.array(reported, p.x.dtype)[:n_iters] if losses else None)

    return descend


right = by(lambda p, w, b, k, m: slope(p, w, b), losses=True)
silent = by(lambda p, w, b, k, m: slope(p, w, b))


def gain(a: Callable[[Problem], float]) -> Function:
    return by(lambda p, w, b, k, m: times(a(p), slope(p, w, b)))


def blocks(weights: Callable[[Array], Array], bias: Callable[[Array], Array]) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        g_w, g_b = slope(p, w, b)
        return weights(g_w), None if g_b is None else bias(g_b)

    return by(step)


def on_data(change: Callable[[Array, Array], tuple[Array, Array]], size: int | None = None) -> Function:
    """The right loop on changed data."""

    def descend(p: Problem, n_iters: int) -> Descent:
        if p.x.ndim > 2:
            raise Unsupported("no batches")
        x, y = change(p.x, p.y)
        return silent(replace(p, x=x, y=y), n_iters)

    return descend


def residuals(change: Callable[[Array, Problem], Array], factor: float = 1.0) -> Function:
    """The slope of another loss, given what stands in place of 2 r."""
    return by(
        lambda p, w, b, k, m: slope_of(p, change(predicted(p, w, b) - p.y, p).astype(p.x.dtype), factor / p.y.size)
    )


def remembered(use: Callable[[Any, Any, dict[str, Any], int], Any]) -> Function:
    """Steps that use the present gradient, given the memory."""
    return by(lambda p, w, b, k, m: use(slope(p, w, b), (w, b), m, k))


def _accumulated(period: int) -> Function:
    def use(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
        m["sum"] = g if k % period == 0 or "sum" not in m else plus(m["sum"], g)
        return m["sum"]

    return remembered(use)


def _stale(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
    before, m["g"] = m.get("g", g), g
    return before


def _frozen(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
    return m.setdefault("g", g)


def momentum(coefficient: float, *, nesterov: bool = False, damping: float = 0.0) -> Function:
    def use(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
        m["v"] = plus(times(coefficient, m["v"]), times(1 - damping, g)) if "v" in m else g
        return plus(g, times(coefficient, m["v"])) if nesterov else m["v"]

    return remembered(use)


def _lookahead(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    v = m.get("v", times(0.0, slope(p, w, b)))
    step_w = w - p.lr * 0.8 * v[0]
    step_b = None if b is None else b - p.lr * 0.8 * v[1]
    m["v"] = plus(times(0.8, v), slope(p, step_w, step_b))
    return m["v"]


def decayed(*, bias: bool) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        g_w, g_b = slope(p, w, b)
        return g_w + 0.3 * w, g_b + 0.3 * b if bias and b is not None else g_b

    return by(step)


def adam(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g = slope(p, w, b)
    out: list[Array | None] = []
    for i, part in enumerate(g):
        if part is None:
            out.append(None)
            continue
        m[f"m{i}"] = 0.9 * m.get(f"m{i}", 0) + 0.1 * part
        m[f"v{i}"] = 0.999 * m.get(f"v{i}", 0) + 0.001 * part**2
        out.append(m[f"m{i}"] / (1 - 0.9 ** (k + 1)) / (np.sqrt(m[f"v{i}"] / (1 - 0.999 ** (k + 1))) + 1e-8))
    return out[0], out[1]


def clipped(limit: float, *, epsilon: float = 0.0) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        g = slope(p, w, b)
        norm = np.sqrt(sum(np.sum(part.astype(np.float64) ** 2) for part in g if part is not None))
        return times(p.x.dtype.type(min(1.0, limit / (norm + epsilon))), g)

    return by(step)


def projected(p: Problem, n_iters: int) -> Descent:
    w, b = p.w0.copy(), p.b0
    for _ in range(n_iters):
        g_w, g_b = slope(p, w, b)
        w = np.clip(w - p.lr * g_w, -0.4, 0.4)
        b = None if b is None or g_b is None else b - p.lr * g_b
    return Descent(w, b)


def sequential(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, _ = slope(p, w, b)
    return g_w, slope(p, w - p.lr * g_w, b)[1]


def batches(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    rows = np.arange(3 * k, 3 * k + 3) % len(p.x)
    return slope(replace(p, x=p.x[rows], y=p.y[rows]), w, b)


def one_by_one(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    row = slice(k % len(p.x), k % len(p.x) + 1)
    return slope(replace(p, x=p.x[row], y=p.y[row]), w, b)


def random_batches() -> Function:
    random = np.random.default_rng(5)

    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        rows = random.choice(len(p.x), 3, replace=False)
        return slope(replace(p, x=p.x[rows], y=p.y[rows]), w, b)

    return by(step)


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


def with_losses(change: Callable[[Problem, list[tuple[Array, Array | None]]], list[Any]]) -> Function:
    """Right states, and losses made of the states seen before each update and after the last."""

    def function(p: Problem, n_iters: int) -> Descent:
        if p.x.ndim > 2:
            raise Unsupported("no batches")
        seen = [silent(p, k) for k in range(n_iters + 1)]
        losses = change(p, [(d.w, d.b) for d in seen])[:n_iters]
        return Descent(seen[-1].w, seen[-1].b, np.array(losses, p.x.dtype).reshape(n_iters))

    return function


def losses_of(scale: Callable[[Problem], float]) -> Function:
    return with_losses(lambda p, seen: [scale(p) * objective(p, *s) for s in seen])


def returned(which: Callable[[int], int], *, losses: bool) -> Function:
    def function(p: Problem, n_iters: int) -> Descent:
        descent, other = right(p, n_iters), silent(p, which(n_iters))
        return Descent(other.w, other.b, descent.losses if losses else None)

    return function


def broadcast(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    r = predicted(p, w, b) - p.y.ravel()
    c = 2 / r.size
    return c * (p.x.T @ r).sum(1)[np.newaxis], None if b is None else c * r.sum()[np.newaxis]


def reshaped(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    return g_w.T.reshape(w.shape), g_b


def bias_by_last(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    r = predicted(p, w, b) - p.y
    return slope(p, w, b)[0], None if b is None else 2 * r[-1] / r.shape[1]


def bias_by_weights(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    return g_w, None if g_b is None else g_w.mean(1)


def two_updates(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g = slope(p, w, b)
    return plus(g, slope(p, w - p.lr * g[0], None if b is None or g[1] is None else b - p.lr * g[1]))


def tf32(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    def cut(a: Array) -> Array:
        fraction, exponent = np.frexp(a)
        return np.ldexp(np.rint(fraction * 2048), exponent - 11).astype(a.dtype)

    r = cut(p.x) @ cut(w).T - p.y if b is None else cut(p.x) @ cut(w).T + cut(b) - p.y
    return (2 / r.size * (cut(r).T @ cut(p.x))).astype(p.x.dtype), None if b is None else 2 / r.size * cut(r).sum(0)


def scheduled(rate: Callable[[int, int], float]) -> Function:
    return by(lambda p, w, b, k, m: times(p.x.dtype.type(rate(k, m["n"])), slope(p, w, b)))


def for_one_output(function: Function) -> Function:
    """Declines what has several."""

    def guarded(p: Problem, n_iters: int) -> Descent:
        if p.y.shape[-1] > 1:
            raise Unsupported("one output only")
        return function(p, n_iters)

    return guarded


def for_one_feature(function: Function, *, bias: bool) -> Function:
    """Declines what has several features or outputs, and what has a bias or has none."""

    def guarded(p: Problem, n_iters: int) -> Descent:
        if p.x.shape[-1] > 1 or p.y.shape[-1] > 1 or (p.b0 is not None) != bias:
            raise Unsupported("one feature and one output only")
        return function(p, n_iters)

    return guarded


def standardised(x: Array, y: Array) -> tuple[Array, Array]:
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-3), y


FAULTS: dict[str, list[Callable[[], Function]]] = {
    "scale.sum": [lambda: gain(lambda p: float(p.y.size))],
    "scale.mean-over-samples": [lambda: gain(lambda p: float(p.y.shape[1]))],
    "scale.half": [lambda: gain(lambda p: 0.5)],
    "scale.double": [lambda: gain(lambda p: 2.0)],
    "scale.extra-division": [
        lambda: gain(lambda p: 1 / len(p.x)),
        lambda: gain(lambda p: 1 / p.x.shape[1]),
        lambda: gain(lambda p: 1 / p.y.shape[1]),
    ],
    "scale.block": [lambda: blocks(lambda g: 3 * g, lambda g: g), lambda: blocks(lambda g: g, lambda g: g / 4)],
    "scale.lr-ignored": [lambda: gain(lambda p: 0.01 / p.lr)],
    "scale.lr-squared": [lambda: gain(lambda p: p.lr)],
    "scale.constant": [lambda: gain(lambda p: 1.1), lambda: gain(lambda p: -0.7)],
    "sign.ascent": [lambda: gain(lambda p: -1.0)],
    "sign.block": [lambda: blocks(lambda g: g, lambda g: -g), lambda: blocks(lambda g: -g, lambda g: g)],
    "operand.no-target": [lambda: on_data(lambda x, y: (x, 0 * y))],
    "operand.other-gradient": [lambda: by(bias_by_weights), lambda: blocks(lambda g: g[:, ::-1], lambda g: g)],
    "operand.reshape-for-transpose": [lambda: by(reshaped)],
    "operand.bias-missing": [lambda: blocks(lambda g: g, lambda g: 0 * g)],
    "operand.weight-missing": [lambda: blocks(lambda g: 0 * g, lambda g: g)],
    "operand.bias-last-sample": [lambda: by(bias_by_last)],
    "operand.l1": [lambda: residuals(lambda r, p: np.sign(r)), lambda: residuals(lambda r, p: 2 * np.sign(r))],
    "operand.other-loss": [
        lambda: residuals(lambda r, p: np.clip(r, -1, 1)),
        lambda: residuals(lambda r, p: r / np.sqrt(np.mean(r**2))),
        lambda: residuals(lambda r, p: np.tanh(r)),
    ],
    "operand.targets-altered": [
        lambda: on_data(lambda x, y: (x, np.roll(y, 1, 0))),
        lambda: on_data(lambda x, y: (x, y + 1)),
        lambda: for_one_output(by(broadcast)),
    ],
    "update.never": [lambda: gain(lambda p: 0.0)],
    "update.twice-per-iteration": [
        lambda: by(two_updates),
        lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: 2 * n),
    ],
    "update.skips": [
        lambda: scheduled(lambda k, n: float(k % 2 == 0)),
        lambda: scheduled(lambda k, n: float(k == 0)),
        lambda: scheduled(lambda k, n: float(k % 3 != 2)),
    ],
    "update.sequential": [lambda: by(sequential)],
    "accumulate.no-zero-grad": [lambda: _accumulated(10**9)],
    "accumulate.sometimes": [lambda: _accumulated(3), lambda: _accumulated(2)],
    "accumulate.block": [],
    "stale.gradient": [lambda: remembered(_stale)],
    "stale.frozen-gradient": [lambda: remembered(_frozen)],
    "state.momentum": [lambda: momentum(0.9), lambda: momentum(0.5), lambda: momentum(0.9, damping=0.9)],
    "state.nesterov": [lambda: momentum(0.9, nesterov=True), lambda: by(_lookahead)],
    "state.weight-decay": [lambda: decayed(bias=True), lambda: decayed(bias=False)],
    "state.adaptive": [lambda: by(adam), lambda: blocks(np.sign, np.sign)],
    "state.clipped": [
        lambda: clipped(5.0),
        lambda: clipped(5.0, epsilon=1e-6),
        lambda: blocks(lambda g: np.clip(g, -3, 3), lambda g: np.clip(g, -3, 3)),
        lambda: clipped(1e6),
        lambda: projected,
    ],
    "state.schedule": [
        lambda: scheduled(lambda k, n: 0.9**k),
        lambda: scheduled(lambda k, n: 1 / (1 + 0.1 * k)),
        lambda: scheduled(lambda k, n: (1 + np.cos(np.pi * k / n)) / 2),
    ],
    "leak.warm-start": [warm],
    "leak.random-start": [random_start],
    "leak.start-ignored": [lambda: from_zero],
    "leak.buffer": [buffered],
    "leak.stale-data": [stale_data],
    "data.dropped": [lambda: on_data(lambda x, y: (x[:-1], y[:-1])), lambda: on_data(lambda x, y: (x[2:], y[2:]))],
    "data.duplicated": [
        lambda: on_data(lambda x, y: (np.concatenate([x, x[-1:]]), np.concatenate([y, y[-1:]]))),
    ],
    "data.minibatch": [lambda: by(batches), lambda: by(one_by_one), random_batches],
    "data.single-sample": [
        lambda: on_data(lambda x, y: (x[:1], y[:1])),
        lambda: on_data(lambda x, y: (x[-1:], y[-1:])),
    ],
    "data.standardised": [lambda: on_data(standardised)],
    "count.one-more": [lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: n + 1)],
    "count.one-less": [lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: n - 1)],
    "count.early-stop": [
        lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: min(n, 4)),
        lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: min(n, 200)),
        lambda: impatient,
    ],
    "count.padded": [
        lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: -(-n // 4) * 4),
        lambda: by(lambda p, w, b, k, m: slope(p, w, b), n=lambda n: max(n, 3) if n else 0),
    ],
    "precision.float32": [lambda: inside("float32"), lambda: gradient_in("float32"), lambda: predictions_in("float32")],
    "precision.float16": [lambda: inside("float16"), lambda: gradient_in("float16")],
    "precision.bfloat16": [lambda: in_bfloat16],
    "precision.tf32": [lambda: by(tf32)],
    "precision.integer": [
        lambda: on_data(lambda x, y: (np.trunc(x), y)),
        lambda: residuals(lambda r, p: 2 * np.trunc(r)),
    ],
    "precision.finite-difference": [
        lambda: difference(1e-3, central=False),
        lambda: difference(1e-6, central=True),
        lambda: difference(1e-8, central=False),
    ],
    "repeat.nondeterministic": [noisy],
    "report.loss-after-update": [lambda: with_losses(lambda p, seen: [objective(p, *s) for s in seen[1:]])],
    "report.loss-stale": [lambda: with_losses(lambda p, seen: [0.0, *(objective(p, *s) for s in seen)])],
    "report.loss-sum": [lambda: losses_of(lambda p: float(p.y.size)), lambda: losses_of(lambda p: float(len(p.x)))],
    "report.loss-half": [lambda: losses_of(lambda p: 0.5)],
    "report.loss-rmse": [lambda: with_losses(lambda p, seen: [np.sqrt(objective(p, *s)) for s in seen])],
    "report.loss-other-data": [
        lambda: with_losses(lambda p, seen: [objective(replace(p, x=p.x[:-1], y=p.y[:-1]), *s) for s in seen]),
        lambda: with_losses(lambda p, seen: [objective(replace(p, x=p.x[-1:], y=p.y[-1:]), *s) for s in seen]),
    ],
    "report.aliased": [
        lambda: with_losses(lambda p, seen: [objective(p, *seen[-2])] * len(seen) if len(seen) > 1 else [0.0]),
    ],
    "report.result-stale": [lambda: returned(lambda n: max(n - 1, 0), losses=True)],
    "report.result-initial": [lambda: returned(lambda n: 0, losses=True)],
    "cheat.closed-form": [lambda: closed_form],
    "cheat.geometric": [lambda: geometric],
    "cheat.hard-coded": [lambda: hard_coded],
    "cheat.cached": [cached, cached_for_good],
}


def _one_block_accumulates(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    m["sum"] = m.get("sum", 0) + g_w
    return m["sum"], g_b


FAULTS["accumulate.block"] = [lambda: by(_one_block_accumulates)]
