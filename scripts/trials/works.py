"""The loops that are compared, each with room for products that make an iteration longer by a given share."""

from dataclasses import dataclass
from pathlib import Path

HEAD = '''\
"""A loop with {rate} products of its own kind an iteration more."""

{imports}

from bench import Descent, Problem, Unsupported, variant


def refuse(problem: Problem) -> None:
    if problem.b0 is not None or problem.x.ndim > 2:
        raise Unsupported("one regression without a bias")

'''
IMPORTS = {"numpy": "import numpy as np", "torch": "import torch"}
LOOPS = {
    "numpy": '''
@variant("{name}", backend="numpy")
def loop(problem: Problem, n_iters: int) -> Descent:
    """As published: residual, mean, gradient by hand."""
    refuse(problem)
    x, y, w = problem.x, problem.y, problem.w0.copy()
    losses, owed = np.empty(n_iters, x.dtype), 0.5
    for k in range(n_iters):
        residual = x @ w.T - y
        losses[k] = (residual * residual).mean()
        w -= problem.lr * (2 / y.size * residual.T @ x)
        owed += {rate}
        while owed >= 1.0:
            owed -= 1.0
            x @ w.T
    return Descent(w, None, losses)
''',
    "torch": '''
@variant("{name}", backend="torch")
def loop(problem: Problem, n_iters: int) -> Descent:
    """Autograd, and a manual update."""
    refuse(problem)
    x, y = problem.x, problem.y
    w, owed = problem.w0.clone().requires_grad_(), 0.5
    for _ in range(n_iters):
        ((x @ w.T - y) ** 2).mean().backward()
        with torch.no_grad():
            w -= problem.lr * w.grad
            w.grad = None
        owed += {rate}
        while owed >= 1.0:
            owed -= 1.0
            x @ w.T
    return Descent(w.detach())
''',
    "matmul": '''
@variant("{name}", backend="numpy")
def loop(problem: Problem, n_iters: int) -> Descent:
    """Normal equations of matrix products over many samples."""
    refuse(problem)
    x, y, w, owed = problem.x, problem.y, problem.w0.copy(), 0.5
    for _ in range(n_iters):
        w -= problem.lr * 2 / y.size * ((x @ w.T - y).T @ x)
        owed += {rate}
        while owed >= 1.0:
            owed -= 1.0
            x @ w.T
    return Descent(w)
''',
}


@dataclass(frozen=True, slots=True)
class Work:
    """One loop and the problem that it is compared on."""

    name: str
    loop: str
    backend: str
    problem: str


WORKS = (
    Work("numpy as published", "numpy", "numpy", "line-4"),
    Work("torch manual", "torch", "torch", "line-4"),
    Work("matmul", "matmul", "numpy", "gaussian:n=200,d=10,bias=no"),
)


def source(work: Work, name: str, rate: float = 0.0) -> str:
    """The module of a work with so many products an iteration more."""
    return (HEAD + LOOPS[work.loop]).format(name=name, rate=rate, imports=IMPORTS[work.backend])


def write(folder: Path, work: Work, name: str, rate: float = 0.0) -> str:
    """Write the module of a work; gives its target."""
    path = folder / f"{name}.py"
    path.write_text(source(work, name, rate), encoding="utf-8")
    return f"{path}:loop"
