"""A loop in PyTorch with a manual update: what is timed bare, and the variant made of it."""

from typing import Any

import torch

from bench import Descent, Problem
from gd_impls.as_published.shapes import only_a_line_through_the_origin


def started(problem: Problem) -> tuple[Any, ...]:
    """What the loop takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    return problem.x, problem.y, problem.w0.clone().requires_grad_(), problem.lr


def iterate(n_iters: int, x: Any, y: Any, w: Any, lr: float) -> None:
    """Gradient descent in place: autograd finds the gradient, the update is written out."""
    for _ in range(n_iters):
        loss = ((x @ w.T - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            w.grad.zero_()


def descend(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started(problem)
    iterate(n_iters, *arguments)
    return Descent(arguments[2].detach(), None, None)
