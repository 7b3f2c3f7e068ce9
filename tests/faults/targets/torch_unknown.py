"""PyTorch loops that are wrong in ways for which there is no name: the verdict must be wrong, the cause unknown."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, trainable
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


def lbfgs(problem: Problem, n_iters: int) -> Descent:
    """optim.LBFGS, one outer step an iteration."""
    w, b = trainable(problem)
    optimizer = torch.optim.LBFGS(present(w, b), lr=problem.lr, max_iter=1)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        return loss

    for _ in range(n_iters):
        optimizer.step(closure)
    return Descent(w.detach(), detached(b))


def stochastic_weight_averaging(problem: Problem, n_iters: int) -> Descent:
    """Returns the average of the states, by AveragedModel."""
    model = linear_model(problem)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    averaged.update_parameters(model)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        averaged.update_parameters(model)
    return Descent(averaged.module.weight.detach(), detached(averaged.module.bias))


def exponential_moving_average(problem: Problem, n_iters: int) -> Descent:
    """Returns the moving average of the states."""
    w, b = problem.w0, problem.b0
    shadow_w, shadow_b = w, b
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        shadow_w = 0.9 * shadow_w + 0.1 * w
        if b is not None:
            b = b - problem.lr * db
            shadow_b = 0.9 * shadow_b + 0.1 * b
    return Descent(shadow_w.clone(), None if b is None else shadow_b.clone())


def l1_penalty(problem: Problem, n_iters: int) -> Descent:
    """mse + 0.02 |w|_1."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (mse_loss(linear(problem.x, w, b), problem.y) + 0.02 * w.abs().sum()).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def relu_at_the_end(problem: Problem, n_iters: int) -> Descent:
    """torch.relu on the output of a regression."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(torch.relu(model(problem.x)), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def tanh_at_the_end(problem: Problem, n_iters: int) -> Descent:
    """torch.tanh on the output of a regression."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(torch.tanh(linear(problem.x, w, b)), problem.y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def max_norm_constraint(problem: Problem, n_iters: int) -> Descent:
    """The weights are renormed to a length of 1 after each step."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        w = w / w.norm().clamp(min=1.0)
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def weight_normalised_model(problem: Problem, n_iters: int) -> Descent:
    """w = g v / |v|: descent on g and v moves w elsewhere."""
    v = problem.w0.clone().requires_grad_()
    g = problem.w0.norm(dim=1, keepdim=True).clone().requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    parameters = [v, g] if b is None else [v, g, b]
    optimizer = torch.optim.SGD(parameters, lr=problem.lr)

    def weights():
        return g * v / v.norm(dim=1, keepdim=True)

    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, weights(), b), problem.y).backward()
        optimizer.step()
    return Descent(weights().detach(), detached(b))


def gradient_centralised(problem: Problem, n_iters: int) -> Descent:
    """Each row of the gradient loses its mean."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * (dw - dw.mean(1, keepdim=True))
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def two_layers(problem: Problem, n_iters: int) -> Descent:
    """A second, square layer that starts as the identity is trained as well; its product is returned."""
    w, b = trainable(problem)
    m = len(problem.w0)
    outer = torch.eye(m, dtype=problem.x.dtype).requires_grad_()
    optimizer = torch.optim.SGD([*present(w, b), outer], lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b) @ outer.T, problem.y).backward()
        optimizer.step()
    return Descent((outer @ w).detach(), None if b is None else (outer @ b).detach())
