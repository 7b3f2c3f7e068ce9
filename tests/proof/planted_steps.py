"""Faulty steps: what one iteration of a planted fault does."""

from dataclasses import replace
from typing import Any

import numpy as np

from bench.problems.problem import Problem
from tests.proof.loops import Array, Function, by, plus, predicted, remembered, slope, slope_of, times


def accumulated(period: int) -> Function:
    def use(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
        m["sum"] = g if k % period == 0 or "sum" not in m else plus(m["sum"], g)
        return m["sum"]

    return remembered(use)


def stale_gradient(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
    before, m["g"] = m.get("g", g), g
    return before


def frozen_gradient(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
    return m.setdefault("g", g)


def momentum(coefficient: float, *, nesterov: bool = False, damping: float = 0.0) -> Function:
    def use(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
        m["v"] = plus(times(coefficient, m["v"]), times(1 - damping, g)) if "v" in m else g
        return plus(g, times(coefficient, m["v"])) if nesterov else m["v"]

    return remembered(use)


def momentum_of_the_bias(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    m["v"] = None if g_b is None else 0.8 * m.get("v", 0) + g_b
    return g_w, m["v"]


def lookahead(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
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


def adamw(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = adam(p, w, b, k, m)
    return g_w + 0.01 * w, None if g_b is None or b is None else g_b + 0.01 * b


def adafactor(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    keep = 0.9 if k else 0.0
    m["rows"] = keep * m.get("rows", 0) + (1 - keep) * np.mean(g_w**2, 1, keepdims=True)
    m["columns"] = keep * m.get("columns", 0) + (1 - keep) * np.mean(g_w**2, 0, keepdims=True)
    step = g_w / np.sqrt(m["rows"] * m["columns"] / np.mean(m["rows"]))
    return step, None if g_b is None else np.sign(g_b)


def largest_limited(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g = slope(p, w, b)
    largest = max(np.max(np.abs(part)) for part in g if part is not None)
    return times(p.x.dtype.type(min(1.0, 3.0 / largest)), g)


def rectified(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    above = predicted(p, w, b)
    return slope_of(p, np.where(above > 0, above - p.y, 0).astype(p.x.dtype))


def clipped(limit: float, *, epsilon: float = 0.0) -> Function:
    def step(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
        g = slope(p, w, b)
        norm = np.sqrt(sum(np.sum(part.astype(np.float64) ** 2) for part in g if part is not None))
        return times(p.x.dtype.type(min(1.0, limit / (norm + epsilon))), g)

    return by(step)


def sequential(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, _ = slope(p, w, b)
    return g_w, slope(p, w - p.lr * g_w, b)[1]


def batches(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    rows = np.arange(3 * k, 3 * k + 3) % len(p.x)
    return slope(replace(p, x=p.x[rows], y=p.y[rows]), w, b)


def one_by_one(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    row = slice(k % len(p.x), k % len(p.x) + 1)
    return slope(replace(p, x=p.x[row], y=p.y[row]), w, b)


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


def standardised(x: Array, y: Array) -> tuple[Array, Array]:
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-3), y


def one_block_accumulates(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    g_w, g_b = slope(p, w, b)
    m["sum"] = m.get("sum", 0) + g_w
    return m["sum"], g_b
