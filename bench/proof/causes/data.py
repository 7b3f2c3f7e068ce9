"""The data of the gradient are not all the data, once each, as they are."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.dtypes import FloatArray
from bench.oracle.system import LongArray, System
from bench.proof.causes.cause import Cause, Match, fits
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, Trajectory

ALL_CHOICES, SOME_CHOICES = 14, 512
EQUAL = 1e-6
"""Weights of samples that differ by less, relatively, are the same."""


def dropped(evidence: Evidence) -> Match | None:
    """Some samples have no weight, the others one and the same, and they are more than one."""
    weights = _weights(evidence)
    if weights is None:
        return None
    out = weights == 0
    if not np.any(out) or np.sum(~out) < 2 or not _multiples(weights[~out]):
        return None
    listed = ", ".join(str(index) for index in np.flatnonzero(out))
    return Match(0.0, f"of {len(weights)} samples these have no part in the gradient: {listed}", float(np.sum(out)))


def duplicated(evidence: Evidence) -> Match | None:
    """Some samples count two or more times as much as others, by whole numbers."""
    weights = _weights(evidence)
    if weights is None:
        return None
    used = weights[weights != 0]
    if len(used) < 2:
        return None
    times = np.round(weights / np.min(used))
    if not _multiples(used) or np.max(times) < 2:
        return None
    listed = ", ".join(f"{index} ({times[index]:.0f} times)" for index in np.flatnonzero(times > 1))
    return Match(0.0, f"these samples count more than once: {listed}", float(np.sum(times[times > 1] - 1)))


def single_sample(evidence: Evidence) -> Match | None:
    """One sample, the same in every step, is all that has weight."""
    weights = _weights(evidence)
    if weights is not None and np.sum(weights != 0) == 1 and np.max(weights) > 0:
        index = int(np.argmax(weights))
        return Match(0.0, f"the gradient is that of sample {index} alone", float(index))
    chosen = None if evidence.unsteady else _one_in_each_step(evidence.trajectory)
    if chosen is None:
        return None
    return Match(0.0, f"each step uses one sample: {', '.join(map(str, chosen[:5]))} ...")


def _one_in_each_step(trajectory: Trajectory) -> list[int] | None:
    """The sample whose gradient alone each step uses; ``None`` where a step uses another number of them."""
    if not trajectory.sharp:
        return None
    chosen = []
    for step, residual, tolerance in zip(
        trajectory.effective, trajectory.residuals[:-1], trajectory.tolerances, strict=True
    ):
        subset = _subset(trajectory.system, step, residual, tolerance)
        if subset is None or np.sum(subset > 0) != 1:
            return None
        chosen.append(int(np.argmax(subset)))
    return chosen


def minibatch(evidence: Evidence) -> Match | None:
    """Each step uses some of the samples, not the same ones in every step or every call."""
    trajectory = evidence.trajectory
    if not trajectory.sharp:
        return None
    residuals, tolerances, steps = trajectory.residuals[:-1], trajectory.tolerances, list(trajectory.effective)
    if evidence.unsteady:
        # States of separate calls are no trajectory then, but the first step of each starts at the same place.
        steps = evidence.one_repeat or []
        residuals, tolerances = residuals[[0] * len(steps)], tolerances[[0] * len(steps)]
    used = []
    for step, residual, tolerance in zip(steps, residuals, tolerances, strict=True):
        subset = _subset(trajectory.system, step, residual, tolerance)
        if subset is None or np.all(subset > 0):
            return None
        used.append(np.round(subset / np.min(subset[subset > 0])))
    if len({tuple(times) for times in used}) < 2:
        return None
    sizes = [int(np.sum(times)) for times in used]
    if max(sizes) == 1:
        return None  # `single_sample` says so
    size = str(sizes[0]) if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    first = ", ".join(str(index) for index in np.flatnonzero(used[0]))
    sentence = (
        f"every {'call' if evidence.unsteady else 'step'} uses {size} of the {len(used[0])} samples, first {first}"
    )
    return Match(0.0, sentence, float(max(sizes)))


def standardised(trajectory: Trajectory) -> Match | None:
    """Test for the gradient at rescaled data."""
    system = trajectory.system
    x, y = system.design[..., : trajectory.n_weights], system.targets
    for name, changed in _rescaled(x).items():
        for target_name, targets in {"": y, " and the targets are too": _rescaled(y).get(name, y)}.items():
            if not (np.all(np.isfinite(changed)) and np.all(np.isfinite(targets))):
                continue
            design = np.concatenate([changed, system.design[..., trajectory.n_weights :]], axis=-1)
            other = System(design, targets, system.has_bias)
            match = fits(trajectory, other.gradient(trajectory.stack[:-1]), f"the features are {name}{target_name}")
            if match is not None:
                return match
    return None


def _rescaled(x: LongArray) -> dict[str, LongArray]:
    mean, low, high = x.mean(-2, keepdims=True), x.min(-2, keepdims=True), x.max(-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "standardised": (x - mean) / x.std(-2, keepdims=True),
            "standardised, with N - 1": (x - mean) / x.std(-2, keepdims=True, ddof=1),
            "centred": x - mean,
            "scaled to [0, 1]": (x - low) / (high - low),
            "scaled to [-1, 1]": 2 * (x - low) / (high - low) - 1,
            "divided by their standard deviations": x / x.std(-2, keepdims=True),
            "divided by their largest magnitudes": x / np.abs(x).max(-2, keepdims=True),
            "divided by the largest of them all": x / np.abs(x).max(),
            "scaled to rows of length 1": x / np.sqrt(np.square(x).sum(-1, keepdims=True)),
            "scaled to columns of length 1": x / np.sqrt(np.square(x).sum(-2, keepdims=True)),
            "standardised all together": (x - x.mean()) / x.std(),
        }


def _weights(evidence: Evidence) -> FloatArray | None:
    """The weight of each sample in the gradient, 1 where it is right; ``None`` where the steps are no such gradient.

    Where the probe has as many equations as samples the weights are measured; otherwise all choices of samples are
    tried, with one of them perhaps twice.
    """
    trajectory = evidence.trajectory
    if not trajectory.sharp or trajectory.right:
        return None
    return _measured_weights(evidence) if evidence.system.n_parameters > 2 else _tried_weights(trajectory)


def _measured_weights(evidence: Evidence) -> FloatArray | None:
    step, system = evidence.affine, evidence.system
    if step is None:
        return None
    a, y = system.design, system.targets
    n, p, lead = system.n_samples, system.n_parameters, a.ndim - 2
    if n > p * (p + 1) / 2 + p * system.n_outputs:
        return None
    curvature = np.einsum("...np,...nq->n...pq", a, a)
    pull = -np.einsum("...np,...nm->n...pm", a, y)
    columns = float(system.scale) * np.concatenate([curvature.reshape(n, -1), pull.reshape(n, -1)], axis=1).T
    seen = np.concatenate([step.matrix.mean(-1).ravel(), step.offset.ravel()])
    scaled = columns.astype(np.float64)
    if np.linalg.matrix_rank(scaled) < n or lead > 1:
        return None
    weights = np.linalg.lstsq(scaled, seen.astype(np.float64), rcond=None)[0]
    contributions = _contributions(system, evidence.trajectory.residuals[:-1])
    weights = _cleaned(weights)
    predicted = np.einsum("n,n...->...", weights.astype(np.longdouble), contributions)
    return weights if evidence.trajectory.residual(predicted) <= 100 * MARGIN else None


def _tried_weights(trajectory: Trajectory) -> FloatArray | None:
    contributions = _contributions(trajectory.system, trajectory.residuals[:-1])
    n = trajectory.system.n_samples
    seen = contributions.astype(np.float64).reshape(n, -1)
    tolerance = MARGIN * trajectory.tolerances.ravel()
    effective = trajectory.effective.astype(np.float64).ravel()
    if n > SOME_CHOICES:
        return None
    candidates = np.concatenate([_choices(n), _twice_one(n)])
    off = np.abs(candidates @ seen - effective)
    fitting = np.flatnonzero(np.all(off <= tolerance, axis=1))
    # Where several choices give the same gradients, none of them has been shown.
    return candidates[fitting[0]] if len(fitting) == 1 else None


def _contributions(system: System, residuals: LongArray) -> LongArray:
    """What each sample brings to the gradients at residuals (K, ..., N, M): (N, K, ..., P, M)."""
    product: LongArray = system.scale * np.einsum("...np,k...nm->nk...pm", system.design, residuals)
    return product


def _choices(n: int) -> FloatArray:
    """Choices of one or more samples: as a mean over those chosen, and as a part of the mean over all."""
    part = choices_of(n).astype(np.float64)
    return np.concatenate([part * (n / part.sum(1, keepdims=True)), part[:-1]])


def choices_of(n: int) -> npt.NDArray[np.int64]:
    """Which of n samples are taken, a row of zeros and ones for each choice; the last takes them all.

    Every choice where they are few. Of many samples the usual ones: one alone, all but one, the first or the last so
    many; of very many none, since nobody could try them.

    >>> choices_of(2).tolist()
    [[1, 0], [0, 1], [1, 1]]
    """
    if n <= ALL_CHOICES:
        return (np.arange(1, 2**n)[:, np.newaxis] >> np.arange(n)) & 1
    if n > SOME_CHOICES:
        return np.ones((1, n), np.int64)
    one, first = np.eye(n, dtype=np.int64), np.tri(n - 1, n, dtype=np.int64)
    return np.unique(np.concatenate([one, 1 - one, first, 1 - first, np.ones_like(one[:1])]), axis=0)


def _twice_one(n: int) -> FloatArray:
    once_more = np.ones((n, n)) + np.eye(n)
    return np.concatenate([once_more, once_more * n / (n + 1)])


def _subset(system: System, step: LongArray, residual: LongArray, tolerance: FloatArray) -> FloatArray | None:
    """The weights of the samples in one step, each a multiple of one number; ``None`` where there are none such."""
    n = system.n_samples
    if n > SOME_CHOICES:
        return None
    brought = _contributions(system, residual[np.newaxis]).astype(np.float64).reshape(n, -1)
    target, allowed = step.astype(np.float64).ravel(), 100 * MARGIN * tolerance.ravel()
    candidates = _choices(n)
    if np.linalg.matrix_rank(brought) == n:
        measured = _cleaned(np.linalg.lstsq(brought.T, target, rcond=None)[0])
        if not _multiples(measured[measured != 0]):
            return None
        candidates = measured[np.newaxis]
    fitting = np.flatnonzero(np.all(np.abs(candidates @ brought - target) <= allowed, axis=1))
    return candidates[fitting[0]] if len(fitting) == 1 else None


def _cleaned(weights: npt.NDArray[Any]) -> FloatArray:
    cleaned: FloatArray = np.where(np.abs(weights) <= EQUAL * np.max(np.abs(weights)), 0.0, weights)
    return cleaned


def _multiples(weights: FloatArray) -> bool:
    """Whether the weights are positive whole multiples, at most 9, of the least of them."""
    if len(weights) == 0 or np.min(weights) <= 0:
        return False
    times: npt.NDArray[np.float64] = weights / np.min(weights)
    return bool(np.all(np.abs(times - np.round(times)) <= EQUAL * times) and np.max(times) < 9.5)


DROPPED = Cause(
    code="data.dropped",
    title="some samples have no part in the gradient",
    looks_like="x[:-1], range(n - 1), drop_last=True, a training split, a mask",
    fix="take the mean over all samples",
    example="x, y = x[:-1], y[:-1]",
    examine=dropped,
)
DUPLICATED = Cause(
    code="data.duplicated",
    title="some samples count more than once",
    looks_like="padding of the last batch with samples, sampling with replacement, sample weights",
    fix="let every sample count once",
    example="x = np.concatenate([x, x[-1:]]); y = np.concatenate([y, y[-1:]])",
    examine=duplicated,
)
SINGLE_SAMPLE = Cause(
    code="data.single-sample",
    title="the gradient is that of one sample",
    looks_like="x[0], x[i] with an i left over from another loop, a return inside the loop over samples",
    fix="take the mean over all samples",
    example="dw = 2 * (x[0] @ w.T - y[0])[:, None] * x[0]",
    examine=single_sample,
)
MINIBATCH = Cause(
    code="data.minibatch",
    title="every update uses some of the samples only",
    looks_like="a data loader with a batch size, a random choice of samples, one sample after the other",
    fix="use all samples in every update: that is gradient descent, the other is stochastic gradient descent",
    example="chosen = rng.choice(len(x), 4); x_k, y_k = x[chosen], y[chosen]",
    examine=minibatch,
)
STANDARDISED = Cause(
    code="data.standardised",
    title="the gradient is taken at rescaled data",
    looks_like="StandardScaler, (x - x.mean(0)) / x.std(0), a division by x.max()",
    fix="use x as it is, or bring the parameters back to the problem's own scale at every step",
    example="x = (x - x.mean(0)) / x.std(0)",
    test=standardised,
)
