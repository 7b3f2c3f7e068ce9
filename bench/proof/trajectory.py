"""A trajectory: the states that a variant was seen in, and the gradient that it must have used between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.rounding import Sizes, step_bound
from bench.oracle.system import LongArray, System, size

MARGIN = 8.0
"""How many rounding bounds a hypothesis may miss by; in float64 the next hypothesis is some 1e12 bounds away."""

SHARP = 2.0**-24
"""The unit roundoff up to which thousands of hypotheses may be tried without one of them fitting by chance."""

FURTHEST = 130
"""Updates looked for behind a state: padding goes up to round numbers."""

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Trajectory:
    """States after 0, 1, 2, ... updates, seen through separate calls from one start.

    Attributes:
        system: the probe.
        lr: its learning rate.
        dtype: the format of the states.
        states: theta_0 (the start that was asked for), theta_1, ..., theta_K, each (..., P, M).
    """

    system: System
    lr: float
    dtype: Dtype
    states: Sequence[LongArray]

    @cached_property
    def stack(self) -> LongArray:
        """The states as one array, (K + 1, ..., P, M)."""
        return np.stack(list(self.states))

    @cached_property
    def residuals(self) -> LongArray:
        """r_k = A theta_k - y of every state, (K + 1, ..., N, M)."""
        return self.system.residual(self.stack)

    @cached_property
    def gradients(self) -> LongArray:
        """The exact gradient g_k at every observed state, (K + 1, ..., P, M)."""
        return self.system.gradient(self.stack)

    @property
    def due(self) -> LongArray:
        """The gradients that gradient descent would have acted upon: all but the last state's, (K, ..., P, M)."""
        return self.gradients[:-1]

    @cached_property
    def effective(self) -> LongArray:
        """s_k = (theta_k - theta_k+1)/lr: the gradient that the variant acted upon, (K, ..., P, M)."""
        step: LongArray = (self.stack[:-1] - self.stack[1:]) / np.longdouble(self.lr)
        return step

    @cached_property
    def tolerances(self) -> FloatArray:
        """How far rounding can carry each s_k from a hypothesis that is true, (K, ..., P, M).

        It adds up along the trajectory.
        """
        each = []
        for here, after, residual, gradient, step in zip(
            self.stack, self.stack[1:], self.residuals, self.gradients, self.effective, strict=False
        ):
            sizes = Sizes(
                theta=size(here),
                theta_next=size(after),
                residual=size(residual),
                gradient=size(gradient) + size(step),
            )
            steepness = 1.0 + float(np.max(size(step)) / max(float(np.max(size(gradient))), TINY))
            each.append(2 * steepness * step_bound(self.system, sizes, self.lr, self.dtype) / self.lr)
        total: FloatArray = np.cumsum(np.stack(each), axis=0)
        return total

    @cached_property
    def state_tolerances(self) -> FloatArray:
        """How far rounding can carry theta_1, ..., theta_K from a hypothesis that is true, (K, ..., P, M)."""
        total: FloatArray = self.lr * np.cumsum(self.tolerances, axis=0)
        return total

    @property
    def sharp(self) -> bool:
        """Whether the format tells thousands of hypotheses apart."""
        return self.dtype.unit_roundoff <= SHARP

    @cached_property
    def n_weights(self) -> int:
        """D, the rows of theta that are weights."""
        return self.system.n_parameters - int(self.system.has_bias)

    @cached_property
    def misses(self) -> FloatArray:
        """How far each step is from gradient descent's, in tolerances, (K,)."""
        worst: FloatArray = self._in_tolerances(self.effective - self.due).max(axis=tuple(range(1, self.due.ndim)))
        return worst

    @cached_property
    def right(self) -> bool:
        """Whether every step is gradient descent's, within the margin."""
        return bool(np.all(self.misses <= MARGIN))

    def residual(self, predicted: Sequence[LongArray] | LongArray) -> float:
        """The worst distance between the effective and a predicted gradient, in tolerances; a fit is at most `MARGIN`.

        Args:
            predicted: a hypothesis for each s_k, (K, ..., P, M).
        """
        return float(np.max(self._in_tolerances(self.effective - np.asarray(predicted))))

    def state_residual(self, predicted: Sequence[LongArray] | LongArray) -> float:
        """The same for theta_1, ..., theta_K."""
        return float(np.max(_ratio(self.stack[1:] - np.asarray(predicted), self.state_tolerances)))

    def fit(self, base: LongArray, *parts: LongArray) -> tuple[tuple[float, ...], float]:
        """The numbers c that bring base + sum of c_j part_j closest to s (least squares in tolerances); the residual.

        Args:
            base: what needs no number, (K, ..., P, M).
            parts: what is to be weighed, each (K, ..., P, M).
        """
        if not np.all(np.isfinite(self.tolerances)):
            return (np.nan,) * len(parts), np.inf
        weight = (1.0 / np.maximum(self.tolerances, TINY)).ravel()
        columns = np.stack([(np.asarray(part, np.float64).ravel() * weight) for part in parts], axis=1)
        if not (np.all(np.isfinite(columns)) and np.linalg.matrix_rank(columns) == len(parts)):
            return (np.nan,) * len(parts), np.inf
        numbers = np.zeros(len(parts), np.longdouble)
        for _ in range(2):
            missing = self.effective - base - sum(n * part for n, part in zip(numbers, parts, strict=True))
            numbers = numbers + np.linalg.lstsq(columns, missing.astype(np.float64).ravel() * weight, rcond=None)[0]
        predicted = base + sum(n * part for n, part in zip(numbers, parts, strict=True))
        return tuple(float(n) for n in numbers), self.residual(predicted)

    def gain(self, block: slice = slice(None)) -> float:
        """The factor a that brings a * g_k closest to s_k, over rows ``block`` of theta and all k (least squares)."""
        products, squares = self._moments(block)
        return float(products.sum() / squares.sum()) if squares.sum() > 0 else np.nan

    def gains(self) -> FloatArray:
        """The factor a_k that brings a_k * g_k closest to s_k, for each k, (K,)."""
        products, squares = self._moments(slice(None))
        return np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)

    def along_gradient(self) -> LongArray:
        """a_k * g_k with the `gains`: the part of each step that goes along the gradient, (K, ..., P, M)."""
        part: LongArray = self.gains().reshape(-1, *(1,) * (self.due.ndim - 1)) * self.due
        return part

    def _moments(self, block: slice) -> tuple[FloatArray, FloatArray]:
        g = self.due[..., block, :].astype(np.float64).reshape(len(self.due), -1)
        s = self.effective[..., block, :].astype(np.float64).reshape(len(self.due), -1)
        # Each iterate weighs the same: the first gradients would drown the later ones, and a diverging run the first.
        weight = 1.0 / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), TINY)
        return ((g * weight) * (s * weight)).sum(1), ((g * weight) ** 2).sum(1)

    @cached_property
    def updates_made(self) -> list[int] | None:
        """How many exact updates lead from the start to theta_1, ..., theta_K; ``None`` where any is not an iterate."""
        exact = iterates(self.system, self.lr, self.stack[0], FURTHEST)
        made = []
        for state, tolerance in zip(self.stack[1:], self.state_tolerances, strict=True):
            off = _ratio(exact - state, tolerance).max(axis=tuple(range(1, exact.ndim)))
            fitting = np.flatnonzero(off <= MARGIN)
            if len(fitting) != 1:
                return None
            made.append(int(fitting[0]))
        return made

    def _in_tolerances(self, distance: LongArray) -> FloatArray:
        return _ratio(distance, self.tolerances)


def iterates(
    system: System,
    lr: float,
    start: LongArray,
    n_iters: int,
    rate: Callable[[int], float] = lambda k: 1.0,  # noqa: ARG005
) -> LongArray:
    """The exact states after 0, 1, ... updates with learning rates lr * rate(k), (n_iters + 1, ..., P, M)."""
    states = [start]
    for k in range(n_iters):
        states.append(states[-1] - np.longdouble(lr) * np.longdouble(rate(k)) * system.gradient(states[-1]))
    return np.stack(states)


def _ratio(distance: LongArray, tolerance: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = size(distance) / np.maximum(tolerance, TINY)
    # A tolerance without end says nothing, and so must not count as a fit.
    unjudged: FloatArray = np.where(np.isfinite(tolerance) & np.isfinite(ratio), ratio, np.inf)
    return unjudged
