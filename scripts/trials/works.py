"""The loops that are compared, each with a spin that makes an iteration longer by a given share."""

from dataclasses import dataclass
from pathlib import Path

HEAD = '''\
"""A loop with a spin of {spin} an iteration."""

{imports}

from bench import Descent, Problem, Unsupported, variant


def refuse(problem: Problem) -> None:
    if problem.b0 is not None or problem.x.ndim > 2:
        raise Unsupported("one regression without a bias")


def extra() -> None:
    for _ in range({spin}):
        pass

'''
IMPORTS = {"numpy": "import numpy as np", "torch": "import torch"}
LOOPS = {
    "numpy": '''
@variant("{name}", backend="numpy")
def loop(problem: Problem, n_iters: int) -> Descent:
    """As published: residual, mean, gradient by hand."""
    refuse(problem)
    x, y, w = problem.x, problem.y, problem.w0.copy()
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        residual = x @ w.T - y
        losses[k] = (residual * residual).mean()
        w -= problem.lr * (2 / y.size * residual.T @ x)
        extra()
    return Descent(w, None, losses)
''',
    "torch": '''
@variant("{name}", backend="torch")
def loop(problem: Problem, n_iters: int) -> Descent:
    """Autograd, and a manual update."""
    refuse(problem)
    x, y = problem.x, problem.y
    w = problem.w0.clone().requires_grad_()
    for _ in range(n_iters):
        ((x @ w.T - y) ** 2).mean().backward()
        with torch.no_grad():
            w -= problem.lr * w.grad
            w.grad = None
        extra()
    return Descent(w.detach())
''',
    "matmul": '''
@variant("{name}", backend="numpy")
def loop(problem: Problem, n_iters: int) -> Descent:
    """Normal equations of matrix products over many samples."""
    refuse(problem)
    x, y, w = problem.x, problem.y, problem.w0.copy()
    for _ in range(n_iters):
        w -= problem.lr * 2 / y.size * ((x @ w.T - y).T @ x)
        extra()
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


def source(work: Work, name: str, spin: int = 0) -> str:
    """The module of a work with so much extra work."""
    return (HEAD + LOOPS[work.loop]).format(name=name, spin=spin, imports=IMPORTS[work.backend])


def write(folder: Path, work: Work, name: str, spin: int = 0) -> str:
    """Write the module of a work; gives its target."""
    path = folder / f"{name}.py"
    path.write_text(source(work, name, spin), encoding="utf-8")
    return f"{path}:loop"
