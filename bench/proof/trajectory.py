"""A trajectory: the states that a variant was seen in, and the gradient that it must have used between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.rounding import Sizes, step_bound
from bench.oracle.system import LongArray, System

MARGIN = 8.0
"""How many rounding bounds a hypothesis may miss by; in float64 the next hypothesis is some 1e12 bounds away."""


@dataclass(frozen=True)
class Trajectory:
    """States after 0, 1, 2, ... updates, seen through separate calls from one start.

    Attributes:
        system: the probe.
        lr: its learning rate.
        dtype: the format of the states.
        states: theta_0 (the start that was asked for), theta_1, ..., each (..., P, M).
    """

    system: System
    lr: float
    dtype: Dtype
    states: Sequence[LongArray]

    @cached_property
    def gradients(self) -> list[LongArray]:
        """The exact gradient g_k at each observed state."""
        return [self.system.gradient(state) for state in self.states]

    @cached_property
    def effective(self) -> list[LongArray]:
        """s_k = (theta_k - theta_k+1)/lr: the gradient that the variant acted upon."""
        return [
            (here - after) / np.longdouble(self.lr) for here, after in zip(self.states, self.states[1:], strict=False)
        ]

    @cached_property
    def tolerances(self) -> list[FloatArray]:
        """How far rounding can carry each s_k from a hypothesis that is true; it adds up along the trajectory."""
        total = np.zeros(self.states[0].shape)
        result = []
        for here, after, gradient, step in zip(
            self.states, self.states[1:], self.gradients, self.effective, strict=False
        ):
            sizes = Sizes(
                theta=_size(here),
                theta_next=_size(after),
                residual=_size(self.system.residual(here)),
                gradient=_size(gradient) + _size(step),
            )
            steepness = 1.0 + float(np.max(_size(step)) / max(float(np.max(_size(gradient))), np.finfo(float).tiny))
            total = total + 2 * steepness * step_bound(self.system, sizes, self.lr, self.dtype) / self.lr
            result.append(total)
        return result

    def residual(self, predicted: Sequence[LongArray]) -> float:
        """The worst distance between the effective and a predicted gradient, in tolerances; a fit is at most `MARGIN`.

        Args:
            predicted: a hypothesis for each s_k, (..., P, M).
        """
        worst = 0.0
        for effective, hypothesis, tolerance in zip(self.effective, predicted, self.tolerances, strict=True):
            if not np.all(np.isfinite(tolerance)):
                return np.inf
            floor = np.finfo(np.float64).tiny
            worst = max(worst, float(np.max(_size(effective - hypothesis) / np.maximum(tolerance, floor))))
        return worst

    def gain(self, block: slice = slice(None)) -> float:
        """The factor a that brings a * g_k closest to s_k, over rows ``block`` of theta and all k (least squares)."""
        pairs = [
            (g[..., block, :].astype(np.float64).ravel(), s[..., block, :].astype(np.float64).ravel())
            for g, s in zip(self.gradients, self.effective, strict=False)
        ]
        # Each iterate weighs the same: the first gradients would drown the later ones, and a diverging run the first.
        weights = [1.0 / max(float(np.linalg.norm(g)), np.finfo(float).tiny) for g, _ in pairs]
        products = sum(float((g * w) @ (s * w)) for (g, s), w in zip(pairs, weights, strict=True))
        squares = sum(float((g * w) @ (g * w)) for (g, _), w in zip(pairs, weights, strict=True))
        return products / squares if squares > 0 else np.nan


def _size(values: LongArray) -> FloatArray:
    size: FloatArray = np.abs(values).astype(np.float64)
    return size
