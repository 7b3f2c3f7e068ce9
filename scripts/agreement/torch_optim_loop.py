"""The training loop of PyTorch's tutorials: what is timed bare, and the variant made of it."""

from typing import Any

import torch

from bench import Descent, Problem
from gd_impls.as_published.shapes import only_a_line_through_the_origin


def started(problem: Problem) -> tuple[Any, ...]:
    """What the loop takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    model = torch.nn.Linear(1, 1, bias=False, dtype=problem.x.dtype)
    model.load_state_dict({"weight": problem.w0})
    return model, torch.optim.SGD(model.parameters(), lr=problem.lr), problem.x, problem.y


def iterate(n_iters: int, model: Any, optimizer: Any, x: Any, y: Any) -> None:
    """Gradient descent in place, by a module, a loss function and an optimiser."""
    loss_function = torch.nn.MSELoss()
    for _ in range(n_iters):
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def descend(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started(problem)
    iterate(n_iters, *arguments)
    return Descent(arguments[0].weight.detach(), None, None)
