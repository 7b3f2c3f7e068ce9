"""Gradient descent in PyTorch with one mistake each, as people make them, and without one."""

import torch
from torch.nn.functional import mse_loss

from bench import Descent, Problem


def right(problem: Problem, n_iters: int) -> Descent:
    """No mistake."""
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    parameters = [p for p in (w, b) if p is not None]
    for _ in range(n_iters):
        prediction = problem.x @ w.T if b is None else problem.x @ w.T + b
        gradients = torch.autograd.grad(mse_loss(prediction, problem.y), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(problem.lr * gradient)
    return Descent(w.detach(), None if b is None else b.detach())


def no_zero_grad(problem: Problem, n_iters: int) -> Descent:
    """backward() adds to what the step before left in grad."""
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    for _ in range(n_iters):
        y_pred = problem.x @ w.T if b is None else problem.x @ w.T + b
        loss = ((y_pred - problem.y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= problem.lr * w.grad
            if b is not None:
                b -= problem.lr * b.grad
    return Descent(w.detach(), None if b is None else b.detach())


def backward_twice(problem: Problem, n_iters: int) -> Descent:
    """Two backward passes for one update."""
    w = torch.nn.Parameter(problem.w0.clone())
    b = None if problem.b0 is None else torch.nn.Parameter(problem.b0.clone())
    optimizer = torch.optim.SGD([p for p in (w, b) if p is not None], lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        y_pred = problem.x @ w.T if b is None else problem.x @ w.T + b
        loss = mse_loss(y_pred, problem.y)
        loss.backward(retain_graph=True)
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), None if b is None else b.detach())


def zeroed_before_the_step(problem: Problem, n_iters: int) -> Descent:
    """The optimizer steps along gradients that have just been zeroed."""
    w = torch.nn.Parameter(problem.w0.clone())
    b = None if problem.b0 is None else torch.nn.Parameter(problem.b0.clone())
    optimizer = torch.optim.SGD([p for p in (w, b) if p is not None], lr=problem.lr)
    for _ in range(n_iters):
        y_pred = problem.x @ w.T if b is None else problem.x @ w.T + b
        mse_loss(y_pred, problem.y).backward()
        optimizer.zero_grad()
        optimizer.step()
    return Descent(w.detach(), None if b is None else b.detach())


def maximises(problem: Problem, n_iters: int) -> Descent:
    """The optimizer was told to maximise."""
    w = torch.nn.Parameter(problem.w0.clone())
    b = None if problem.b0 is None else torch.nn.Parameter(problem.b0.clone())
    optimizer = torch.optim.SGD([p for p in (w, b) if p is not None], lr=problem.lr, maximize=True)
    for _ in range(n_iters):
        optimizer.zero_grad()
        y_pred = problem.x @ w.T if b is None else problem.x @ w.T + b
        mse_loss(y_pred, problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), None if b is None else b.detach())


def sum_of_squares(problem: Problem, n_iters: int) -> Descent:
    """The loss is the sum of the squares."""
    w = problem.w0.clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    for _ in range(n_iters):
        y_pred = problem.x @ w.T if b is None else problem.x @ w.T + b
        mse_loss(y_pred, problem.y, reduction="sum").backward()
        with torch.no_grad():
            for parameter in (w, b):
                if parameter is not None:
                    parameter.sub_(problem.lr * parameter.grad)
                    parameter.grad.zero_()
    return Descent(w.detach(), None if b is None else b.detach())


def scales_x_in_place(problem: Problem, n_iters: int) -> Descent:
    """Divides the caller's own data by their largest value."""
    x = problem.x
    x /= x.abs().max()
    return right(problem, n_iters)
