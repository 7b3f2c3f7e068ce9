"""The parts of a torch descent that a fault leaves right: prediction, start, gradient, model. One regression."""

import torch
from torch.nn.functional import linear, mse_loss


def trainable(problem):
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    return w, b


def present(w, b):
    return [w] if b is None else [w, b]


def detached(b):
    return None if b is None else b.detach()


def linear_model(problem):
    """nn.Linear standing at the problem's start."""
    m, d = problem.w0.shape
    model = torch.nn.utils.skip_init(torch.nn.Linear, d, m, bias=problem.b0 is not None, dtype=problem.x.dtype)
    model.load_state_dict({"weight": problem.w0} | ({} if problem.b0 is None else {"bias": problem.b0}))
    return model


def gradients(x, y, w, b):
    """By hand, for loops that do without autograd."""
    slope = 2 / y.numel() * (linear(x, w, b) - y)
    return slope.T @ x, None if b is None else slope.sum(0)


def train(problem, n_iters, optimizer, w, b):
    """The three calls in their order; the fault is in the optimizer. Gives the losses."""
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        losses[k] = loss.detach()
        optimizer.step()
    return losses
