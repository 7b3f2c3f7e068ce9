"""The gradient of another objective than the mean squared residual."""

from collections.abc import Callable

import numpy as np

from bench.oracle.system import LongArray, System
from bench.problems.problem import Problem
from bench.proof.causes.cause import Cause, Match, first_of
from bench.proof.causes.elementwise import elementwise
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory

DISTANCES = (0.25, 1.0, 4.0)
"""Roots of the excess error of the starts at which a gain is looked at."""

Slope = Callable[[LongArray], LongArray]
"""The derivative of a loss, from residuals (..., N, M) to what stands in place of 2 r, up to a constant."""


def absolute(evidence: Evidence) -> Match | None:
    """Test for s = a c A^T sign(r), also where residuals are small: there another loss shows."""
    return _objective(evidence, np.sign, "the gradient is that of the mean absolute residual")


def other(evidence: Evidence) -> Match | None:
    """Test for the gradients of losses in use other than the squared and the absolute residual."""
    known = first_of(
        _objective(evidence, slope, f"the gradient is that of {name}") for name, slope in _slopes().items()
    )
    return known or _of_the_error(evidence) or _unlike_any(evidence)


def _unlike_any(evidence: Evidence) -> Match | None:
    return None if absolute(evidence) is not None else elementwise(evidence)


def _of_the_error(evidence: Evidence) -> Match | None:
    """Some function of the mean squared residual is descended: the gain depends on that mean, and on nothing else."""
    trajectory = evidence.trajectory
    if evidence.system.n_parameters == 1 or trajectory.residual(trajectory.along_gradient()) > MARGIN:
        return None
    level_apart = max(1e-9, 1e4 * trajectory.dtype.unit_roundoff)
    seen = []
    for distance in DISTANCES:
        level = [evidence.ask_trajectory(start, 1) for start in _of_one_error(evidence, distance)]
        here = [
            float(one.gains()[0]) for one in level if one is not None and one.residual(one.along_gradient()) <= MARGIN
        ]
        if len(here) < len(level) or np.ptp(here) > level_apart * max(map(abs, here)):
            return None
        seen.append(here[0])
    if np.ptp(seen) <= 100 * level_apart * max(map(abs, seen)):
        return None
    listed = ", ".join(f"{gain:.4g}" for gain in seen)
    return Match(0.0, f"a function of the mean squared residual is descended: gain {listed} as the residuals grow")


def _of_one_error(evidence: Evidence, distance: float) -> list[Problem]:
    """Starts around the optimum with the same mean squared residual, and gradients of unequal lengths."""
    system = evidence.system
    values, vectors = system.eigen
    ones = np.ones((*evidence.start.shape[:-2], 1, evidence.start.shape[-1]))
    starts = []
    for index in (-1, 0):
        direction = np.asarray(vectors)[..., :, [index]] * ones
        # The error grows by lambda/2 times the square of the distance.
        length = distance / np.sqrt(np.asarray(values)[..., index])[..., np.newaxis, np.newaxis]
        starts.append(evidence.from_state(system.optimum + length * direction))
    return starts


def _slopes() -> dict[str, Slope]:
    def huber(delta: float) -> Slope:
        return lambda r: np.clip(r, -delta, delta)

    def root(r: LongArray) -> LongArray:
        result: LongArray = r / np.sqrt(np.square(r).mean(axis=(-1, -2), keepdims=True))
        return result

    def logarithm(r: LongArray) -> LongArray:
        result: LongArray = r / np.square(r).mean(axis=(-1, -2), keepdims=True)
        return result

    named: dict[str, Slope] = {
        "the root of the mean squared residual": root,
        "the logarithm of the mean squared residual": logarithm,
        "the log-cosh loss": np.tanh,
        "the fourth powers of the residuals": lambda r: r**3,
        "the third powers of the residuals": lambda r: r * np.abs(r),
        "the pseudo-Huber loss": lambda r: r / np.sqrt(1 + r * r),
    }
    for delta in (1.0, 0.5, 1.345, 1.35, 1.5, 2.0, 0.1, 3.0, 5.0, 10.0):
        named[f"the Huber loss with threshold {delta:g}"] = huber(delta)
    return named


def _objective(evidence: Evidence, slope: Slope, sentence: str) -> Match | None:
    factor, residual = _weighed(evidence.trajectory, slope)
    if residual > MARGIN or _weighed(evidence.trajectory, lambda r: r)[1] <= MARGIN:
        return None
    steady = True
    # The residuals of the first steps are large; losses that differ elsewhere only are told apart near an optimum.
    for problem in evidence.near_optimum:
        near = evidence.ask_trajectory(problem, 2)
        if near is None:
            return None
        again, off = _weighed(near, slope)
        if off > MARGIN:
            return None
        steady = steady and abs(again - factor) <= 1e-3 * abs(factor)
    if not steady:
        return Match(residual, f"{sentence}, times a number that changes with the problem")
    return Match(residual, sentence if abs(factor - 1) < 1e-6 else f"{sentence}, {factor:.4g} times", factor)


def _weighed(trajectory: Trajectory, slope: Slope) -> tuple[float, float]:
    """The constant that brings the objective's gradient closest to the effective one, and the residual."""
    part = _gradient(trajectory.system, slope(trajectory.residuals[:-1]))
    (factor,), residual = trajectory.fit(np.zeros_like(trajectory.due), part)
    return factor, residual


def _gradient(system: System, slope: LongArray) -> LongArray:
    product: LongArray = system.scale / 2 * (system.design.swapaxes(-1, -2) @ slope)
    return product


L1 = Cause(
    code="operand.l1",
    title="the gradient is that of the absolute residuals, not of their squares",
    looks_like="np.sign(residual), abs().mean(), torch.nn.L1Loss",
    fix="differentiate the mean of the squares: 2 / y.size * residual.T @ x",
    example="loss = torch.nn.functional.l1_loss(prediction, y)",
    examine=absolute,
)
OTHER_LOSS = Cause(
    code="operand.other-loss",
    title="the gradient is that of another loss",
    looks_like="HuberLoss, SmoothL1Loss, a root or a logarithm around the mean squared error",
    fix="differentiate the mean of the squared residuals itself",
    example="loss = torch.sqrt(torch.nn.functional.mse_loss(prediction, y))",
    examine=other,
)
