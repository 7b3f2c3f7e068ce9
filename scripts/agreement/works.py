"""What is timed: five loops, each a variant for gdbench and the same loop bare for every other tool."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LINE = "line-4"
LONG_LINE = "gaussian:n=400000,d=1,m=1,bias=no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One loop.

    Attributes:
        name: on the command line and in the results.
        says: what it is.
        module: of this folder. Its ``started`` makes what its bare loop ``iterate`` takes; ``descend`` is the variant.
        backend: what its arrays are.
        problem: as gdbench names it.
        n_iters: iterations of one call of the bare loop, about 1 ms.
    """

    name: str
    says: str
    module: str
    backend: str = "numpy"
    problem: str = LINE
    n_iters: int

    @property
    def target(self) -> str:
        """The variant as `gdbench time` takes it."""
        return f"{FOLDER / self.module}.py:descend"


_ALL = (
    Work(name="numba", says="a loop that numba compiles", module="numba_loop", n_iters=100_000),
    Work(name="numpy", says="NumPy as published", module="numpy_loop", n_iters=150),
    Work(name="torch-manual", says="autograd, manual update", module="torch_manual_loop", backend="torch", n_iters=20),
    Work(name="torch-optim", says="nn.Linear and SGD", module="torch_optim_loop", backend="torch", n_iters=15),
    Work(name="numpy-long", says="NumPy, 400 000 samples", module="numpy_loop", problem=LONG_LINE, n_iters=1),
)
WORKS = {work.name: work for work in _ALL}


@cache
def prepared(name: str) -> Callable[[], None]:
    """A call of a bare loop, ready to be timed: imported, compiled, with its arrays made.

    Each call goes on where the one before ended; at the optimum an iteration costs what it costs elsewhere. Making the
    problem has freed arrays larger than any of the loop's, so that glibc no longer gives the loop's temporaries back to
    the kernel in every iteration: as in any program that has worked a while. In a process that has not, the loop of
    400 000 samples takes eight times as long, in page faults.
    """
    from bench import Problem  # noqa: PLC0415 - the command line needs only the names
    from bench.problems.catalogue import find  # noqa: PLC0415

    work = WORKS[name]
    module = importlib.import_module(f"scripts.agreement.{work.module}")
    given = find(work.problem).problem
    x, y, w0 = ((array if work.backend == "numpy" else _tensor(array)) for array in (given.x, given.y, given.w0))
    problem = Problem(x, y, w0, None, given.lr)
    arguments: tuple[Any, ...] = module.started(problem)
    iterate: Callable[..., None] = module.iterate
    iterate(1, *arguments)
    n_iters = work.n_iters

    def call() -> None:
        iterate(n_iters, *arguments)

    return call


def _tensor(array: Any) -> Any:
    import torch  # noqa: PLC0415 - only for the works that are written for it

    return torch.tensor(array)
