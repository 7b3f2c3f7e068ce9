"""A least-squares problem as a linear system: the parameters stacked into one matrix, the gradient an affine map.

With A = [x 1], theta = [w.T; b] and c = 1/(N M), the objective is c * sum((A theta - y)**2), its gradient
H theta - q with H = 2c A^T A and q = 2c A^T y, and one update theta - lr (H theta - q). Leading batch dimensions
are carried along everywhere.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bench.dtypes import FloatArray
from bench.problems.problem import Problem

LongArray = npt.NDArray[np.longdouble]
"""Numbers in the longest format that the processor computes in (64 bits of mantissa on x86)."""

LONG_UNIT_ROUNDOFF = float(np.finfo(np.longdouble).eps) / 2


def stacked(w: npt.ArrayLike, b: npt.ArrayLike | None) -> LongArray:
    """Weights (..., M, D) and bias (..., M) as one matrix (..., D + 1, M); (..., D, M) where there is no bias."""
    weights = np.asarray(w, dtype=np.longdouble).swapaxes(-1, -2)
    if b is None:
        return weights
    return np.concatenate([weights, np.asarray(b, dtype=np.longdouble)[..., np.newaxis, :]], axis=-2)


def size(values: LongArray | FloatArray) -> FloatArray:
    """|values|, in float64."""
    absolute: FloatArray = np.abs(values).astype(np.float64)
    return absolute


@dataclass(frozen=True, slots=True)
class AffineMap:
    """The matrices of the update theta - lr (H theta - q) alone.

    Attributes:
        hessian: H, (..., P, P).
        linear: q, (..., P, M).
    """

    hessian: LongArray
    linear: LongArray

    @property
    def n_parameters(self) -> int:
        """P."""
        return int(self.hessian.shape[-1])


@dataclass(frozen=True)
class System:
    """The matrices of one problem, in long arithmetic, with what its bounds need in float64.

    Attributes:
        design: A = [x 1], (..., N, P), P = D + 1 with a bias and D without.
        targets: y, (..., N, M).
        has_bias: whether the last row of theta is the bias.
    """

    design: LongArray
    targets: LongArray
    has_bias: bool

    @classmethod
    def of(cls, problem: Problem) -> "System":
        """The system of a problem whose arrays are float64."""
        x = np.asarray(problem.x, dtype=np.longdouble)
        has_bias = problem.b0 is not None
        design = np.concatenate([x, np.ones((*x.shape[:-1], 1), np.longdouble)], axis=-1) if has_bias else x
        return cls(design, np.asarray(problem.y, dtype=np.longdouble), has_bias)

    @property
    def n_samples(self) -> int:
        """N."""
        return int(self.design.shape[-2])

    @property
    def n_parameters(self) -> int:
        """P: the features, and one for the bias."""
        return int(self.design.shape[-1])

    @property
    def n_outputs(self) -> int:
        """M."""
        return int(self.targets.shape[-1])

    @cached_property
    def scale(self) -> np.longdouble:
        """2c = 2/(N M)."""
        return np.longdouble(2) / np.longdouble(self.n_samples * self.n_outputs)

    @cached_property
    def hessian(self) -> LongArray:
        """H = 2c A^T A, (..., P, P)."""
        product: LongArray = self.scale * (self.design.swapaxes(-1, -2) @ self.design)
        return product

    @cached_property
    def linear(self) -> LongArray:
        """Q = 2c A^T y, (..., P, M)."""
        product: LongArray = self.scale * (self.design.swapaxes(-1, -2) @ self.targets)
        return product

    def with_row(self, row: int, x: FloatArray, y: FloatArray) -> AffineMap:
        """H and q with another row of data, without a pass over all of them.

        Args:
            row: which, counted through the leading batch dimensions.
            x: the row of features that stands there instead, (D,).
            y: its targets, (M,).
        """
        *batch, sample = np.unravel_index(row, self.design.shape[:-1])
        place = (*batch, sample)
        hessian, linear = self.hessian.copy(), self.linear.copy()
        before, after = self.design[place], self.design[place].copy()
        after[: len(x)] = x
        hessian[tuple(batch)] += self.scale * (np.outer(after, after) - np.outer(before, before))
        linear[tuple(batch)] += self.scale * (
            np.outer(after, np.asarray(y, np.longdouble)) - np.outer(before, self.targets[place])
        )
        return AffineMap(hessian, linear)

    @cached_property
    def eigen(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues (..., P), ascending, and orthonormal eigenvectors (..., P, P) of H, in float64."""
        values, vectors = np.linalg.eigh(self.hessian.astype(np.float64))
        return np.maximum(values, 0.0), vectors

    @cached_property
    def size_of_design(self) -> FloatArray:
        """|A| in float64, (..., N, P)."""
        return np.abs(self.design).astype(np.float64)

    @cached_property
    def size_of_targets(self) -> FloatArray:
        """|y| in float64, (..., N, M)."""
        return np.abs(self.targets).astype(np.float64)

    @property
    def largest_eigenvalue(self) -> float:
        """lambda_max of H; the largest of a batch."""
        return float(self.eigen[0].max())

    @property
    def largest_learning_rate(self) -> float:
        """2/lambda_max: gradient descent converges from every start exactly when 0 < lr < this."""
        return 2.0 / self.largest_eigenvalue if self.largest_eigenvalue > 0 else np.inf

    def residual(self, theta: LongArray) -> LongArray:
        """A theta - y, (..., N, M)."""
        product: LongArray = self.design @ theta - self.targets
        return product

    def gradient(self, theta: LongArray) -> LongArray:
        """The exact gradient at theta, (..., P, M)."""
        product: LongArray = self.scale * (self.design.swapaxes(-1, -2) @ self.residual(theta))
        return product

    def objective(self, theta: LongArray) -> LongArray:
        """The mean squared residual, per regression of a batch: shape (...)."""
        total: LongArray = np.square(self.residual(theta)).sum(axis=(-1, -2)) * self.scale / 2
        return total

    @cached_property
    def optimum(self) -> LongArray:
        """A least-squares solution, the one of least norm where there are many, to about float64 accuracy."""
        values, vectors = self.eigen
        usable = values > values.max(axis=-1, keepdims=True) * 1e-14
        inverse = np.where(usable, 1.0 / np.where(usable, values, 1.0), 0.0)
        v = vectors.astype(np.longdouble)
        solution: LongArray = v @ (inverse[..., np.newaxis] * (v.swapaxes(-1, -2) @ self.linear))
        for _ in range(2):
            solution = solution - v @ (inverse[..., np.newaxis] * (v.swapaxes(-1, -2) @ self.gradient(solution)))
        return solution
