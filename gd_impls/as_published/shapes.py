"""The problems that the published cells can do."""

from bench import Problem, Unsupported
from bench.problems.problem import Array


def only_a_line_through_the_origin(problem: Problem) -> None:
    """Decline all but one feature and one output without a bias, which is what the scalar cells have."""
    if problem.x.ndim != 2 or problem.w0.shape[-2:] != (1, 1) or problem.b0 is not None:
        raise Unsupported("the published cell is for one feature and one output, without a bias or a batch")


def only_a_line_with_a_bias(problem: Problem) -> None:
    """Decline all but one feature and one output with a bias, which is what nn.Linear(1, 1) has."""
    if problem.x.ndim != 2 or problem.w0.shape[-2:] != (1, 1) or problem.b0 is None:
        raise Unsupported("the published cell is for one feature and one output with a bias, without a batch")


def bias_of_one_regression(problem: Problem) -> Array:
    """The start of the bias; a batch of regressions is declined, and so is a model without a bias."""
    if problem.x.ndim != 2 or problem.b0 is None:
        raise Unsupported("the published cell is for one regression with a bias")
    return problem.b0
