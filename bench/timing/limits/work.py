"""What an iteration needs at least, by the shape of its problem, for each class of honest iteration."""

import math
from dataclasses import dataclass
from enum import StrEnum

from bench.problems.problem import Problem


class WorkClass(StrEnum):
    """How an iteration may come to its update, the most work first. The list is closed."""

    DATA = "pass over the data"
    STATISTICS = "sufficient statistics"
    UPDATE = "one dependent update"


@dataclass(frozen=True, slots=True)
class Work:
    """What one iteration of a class needs at least.

    Attributes:
        kind: the class.
        bytes_read: of x and y, or of what stands for them, each number once.
        operations: floating-point additions and multiplications; a fused one counts as two.
        dependent: operations of which each needs the result of the one before.
    """

    kind: WorkClass
    bytes_read: int
    operations: int
    dependent: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The extents of a problem: B regressions of N samples, D features and M outputs.

    >>> import numpy as np
    >>> Shape.of(Problem(np.ones((4, 1)), np.ones((4, 1)), np.ones((1, 1)), None, 0.1))
    Shape(regressions=1, samples=4, features=1, outputs=1, bias=False)
    """

    regressions: int
    samples: int
    features: int
    outputs: int
    bias: bool

    @classmethod
    def of(cls, problem: Problem) -> "Shape":
        """The extents of a problem."""
        *batch, samples, features = problem.x.shape
        return cls(math.prod(batch), samples, features, problem.y.shape[-1], problem.b0 is not None)


def works(shape: Shape, itemsize: int) -> tuple[Work, ...]:
    """The work of each class, in the order of `WorkClass`.

    A pass reads x and y once. Its residual takes 2NDM operations, and its gradient with the update as many; a bias is
    added N M times, and so often the residual is summed for it. Multiplying the weights, taking the residual's part
    of the gradient and updating each need the result of the one before: three fused operations.

    Sufficient statistics are the moments of the parameters, P by P and symmetric, and P by M; P is D, and one more with
    a bias. Where there are fewer samples than parameters, the products of the samples do as well, N by N. The update is
    affine: one product of matrices.

    Anything else that iterates (in the eigenvectors' basis, say) makes one update that depends on the one before.

    Args:
        shape: of the problem.
        itemsize: bytes of a number.

    >>> works(Shape(1, 4, 1, 1, bias=False), 8)[0]
    Work(kind=<WorkClass.DATA: 'pass over the data'>, bytes_read=64, operations=16, dependent=3)
    """
    many, samples, outputs = shape.regressions, shape.samples, shape.outputs
    parameters = shape.features + shape.bias
    rank = min(samples, parameters)
    return (
        Work(
            WorkClass.DATA,
            many * samples * (shape.features + outputs) * itemsize,
            many * samples * outputs * (4 * shape.features + 2 * shape.bias),
            3,
        ),
        Work(
            WorkClass.STATISTICS,
            many * (rank * (rank + 1) // 2 + rank * outputs) * itemsize,
            many * 2 * rank * rank * outputs,
            1,
        ),
        Work(WorkClass.UPDATE, 0, 1, 1),
    )
