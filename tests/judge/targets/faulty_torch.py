"""Torch variants that break their contract, each in one way."""

from typing import Any

import torch

from bench import Descent, Problem


def in_place_x(problem: Problem, n_iters: int) -> Descent:
    problem.x.div_(2)
    return Descent(problem.w0.clone(), problem.b0)


def in_place_w0(problem: Problem, n_iters: int) -> Descent:
    w, b = problem.w0, problem.b0
    w -= 1
    return Descent(w, b)


def numpy_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.numpy(), problem.b0)


def float32_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.float(), problem.b0)


def sparse_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.to_sparse(), problem.b0)


def meta_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.to("meta"), problem.b0)


def item_losses(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0, problem.b0, [0.0] * n_iters)


def parameter_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(torch.nn.Parameter(problem.w0.clone()), problem.b0)


def too_large(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0 + torch.empty(1 << 60).sum(), problem.b0)


class Deceiving(torch.Tensor):  # type: ignore[misc]
    """A tensor that says it is empty; the plain one beneath it does not."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return torch.empty(0)


def deceiving_w(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.clone().as_subclass(Deceiving), problem.b0)
