"""The PyTorch cells that compute what they say: gradient descent."""

import torch

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import (
    bias_of_one_regression,
    only_a_line_through_the_origin,
    only_a_line_with_a_bias,
)


@variant("notebook-001-optimizer", backend="torch", family="as-published")
def notebook_001_optimizer(problem: Problem, n_iters: int) -> Descent:
    """Notebook 001, optimizer cell: one number W, nn.MSELoss and torch.optim.SGD.

    It prints w = 0.300 to 1.606 and a loss of 30 to 1.60939169 in ten epochs.
    """
    only_a_line_through_the_origin(problem)
    x, y = problem.x[:, 0], problem.y[:, 0]
    w = problem.w0[0, 0].clone().requires_grad_()
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD([w], lr=problem.lr)
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = loss_function(y, w * x)
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return Descent(w.detach().reshape(1, 1), None, losses)


@variant("notebook-001-linear", backend="torch", family="as-published")
def notebook_001_linear(problem: Problem, n_iters: int) -> Descent:
    """Notebook 001, nn.Linear cell: weight and bias of one feature, nn.MSELoss and torch.optim.SGD.

    It prints ten rows of 1000 epochs at lr 0.001, w = -0.378 to 1.719. Its random start was not printed; the table
    has it all the same, and ``linear-4-lr0.001`` starts there.
    """
    only_a_line_with_a_bias(problem)
    x, y = problem.x, problem.y
    model = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1, device=x.device, dtype=x.dtype)
    model.load_state_dict({"weight": problem.w0, "bias": problem.b0})
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = loss_function(y, model(x))
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return Descent(model.weight.detach(), model.bias.detach(), losses)


@variant("notebook-003-autograd", backend="torch", family="as-published")
def notebook_003_autograd(problem: Problem, n_iters: int) -> Descent:
    """Notebook 003, autograd cell: backward, an update without recording, and the gradient zeroed in place.

    It prints w = 0.300 after one epoch and 2.000 after 61: as many as the right gradient needs.
    """
    only_a_line_through_the_origin(problem)
    x, y = problem.x[:, 0], problem.y[:, 0]
    w = problem.w0[0, 0].clone().requires_grad_()
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = ((w * x - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            losses[k] = loss
            w -= problem.lr * w.grad
        w.grad.zero_()
    return Descent(w.detach().reshape(1, 1), None, losses)


@variant("notebook-004-loop", backend="torch", family="as-published")
def notebook_004_loop(problem: Problem, n_iters: int) -> Descent:
    """Notebook 004, the loop of its last training cell, run as often as it says.

    The cell says 500 times; what the notebook prints after it belongs to about 801 updates, and before the first of
    them one gradient had been used twice: ``notebook-004-session`` and ``notebook-004-update-twice``.
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
            w -= w.grad * lr
            b -= b.grad * lr
            w.grad.zero_()
            b.grad.zero_()
    return Descent(w.detach(), b.detach(), losses)
