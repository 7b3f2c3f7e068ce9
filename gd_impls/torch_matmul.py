"""Matrix-product regression in PyTorch: one regression with ``@``, a whole batch of them with ``bmm``."""

import torch

from bench import Descent, Problem, Unsupported, variant


@variant("torch-matmul", backend="torch", family="matmul")
def torch_matmul(problem: Problem, n_iters: int) -> Descent:
    """The model written as ``x @ w.T + b``, differentiated by ``torch.autograd.grad``.

    With theta the parameters w and (where the problem has one) b::

        theta <- theta - lr * grad(loss)(theta),     loss = mean((x w^T + b - y)^2)

    ``autograd.grad`` returns the gradients, where ``backward`` adds them to ``grad``: there is nothing to zero.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    if x.ndim != 2:
        raise Unsupported("one regression at a time, without a batch dimension; torch-bmm takes a whole batch")
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    parameters = [w] if b is None else [w, b]
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        prediction = x @ w.T if b is None else x @ w.T + b
        loss = ((prediction - y) ** 2).mean()
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            losses[k] = loss
            w -= lr * gradients[0]
            if b is not None:
                b -= lr * gradients[1]
    return Descent(w.detach(), None if b is None else b.detach(), losses)


@variant("torch-bmm", backend="torch", family="batched")
def torch_bmm(problem: Problem, n_iters: int) -> Descent:
    """B independent regressions in one call: a batched matrix product and one gradient of the summed losses.

    Regression i has its own loss, the mean over its own N M residuals, and no other loss depends on its weights;
    the gradient of the sum is therefore each regression's own gradient::

        w[i] <- w[i] - lr * d(sum over j of loss[j]) / d w[i]  =  w[i] - lr * d loss[i] / d w[i]

    Autograd makes that visible in one line, ``loss.sum()``; the mean of the losses would be B times too small a step.
    The gradient written out with batched products is numpy-batched.
    """
    x, y, lr = problem.x, problem.y, problem.lr
    if x.ndim != 3:
        raise Unsupported("torch.bmm needs exactly one batch dimension, x (B, N, D); torch-matmul takes one regression")
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    parameters = [w] if b is None else [w, b]
    losses = x.new_empty(n_iters, len(x))
    for k in range(n_iters):
        prediction = torch.bmm(x, w.mT) if b is None else torch.baddbmm(b.unsqueeze(1), x, w.mT)
        loss = ((prediction - y) ** 2).mean(dim=(1, 2))
        gradients = torch.autograd.grad(loss.sum(), parameters)
        with torch.no_grad():
            losses[k] = loss
            w -= lr * gradients[0]
            if b is not None:
                b -= lr * gradients[1]
    return Descent(w.detach(), None if b is None else b.detach(), losses)
