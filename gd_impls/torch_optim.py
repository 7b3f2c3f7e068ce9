"""Gradient descent with PyTorch's own parts: a module or bare tensors, a loss function and an optimiser."""

import torch
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem, Unsupported, variant


@variant("torch-optim", backend="torch", family="optim")
def torch_optim(problem: Problem, n_iters: int) -> Descent:
    """nn.Linear, nn.MSELoss and torch.optim.SGD: the training loop of PyTorch's tutorials.

    SGD over all samples at once, without momentum or weight decay, is gradient descent::

        p <- p - lr * d loss / d p          for every p in model.parameters()

    ``skip_init`` leaves out nn.Linear's random start, since the problem's own is copied in.
    """
    x, y, w0, b0 = problem.x, problem.y, problem.w0, problem.b0
    if x.ndim != 2:
        raise Unsupported("nn.Linear has one weight matrix for the whole batch; torch-bmm takes a batch of regressions")
    n_outputs, n_features = w0.shape
    model = torch.nn.utils.skip_init(
        torch.nn.Linear, n_features, n_outputs, bias=b0 is not None, device=x.device, dtype=x.dtype
    )
    model.load_state_dict({"weight": w0} if b0 is None else {"weight": w0, "bias": b0})
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = loss_function(model(x), y)
        losses[k] = loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), None if b0 is None else model.bias.detach(), losses)


@variant("torch-optim-tensor", backend="torch", family="optim")
def torch_optim_tensor(problem: Problem, n_iters: int) -> Descent:
    """torch.optim.SGD over bare tensors: an optimiser needs no module, only a list of what it may change.

    ::

        p <- p - lr * d loss / d p          for p in w and (where the problem has one) b
    """
    x, y = problem.x, problem.y
    if x.ndim != 2:
        raise Unsupported("one regression at a time, without a batch dimension; torch-bmm takes a whole batch")
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    optimizer = torch.optim.SGD([w] if b is None else [w, b], lr=problem.lr)
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = mse_loss(linear(x, w, b), y)
        losses[k] = loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), None if b is None else b.detach(), losses)
