"""Loops to plant faults in: what is common to them, and the right ones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

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


def scheduled(rate: Callable[[int, int], float]) -> Function:
    return by(lambda p, w, b, k, m: times(p.x.dtype.type(rate(k, m["n"])), slope(p, w, b)))


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
