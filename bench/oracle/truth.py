"""The truth about a descent: its exact iterates at chosen numbers of iterations, each with its rounding bound."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bench.dtypes import Dtype, FloatArray
from bench.oracle.rounding import Sizes, gamma, objective_bound, of_another_basis, step_bound
from bench.oracle.system import AffineMap, LongArray, System, size, stacked
from bench.problems.problem import Problem

DENSE = 16
"""Up to this iteration the bound is carried step by step; beyond it, in blocks whose length grows."""

BLOCK_GROWTH = 1.25
SLACK = 1.001
"""Covers the rounding of the bound's own computation and of the eigenvectors."""


@dataclass(frozen=True)
class Truth:
    """Exact iterates of one descent and how far an honest implementation may be from them.

    Attributes:
        system: the problem.
        start: theta_0, (..., P, M).
        lr: the learning rate.
        exact: theta_n by n, (..., P, M), in long arithmetic.
        bound: the componentwise bound by n, float64; infinite where the dtype says nothing.
        objective: the loss at theta_n by n, shape (...).
        objective_bound: its bound.
        any_basis: whether the bound admits descent in another basis, rounded to the size of the whole state.
    """

    system: System
    start: LongArray
    lr: float
    exact: dict[int, LongArray]
    bound: dict[int, FloatArray]
    objective: dict[int, LongArray]
    objective_bound: dict[int, FloatArray]
    any_basis: bool = False

    def distance(self, n_iters: int, w: FloatArray, b: FloatArray | None) -> FloatArray:
        """|observed - exact| at iterate ``n_iters``, (..., P, M)."""
        return size(stacked(w, b) - self.exact[n_iters])


