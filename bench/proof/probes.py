"""The probes: small problems made so that faults show and can be told apart. They are the problem ``probe`` in tables.

N, D and M are pairwise coprime and none equals 2; the columns of x have unequal scales and offsets; y is not
realisable; the start is random. Every number is a short binary fraction, the same in every dtype that uses the probe.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.dtypes import DTYPES, FloatArray, rounded
from bench.oracle.system import System
from bench.problems.problem import Problem

BATCH = 4
STEP_FRACTION = 0.37
"""lr = 0.37/lambda_max: far from the limit, and no factor of it is a round number."""

SHORT_STEP_FRACTION = 0.11
"""The same for a probe of a bfloat16 cell, in which the second step must be as easy to see as the first."""

SHORT_SAMPLES = 5

PROBE_ITERATIONS = 9


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


def _made(shape: Shape, seed: int) -> Problem:
    random = np.random.Generator(np.random.PCG64(seed))
    leading = () if shape.batch is None else (shape.batch,)
    n, d, m = shape.n_samples, shape.n_features, shape.n_outputs
    scales = 0.25 + 0.5 * np.arange(d) / max(d - 1, 1)
    offsets = 1.0 + 0.75 * np.arange(d)[::-1] / max(d - 1, 1)
    x = _short(offsets + scales * np.clip(random.standard_normal((*leading, n, d)), -2, 2))
    # Targets on the far side of the start, so that the residuals of the first step all have one sign and little of the
    # gradient cancels: that is where the smallest error in its scale shows.
    short = n == SHORT_SAMPLES
    y = _short((-24.0 if short else -6.0) + 1.5 * random.standard_normal((*leading, n, m)))
    w0 = _short(random.uniform(0.125, 0.5, (*leading, m, d)))
    b0 = _short(random.uniform(0.125, 0.5, (*leading, m))) if shape.bias else None
    at_rest = Problem(x, y, w0, b0, 1.0)
    fraction = SHORT_STEP_FRACTION if short else STEP_FRACTION
    lr = float(_short(np.asarray(fraction / System.of(at_rest).largest_eigenvalue)))
    return Problem(x, y, w0, b0, lr)


def _short(values: FloatArray) -> FloatArray:
    return rounded(values, DTYPES["bfloat16"])
