"""Two loops in PyTorch, with a manual update and with torch.optim: what is timed bare, and the variants made of it."""

from typing import Any

import torch

from bench import Descent, Problem
from gd_impls.as_published.shapes import only_a_line_through_the_origin

Arguments = tuple[Any, ...]


def started(problem: Problem) -> Arguments:
    """What the loop with a manual update takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    return problem.x, problem.y, problem.w0.clone().requires_grad_(), problem.lr


def iterate(x: Any, y: Any, w: Any, lr: float, n_iters: int) -> None:
    """Gradient descent in place: autograd finds the gradient, the update is written out."""
    for _ in range(n_iters):
        loss = ((x @ w.T - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            w.grad.zero_()


def manual(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started(problem)
    iterate(*arguments, n_iters)
    return Descent(arguments[2].detach(), None, None)


def started_module(problem: Problem) -> Arguments:
    """What the loop with torch.optim takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    model = torch.nn.Linear(1, 1, bias=False, dtype=problem.x.dtype)
    model.load_state_dict({"weight": problem.w0})
    return model, torch.nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=problem.lr), problem.x, problem.y


def iterate_module(model: Any, loss_function: Any, optimizer: Any, x: Any, y: Any, n_iters: int) -> None:
    """Gradient descent in place: the training loop of PyTorch's tutorials."""
    for _ in range(n_iters):
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def module(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started_module(problem)
    iterate_module(*arguments, n_iters)
    return Descent(arguments[0].weight.detach(), None, None)
