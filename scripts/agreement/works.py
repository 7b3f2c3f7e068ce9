"""What is timed: five loops, each a variant for gdbench and the same loop bare for every other tool."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Work:
    """One loop.

    Attributes:
        name: on the command line and in the table.
        says: what it is.
        file: the module of this folder that holds it.
        variant: its function that keeps the contract of a variant.
        started: its function that makes what the bare loop takes.
        iterate: the bare loop.
        backend: what its arrays are.
        problem: as gdbench names it.
        n_iters: iterations of one call of the bare loop, about 1 ms.
    """

    name: str
    says: str
    file: str
    variant: str
    started: str
    iterate: str
    backend: str
    problem: str
    n_iters: int

    @property
    def target(self) -> str:
        """The variant as `gdbench time` takes it."""
        return f"{FOLDER / self.file}.py:{self.variant}"


LINE = "line-4"
LONG_LINE = "gaussian:n=400000,d=1,m=1,bias=no"

WORKS = {
    work.name: work
    for work in (
        Work(
            "numba", "a loop that numba compiles", "numba_loops", "compiled", "started", "iterate", "numpy", LINE, 10**5
        ),
        Work("numpy", "NumPy as published", "numpy_loops", "published", "started", "iterate", "numpy", LINE, 150),
        Work("torch-manual", "autograd, manual update", "torch_loops", "manual", "started", "iterate", "torch", LINE, 20),
        Work(
            "torch-optim",
            "nn.Linear and torch.optim.SGD",
            "torch_loops",
            "module",
            "started_module",
            "iterate_module",
            "torch",
            LINE,
            15,
        ),
        Work(
            "numpy-long",
            "NumPy as published, on 400 000 samples",
            "numpy_loops",
            "published",
            "started",
            "iterate",
            "numpy",
            LONG_LINE,
            1,
        ),
    )
}


@cache
def prepared(name: str) -> Callable[[], None]:
    """A call of a bare loop, ready to be timed: imported, compiled, with its arrays made.

    Each call goes on where the one before ended; at the optimum an iteration costs what it costs elsewhere.
    """
    from bench import Problem  # noqa: PLC0415 - the command line needs only the names
    from bench.problems.catalogue import find  # noqa: PLC0415

    work = WORKS[name]
    module = importlib.import_module(f"scripts.agreement.{work.file}")
    given = find(work.problem).problem
    problem = given if work.backend == "numpy" else Problem(*map(_tensor, (given.x, given.y, given.w0)), None, given.lr)
    arguments: tuple[Any, ...] = getattr(module, work.started)(problem)
    iterate: Callable[..., None] = getattr(module, work.iterate)
    iterate(*arguments, 1)
    n_iters = work.n_iters

    def call() -> None:
        iterate(*arguments, n_iters)

    return call


def _tensor(array: Any) -> Any:
    import torch  # noqa: PLC0415 - only for the works that are written for it

    return torch.tensor(array)
