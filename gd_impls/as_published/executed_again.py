"""Cells of a notebook that were executed more often than they stand in it."""

import torch

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import bias_of_one_regression

_kernel: dict[str, torch.Tensor] = {}
"""The variables that a notebook's kernel keeps from one execution to the next."""


@variant("notebook-004-update-twice", backend="torch", family="as-published", expect="scale.double")
def notebook_004_update_twice(problem: Problem, n_iters: int) -> Descent:
    """Notebook 004, its first update: the cell that subtracts the gradient was executed twice on one backward.

    The loss it prints goes from 21231.46 to 11332.55, and the parameters are w - 2 lr g of the start. One iteration
    here is those cells in the order in which they were executed; the step is that of a gradient twice too large.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    w = problem.w0.clone().requires_grad_()
    b = bias_of_one_regression(problem).clone().requires_grad_()
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        residual = x @ w.t() + b - y
        loss = torch.sum(residual * residual) / residual.numel()
        loss.backward()
        with torch.no_grad():
            losses[k] = loss
            for _ in range(2):
                w -= w.grad * lr
                b -= b.grad * lr
            w.grad.zero_()
            b.grad.zero_()
    return Descent(w.detach(), b.detach(), losses)


@variant("notebook-004-session", backend="torch", family="as-published", expect="leak.warm-start")
def notebook_004_session(problem: Problem, n_iters: int) -> Descent:
    """Notebook 004, its loop of 500 in the kernel that ran it: it goes on from what was executed before.

    The loss of 5.9635 and the first prediction of (57.2448, 70.2242) that follow the loop are those of 801 updates, of
    which 301 were made by executions that the notebook does not show. The loop itself is right: ``notebook-004-loop``.
    """
    w0, b0 = problem.w0, bias_of_one_regression(problem)
    if "w" not in _kernel or _kernel["w"].shape != w0.shape or _kernel["w"].dtype != w0.dtype:
        _kernel["w"], _kernel["b"] = w0.clone().requires_grad_(), b0.clone().requires_grad_()
    x, y, lr, w, b = problem.x, problem.y, problem.lr, _kernel["w"], _kernel["b"]
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        residual = x @ w.t() + b - y
        loss = torch.sum(residual * residual) / residual.numel()
        loss.backward()
        with torch.no_grad():
            losses[k] = loss
            w -= w.grad * lr
            b -= b.grad * lr
            w.grad.zero_()
            b.grad.zero_()
    return Descent(w.detach().clone(), b.detach().clone(), losses)
