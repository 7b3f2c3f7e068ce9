"""What an unknown fault is said to depend on: seen, and not said of a fault that does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.problems.problem import Problem
from bench.variants.contract import Descent
from tests.proof.loops import Array, Function, blocks, by, slope, times
from tests.proof.test_causes import found

ORDER, AXES, BATCH = "the order of the samples", "the axes of the features", "the other regressions of the batch"


def sweeping(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    moved, bias = w, b
    for row in range(len(p.x)):
        g_w, g_b = slope(replace(p, x=p.x[row : row + 1], y=p.y[row : row + 1]), moved, bias)
        moved, bias = moved - p.lr / 3 * g_w, None if bias is None or g_b is None else bias - p.lr / 3 * g_b
    return (w - moved) / p.lr, None if b is None or bias is None else (b - bias) / p.lr


def stretched(p: Problem, w: Array, b: Array | None, k: int, m: dict[str, Any]) -> Any:
    return times(1 + 0.1 * np.sin(k * np.linalg.norm(w)), slope(p, w, b))


def of_the_whole_batch(p: Problem, n_iters: int) -> Descent:
    """Every regression's gain follows from the weights of them all."""
    w, b = p.w0, p.b0
    for k in range(n_iters):
        r = p.x @ w.swapaxes(-1, -2) - p.y + (0 if b is None else b[..., np.newaxis, :])
        c = 2 / (p.y.shape[-1] * p.y.shape[-2]) * (1 + 0.1 * np.sin(k + np.linalg.norm(w)))
        w = w - p.lr * c * (r.swapaxes(-1, -2) @ p.x)
        b = None if b is None else b - p.lr * c * r.sum(-2)
    return Descent(w, b)


@pytest.mark.parametrize(
    ("function", "problem", "depends"),
    [
        (by(sweeping), "line-4", {ORDER}),
        (blocks(lambda g: np.sign(g) * np.sqrt(np.abs(g)), lambda g: g), "line-4", {AXES}),
        (by(stretched), "line-4", set()),
        (of_the_whole_batch, "batch", {BATCH}),
    ],
)
def test_an_unknown_fault_is_described_by_what_it_depends_on(
    function: Function, problem: str, depends: set[str]
) -> None:
    finding = found(function, problem=problem)
    assert finding.cause == "unknown", finding.evidence
    assert {what for what in (ORDER, AXES, BATCH) if what in finding.evidence} == depends
