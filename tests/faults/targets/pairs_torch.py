"""PyTorch loops with two faults at once."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import dropout, l1_loss, linear, mse_loss

from bench import Descent, Problem

_MODELS = {}


def summed_and_never_zeroed(problem: Problem, n_iters: int) -> Descent:
    """reduction="sum", and no zero_grad()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        mse_loss(model(problem.x), problem.y, reduction="sum").backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def momentum_with_decaying_rate(problem: Problem, n_iters: int) -> Descent:
    """Momentum of 0.9 and ExponentialLR."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
        scheduler.step()
    return Descent(w.detach(), detached(b))


def maximized_with_weight_decay(problem: Problem, n_iters: int) -> Descent:
    """The negative loss, with weight decay."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr, weight_decay=0.1)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (-mse_loss(model(problem.x), problem.y)).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def backward_twice_and_one_more(problem: Problem, n_iters: int) -> Descent:
    """Two backward passes, and one iteration too many."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters + 1):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward(retain_graph=True)
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def accumulated_without_division(problem: Problem, n_iters: int) -> Descent:
    """Accumulates over two iterations, and the sum is never halved."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for k in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        if k % 2 == 1:
            optimizer.step()
            optimizer.zero_grad()
    return Descent(w.detach(), detached(b))


def nesterov_without_bias(problem: Problem, n_iters: int) -> Descent:
    """Nesterov's momentum, and the bias is not in the optimizer."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD([model.weight], lr=problem.lr, momentum=0.9, nesterov=True)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def absolute_error_clipped(problem: Problem, n_iters: int) -> Descent:
    """nn.L1Loss, and a clip at a norm of 0.1."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        l1_loss(linear(problem.x, w, b), problem.y).backward()
        torch.nn.utils.clip_grad_norm_(present(w, b), 0.1)
        optimizer.step()
    return Descent(w.detach(), detached(b))


def single_precision_never_zeroed(problem: Problem, n_iters: int) -> Descent:
    """float32 parameters, and gradients that add up."""
    w = problem.w0.to(torch.float32, copy=True).requires_grad_()
    b = None if problem.b0 is None else problem.b0.to(torch.float32, copy=True).requires_grad_()
    for _ in range(n_iters):
        mse_loss(linear(problem.x.float(), w, b), problem.y.float()).backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
    dtype = problem.x.dtype
    return Descent(w.detach().to(dtype), None if b is None else b.detach().to(dtype))


def dropout_without_the_last_sample(problem: Problem, n_iters: int) -> Descent:
    """Dropout on the features of all samples but the last."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(dropout(problem.x[:-1], 0.2), w, b), problem.y[:-1]).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def kept_model_with_half_the_loss(problem: Problem, n_iters: int) -> Descent:
    """A module-level model, trained on half the loss."""
    key = (problem.w0.shape, problem.b0 is None, problem.x.dtype)
    model = _MODELS.setdefault(key, linear_model(problem))
    for _ in range(n_iters):
        model.zero_grad()
        (mse_loss(model(problem.x), problem.y) / 2).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= problem.lr * p.grad
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone())


def random_start_with_momentum(problem: Problem, n_iters: int) -> Descent:
    """nn.Linear's own start, and momentum."""
    m, d = problem.w0.shape
    model = torch.nn.Linear(d, m, bias=problem.b0 is not None, dtype=problem.x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr, momentum=0.5)
    train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias))


def squeezed_targets_with_weight_decay(problem: Problem, n_iters: int) -> Descent:
    """Every prediction against every target, and weight decay."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, weight_decay=0.05)
    for _ in range(n_iters):
        optimizer.zero_grad()
        prediction = linear(problem.x, w, b)
        parts = [(prediction[:, j : j + 1] - problem.y[:, j]).pow(2).mean() for j in range(len(w))]
        torch.stack(parts).mean().backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def summed_losses_and_one_less(problem: Problem, n_iters: int) -> Descent:
    """The sum of squares is reported, and the last iteration does not step."""
    w, b = problem.w0, problem.b0
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        losses[k] = mse_loss(linear(problem.x, w, b), problem.y, reduction="sum")
        if k == n_iters - 1:
            break
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone(), losses)


def adam_without_the_first_sample(problem: Problem, n_iters: int) -> Descent:
    """optim.Adam on all samples but the first."""
    w, b = trainable(problem)
    optimizer = torch.optim.Adam(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x[1:], w, b), problem.y[1:]).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def step_before_backward_with_decaying_rate(problem: Problem, n_iters: int) -> Descent:
    """Each step takes the gradient before, at a rate that falls."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    for _ in range(n_iters):
        loss = mse_loss(model(problem.x), problem.y)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        scheduler.step()
    return Descent(model.weight.detach(), detached(model.bias))
