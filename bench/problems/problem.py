"""What a variant is given: the data, the start and the learning rate of one least-squares problem."""

from dataclasses import dataclass
from typing import Any

Array = Any
"""An array of the variant's own backend: numpy.ndarray, torch.Tensor, ..."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Minimise the mean squared residual of ``x @ w.T + b - y`` by gradient descent from ``(w0, b0)``.

    Shapes are those of ``torch.nn.Linear``. A problem may carry leading batch dimensions: B independent regressions.

    Attributes:
        x: features, (N, D) or (B, N, D).
        y: targets, (N, M) or (B, N, M).
        w0: the start of the weights, (M, D) or (B, M, D).
        b0: the start of the bias, (M,) or (B, M); ``None`` where the model has no bias.
        lr: the learning rate, a plain float.
    """

    x: Array
    y: Array
    w0: Array
    b0: Array | None
    lr: float


@dataclass(frozen=True, slots=True)
class ChangedProblem(Problem):
    """A problem whose data are another's but for one row: a worker that holds those needs the row alone.

    Attributes:
        base: the other problem.
        row: which row of x and of y differs, counted through the leading batch dimensions.
    """

    base: Problem
    row: int
