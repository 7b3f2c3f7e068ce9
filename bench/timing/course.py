"""What workers are sent while they are timed, alone or in turns."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.dtypes import Dtype
from bench.problems.problem import Problem
from bench.proof.subject import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The calls of a cell.

    Attributes:
        dtype: of the cell.
        fresh: the problem of call number ``index``: other inputs each time, the same for every worker.
        check: says what is wrong with an answer after n iterations from that problem, or ``None``.
        max_n: the most iterations that a call may ask for, at least 2.
        threads: that a worker's array library may use.
        on_cpu: whether the processor does the work.
    """

    dtype: Dtype
    fresh: Callable[[int], Problem]
    check: Callable[[Problem, int, Answer], str | None]
    max_n: int = 100_000
    threads: int = 1
    on_cpu: bool = True
