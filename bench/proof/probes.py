"""The probes: small problems made so that faults show and can be told apart. They are the problem ``probe`` in tables.

N, D and M are pairwise coprime and none equals 2; the columns of x have unequal scales and offsets; y is not
realisable; the start is random. Every number is a short binary fraction, the same in every dtype that uses the probe.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bench.dtypes import DTYPES, Dtype, FloatArray, rounded
from bench.oracle.system import System
from bench.problems.problem import Problem

SHORTEST = DTYPES["bfloat16"]
BATCH = 4
STEP_FRACTION = 0.37
"""lr = 0.37/lambda_max: far from the limit, and no factor of it is a round number."""

SHORT_STEP_FRACTION = 0.11
"""The same for a probe of a bfloat16 cell, in which the second step must be as easy to see as the first."""

SHORT_SAMPLES = 5

PROBE_ITERATIONS = 9
CRAWLING_RATE = 2.0**-18
CRAWLING_ITERATIONS = 41
"""No round number: thirty updates and ten of a tenth of the rate are thirty-one here, up to rounding."""

MAGNIFICATION = 2.0**15
"""A power of two near 3e4: gradients 1e9 times as large, and not one digit of the iterates another."""

SETTLING_ITERATIONS = 1024
SETTLING_RATE = 0.02
"""What the slowest component loses in one update: in the end the usual stopping rules have fired, also that after 1000
iterations, and 1e-9 is left."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a variant must accept to be probed with it.

    Attributes:
        n_samples: N.
        n_features: D.
        n_outputs: M.
        bias: whether there is one.
        batch: the number of regressions, or ``None`` for a single one without a batch dimension.
    """

    n_samples: int
    n_features: int
    n_outputs: int
    bias: bool
    batch: int | None

    def __str__(self) -> str:
        batch = "" if self.batch is None else f"{self.batch} x "
        return f"{batch}{self.n_samples} x {self.n_features} -> {self.n_outputs}{' + bias' if self.bias else ''}"


def shapes_for(problem: Problem, *, short: bool) -> Iterator[Shape]:
    """The probe's shapes from the one that tells most apart down to the plainest.

    Args:
        problem: the cell's own problem; a batched one is probed batched.
        short: for bfloat16, in which a sum of eleven terms already hides too much.
    """
    n, d, m = (SHORT_SAMPLES, 3, 4) if short else (11, 5, 3)
    batch = BATCH if problem.x.ndim > 2 else None
    for features, outputs in ((d, m), (d, 1), (1, 1)):
        for bias in (True, False):
            yield Shape(n, features, outputs, bias, batch)


@lru_cache
def probe(shape: Shape) -> Problem:
    """The probe of that shape; the same one every time."""
    return _made(shape, seed=20191123)


@lru_cache
def other_data(shape: Shape, dtype: Dtype) -> Problem:
    """Other data, another start and another learning rate in the same shape, with every digit that the dtype holds."""
    return _made(shape, seed=19471206, dtype=dtype)


def magnified(problem: Problem) -> Problem:
    """The same problem in another unit of the data: exactly the same iterates from gradients 2**30 times as large."""
    return replace(problem, x=problem.x * MAGNIFICATION, y=problem.y * MAGNIFICATION, lr=problem.lr / MAGNIFICATION**2)


@lru_cache
def crawling(shape: Shape) -> Problem:
    """The probe with so small a learning rate that a rule for plateaus takes the loss for level."""
    made = probe(shape)
    return replace(made, lr=made.lr * CRAWLING_RATE)


@lru_cache
def settling(shape: Shape) -> Problem:
    """A realisable problem of that shape, whose exact optimum every update moves towards for `SETTLING_ITERATIONS`.

    Its targets are exact in float32 and longer formats only.
    """
    random = np.random.Generator(np.random.PCG64(20260301))
    leading = () if shape.batch is None else (shape.batch,)
    n, d, m = shape.n_samples, shape.n_features, shape.n_outputs
    # Orthogonal columns of unequal lengths, far from zero mean: the eigenvalues are chosen, none by chance.
    waves = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(1, d + 1)) / n)
    lengths = 0.25 * 4.0 ** (np.arange(d) / max(d - 1, 1))
    x = np.broadcast_to(np.round(64 * lengths * waves) / 64, (*leading, n, d))
    goal_w = random.integers(-8, 9, (*leading, m, d)) / 8
    goal_b = random.integers(-8, 9, (*leading, m)) / 8 if shape.bias else None
    y = x @ goal_w.swapaxes(-1, -2) + (0.0 if goal_b is None else goal_b[..., np.newaxis, :])
    w0 = _short(random.uniform(2, 3, (*leading, m, d)))
    b0 = _short(random.uniform(2, 3, (*leading, m))) if shape.bias else None
    at_rest = Problem(x, y, w0, b0, 1.0)
    lr = float(_short(np.asarray(SETTLING_RATE / System.of(at_rest).eigen[0].min())))
    return Problem(x, y, w0, b0, lr)


def _made(shape: Shape, seed: int, dtype: Dtype = SHORTEST) -> Problem:
    random = np.random.Generator(np.random.PCG64(seed))
    leading = () if shape.batch is None else (shape.batch,)
    n, d, m = shape.n_samples, shape.n_features, shape.n_outputs
    scales = 0.25 + 0.5 * np.arange(d) / max(d - 1, 1)
    offsets = 1.0 + 0.75 * np.arange(d)[::-1] / max(d - 1, 1)
    x = rounded(offsets + scales * np.clip(random.standard_normal((*leading, n, d)), -2, 2), dtype)
    # Targets on the far side of the start, so that the residuals of the first step all have one sign and little of the
    # gradient cancels: that is where the smallest error in its scale shows.
    short = n == SHORT_SAMPLES
    y = rounded((-24.0 if short else -6.0) + 1.5 * random.standard_normal((*leading, n, m)), dtype)
    w0 = rounded(random.uniform(0.125, 0.5, (*leading, m, d)), dtype)
    b0 = rounded(random.uniform(0.125, 0.5, (*leading, m)), dtype) if shape.bias else None
    at_rest = Problem(x, y, w0, b0, 1.0)
    fraction = SHORT_STEP_FRACTION if short else STEP_FRACTION
    lr = float(rounded(np.asarray(fraction / System.of(at_rest).largest_eigenvalue), dtype))
    return Problem(x, y, w0, b0, lr)


def _short(values: FloatArray) -> FloatArray:
    return rounded(values, SHORTEST)