@dataclass
class Propagator:
    """Jumps of many exact updates at once: theta_k+m = P_m theta_k + lr S_m q, with P_m, S_m by repeated squaring."""

    system: System | AffineMap
    lr: float
    _jumps: dict[int, tuple[LongArray, LongArray]] = field(default_factory=dict)

    def after(self, theta: LongArray, n_iters: int) -> LongArray:
        """The exact state ``n_iters`` updates later."""
        if n_iters == 0:
            return theta
        power, total = self._jump(n_iters)
        return power @ theta + np.longdouble(self.lr) * (total @ self.system.linear)

    def _jump(self, n: int) -> tuple[LongArray, LongArray]:
        if n not in self._jumps:
            if n == 1:
                one_each = np.eye(self.system.n_parameters, dtype=np.longdouble)
                identity = np.broadcast_to(one_each, self.system.hessian.shape)
                self._jumps[n] = (identity - np.longdouble(self.lr) * self.system.hessian, identity)
            else:
                half_power, half_total = self._jump(n // 2)
                power, total = half_power @ half_power, half_total + half_power @ half_total
                if n % 2:
                    one, _ = self._jump(1)
                    power, total = power @ one, total + power
                self._jumps[n] = (power, total)
        return self._jumps[n]


def truth(
    problem: Problem,
    n_iters: Iterable[int],
    dtype: Dtype,
    *,
    system: System | None = None,
    start_spread: float = 0.0,
    any_basis: bool = False,
) -> Truth:
    """The exact iterates of ``problem`` at the given numbers of iterations, with bounds for ``dtype``.

    Args:
        problem: float64 arrays whose values are representable in ``dtype``.
        n_iters: the numbers of iterations wanted.
        dtype: the format whose rounding is to be allowed for.
        system: the problem's system, where it is at hand.
        start_spread: makes the iterates' bounds hold for every start within this distance of (w0, b0), component by
            component.
        any_basis: admit descent in coordinates of its own, in the eigenbasis of H say. That rounds each component to
            the size of the whole state, where a loop over w and b rounds it to its own size.

    The bound is the smaller of two recursions over the step bound mu_k: B_k+1 = |I - lr H| B_k + mu_k, component by
    component, and E_k+1 = |I - lr L| E_k + |V^T| mu_k in the eigenbasis H = V L V^T, which does not grow where gradient
    descent contracts. mu_k is taken at the exact iterate widened by the bound itself.
    """
    walk = Walk(problem, dtype, system=system, start_spread=start_spread, any_basis=any_basis)
    result = Truth(walk.system, walk.theta, problem.lr, {}, {}, {}, {}, any_basis)
    for stop in _stops(sorted(set(n_iters))):
        walk.to(stop)
        residual, bound = walk.residual, walk.bound
        result.exact[stop] = walk.theta
        result.bound[stop] = bound
        result.objective[stop] = np.square(residual).sum(axis=(-1, -2)) * walk.system.scale / 2
        result.objective_bound[stop] = objective_bound(walk.system, size(residual), size(walk.theta), bound, dtype)
    return result


class Walk:
    """The exact states of a descent, one stop after another, each with its bound; see `truth`.

    Attributes:
        system: the problem.
        n_iters: where it stands.
        theta: the state there, (..., P, M).
        residual: X theta - y there.
    """

    def __init__(
        self,
        problem: Problem,
        dtype: Dtype,
        *,
        system: System | None = None,
        start_spread: float = 0.0,
        any_basis: bool = False,
    ) -> None:
        """Stand at the start; the arguments are those of `truth`."""
        self.system = System.of(problem) if system is None else system
        self.n_iters = 0
        self.theta = stacked(problem.w0, problem.b0)
        self.residual = self.system.residual(self.theta)
        self._propagator = Propagator(self.system, problem.lr)
        self._bounds = _BoundRecursion(self.system, problem.lr, dtype, start_spread, any_basis=any_basis)

    @property
    def bound(self) -> FloatArray:
        """How far an honest implementation may be from ``theta``."""
        return self._bounds.now()

    def to(self, n_iters: int) -> None:
        """Go on to a later stop, in one step: its bound is the wider the longer that is."""
        n_steps = n_iters - self.n_iters
        if n_steps:
            following = self._propagator.after(self.theta, n_steps)
            self._bounds.advance(self.theta, following, self.residual, n_steps)
            self.n_iters, self.theta, self.residual = n_iters, following, self.system.residual(following)


def _stops(wanted: list[int]) -> list[int]:
    last = wanted[-1]
    stops = set(wanted) | set(range(min(last, DENSE) + 1))
    stop = float(DENSE)
    while stop < last:
        stops.add(int(stop))
        stop *= BLOCK_GROWTH
    return sorted(stops)


class _BoundRecursion:
    """The two recursions of the bound, carried from stop to stop."""

    def __init__(self, system: System, lr: float, dtype: Dtype, start_spread: float, *, any_basis: bool) -> None:
        self._system, self._lr, self._dtype, self._any_basis = system, lr, dtype, any_basis
        values, vectors = system.eigen
        self._values = values[..., np.newaxis]
        self._vectors_t = vectors.swapaxes(-1, -2)
        self._size_of_vectors = np.abs(vectors)
        self._size_of_vectors_t = self._size_of_vectors.swapaxes(-1, -2)
        self._contraction = 1.0 - lr * self._values
        self._size_of_step = np.abs(np.eye(system.n_parameters) - lr * system.hessian.astype(np.float64))
        shape = system.linear.shape
        self._eigen_bound = np.zeros(shape)
        self._component_bound = np.zeros(shape)
        self._out_of_basis = np.zeros(shape)
        self._began = False
        self._eigen_spread = self._size_of_vectors_t @ np.full(shape, start_spread)

    def now(self) -> FloatArray:
        """The bound at the present state."""
        by_eigenvectors = _product(self._size_of_vectors, self._eigen_bound)
        if self._any_basis:
            return SLACK * (by_eigenvectors + self._out_of_basis)
        smallest: FloatArray = SLACK * np.minimum(by_eigenvectors, self._component_bound)
        return smallest

    def spread(self) -> FloatArray:
        """How far apart the present states of the starts within the spread can be."""
        apart: FloatArray = self._size_of_vectors @ self._eigen_spread
        return apart

    def advance(self, theta: LongArray, following: LongArray, residual: LongArray, n_steps: int) -> None:
        """Carry the bound over ``n_steps`` updates, from ``theta`` to ``following``."""
        if self._any_basis:
            self._turn(theta, following)
        if np.all(np.isfinite(self._eigen_bound)):
            if n_steps == 1:
                self._advance_one(theta, following, residual)
            else:
                self._advance_block(theta, following, residual, n_steps)
        self._eigen_spread = self._eigen_spread * np.abs(self._contraction) ** n_steps

    def _turn(self, theta: LongArray, following: LongArray) -> None:
        """Allow for two products with the eigenvectors: the start into their basis once, each state out of it."""
        turning = 2 * gamma(self._system.n_parameters, self._dtype.unit_roundoff)
        if not self._began:
            self._eigen_bound = self._eigen_bound + turning * (self._size_of_vectors_t @ size(theta))
            self._began = True
        coordinates = np.abs(self._vectors_t @ following.astype(np.float64))
        self._out_of_basis = turning * (self._size_of_vectors @ coordinates)

    def _advance_one(self, theta: LongArray, following: LongArray, residual: LongArray) -> None:
        around = self.now() + self.spread()
        gradient = self._system.hessian @ theta - self._system.linear
        sizes = Sizes(
            theta=size(theta) + around,
            theta_next=size(following) + around,
            residual=size(residual) + self._system.size_of_design @ around,
            gradient=size(gradient) + np.abs(self._system.hessian).astype(np.float64) @ around,
        )
        mu = self._step_bound(sizes)
        self._eigen_bound = _product(self._size_of_vectors_t, mu) + np.abs(self._contraction) * self._eigen_bound
        self._component_bound = _product(self._size_of_step, self._component_bound) + mu

    def _advance_block(self, theta: LongArray, following: LongArray, residual: LongArray, n_steps: int) -> None:
        # The error made inside the block widens the magnitudes that make it; three rounds settle that, or it explodes.
        around, bound = self.now(), self._eigen_bound
        size_of_residual = size(residual)
        for _ in range(3):
            mu = self._step_bound_in_block(theta, following, size_of_residual, n_steps, around)
            before, bound = bound, self._carried(mu, n_steps)
            if not np.all(np.isfinite(bound)):
                break
            around = np.maximum(around, self._size_of_vectors @ bound)
        settled = np.all(np.isfinite(bound)) and np.all(bound <= 1.5 * before)
        self._eigen_bound = 1.5 * bound if settled else np.full_like(bound, np.inf)
        self._component_bound = np.full_like(bound, np.inf)

    def _carried(self, mu: FloatArray, n_steps: int) -> FloatArray:
        ratio = np.abs(self._contraction)
        power = ratio**n_steps
        with np.errstate(divide="ignore", invalid="ignore"):
            total = np.where(np.abs(1 - ratio) * n_steps < 1e-8, float(n_steps), (1 - power) / (1 - ratio))
        carried: FloatArray = power * self._eigen_bound + total * _product(self._size_of_vectors_t, mu)
        return carried

    def _step_bound_in_block(
        self, theta: LongArray, following: LongArray, size_of_residual: FloatArray, n_steps: int, around: FloatArray
    ) -> FloatArray:
        """Mu for every step of a block: each magnitude at its largest within it."""
        here, there = (self._vectors_t @ state.astype(np.float64) for state in (theta, following))
        gradient = self._system.hessian @ theta - self._system.linear
        slope = np.abs(self._vectors_t @ gradient.astype(np.float64))
        growth = np.maximum(1.0, np.abs(self._contraction)) ** n_steps
        # A component that contracts without changing sign moves monotonically; one that alternates stays within the
        # distance from its limit that it started with, or that it has grown to.
        alternating = self._contraction < 0
        from_limit = np.where(alternating, slope / np.where(alternating, self._values, 1.0), 0.0)
        travel = np.where(alternating, 2 * from_limit * growth, np.abs(there - here))
        moved = self._size_of_vectors @ (travel + self._eigen_spread * growth) + around
        steepest = growth * (slope + self._values * self._eigen_spread) + self._values * (
            self._size_of_vectors_t @ around
        )
        sizes = Sizes(
            theta=size(theta) + moved,
            theta_next=size(theta) + moved,
            residual=size_of_residual + self._system.size_of_design @ moved,
            gradient=self._size_of_vectors @ steepest,
        )
        return self._step_bound(sizes)

    def _step_bound(self, sizes: Sizes) -> FloatArray:
        bound = step_bound(self._system, sizes, self._lr, self._dtype)
        if not self._any_basis:
            return bound
        return bound + of_another_basis(self._system, sizes, self._lr, self._dtype)


def _product(matrix: FloatArray, bound: FloatArray) -> FloatArray:
    """Matrix @ bound, infinite wherever an infinite bound meets it (0 * inf would be NaN)."""
    if not np.all(np.isfinite(bound)):
        return np.full_like(bound, np.inf)
    product: FloatArray = matrix @ bound
    return product
