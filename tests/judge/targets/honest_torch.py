"""Honest torch variants, and the smallest one there is."""

import torch

from bench import Descent, Problem, variant


@variant("test-honest-torch", backend="torch")
def honest(problem: Problem, n_iters: int) -> Descent:
    """Gradient descent by autograd."""
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    parameters = [w] if b is None else [w, b]
    losses = torch.empty(n_iters, dtype=w.dtype, device=w.device)
    for k in range(n_iters):
        loss = torch.nn.functional.mse_loss(torch.nn.functional.linear(problem.x, w, b), problem.y)
        losses[k] = loss.detach()
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(gradient, alpha=problem.lr)
    return Descent(w, b, losses)


def start(problem: Problem, n_iters: int) -> Descent:
    return Descent(problem.w0.clone(), None if problem.b0 is None else problem.b0.clone())
