"""Gradient descent in PyTorch with the gradient found by autograd and every other step written out."""

import torch
from torch.nn.functional import linear

from bench import Descent, Problem, Unsupported, variant


@variant("torch-manual", backend="torch", family="manual")
def torch_manual(problem: Problem, n_iters: int) -> Descent:
    """Autograd finds the gradient; the update and the zeroing are done by hand.

    For each of the parameters p, w and (where the problem has one) b::

        p <- p - lr * d loss / d p,     loss = mean((x w^T + b - y)^2)

    The update is not part of the function to differentiate, hence ``no_grad``; ``backward`` adds to ``grad``, hence
    ``zero_``.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    if x.ndim != 2:
        raise Unsupported("one regression at a time, without a batch dimension; torch-bmm takes a whole batch")
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = ((linear(x, w, b) - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            losses[k] = loss
            w -= lr * w.grad
            w.grad.zero_()
            if b is not None:
                b -= lr * b.grad
                b.grad.zero_()
    return Descent(w.detach(), None if b is None else b.detach(), losses)
