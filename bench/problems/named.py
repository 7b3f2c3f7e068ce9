"""A problem with a name: where it is from, and what is known of its answer."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.dtypes import FloatArray
from bench.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a problem's optimum.

    Attributes:
        w: the weights, (M, D).
        b: the bias, (M,), or ``None``.
        source: who says so.
    """

    w: FloatArray
    b: FloatArray | None
    source: str


@dataclass(frozen=True, slots=True)
class NamedProblem:
    """A problem with its name, its source and what is known of its answer.

    Attributes:
        problem: float64 NumPy arrays.
        answer: the published or obvious optimum; ``None`` where only the oracle knows.
    """

    name: str
    summary: str
    source: str
    problem: Problem
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: enough to list a problem without loading it.

    Attributes:
        default: whether ``gdbench run`` without ``--problem`` uses it.
        load: reads or generates the data; raises `bench.errors.UnavailableError` where the data is not here.
    """

    name: str
    summary: str
    source: str
    default: bool
    load: Callable[[], NamedProblem]


Loaded = tuple[Problem, Answer | None]
"""What the modules beside this one give: a problem and what is known of its answer."""
