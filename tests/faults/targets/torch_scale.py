"""Gradient descent in PyTorch with a gradient of the wrong size."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


def reduction_sum(problem: Problem, n_iters: int) -> Descent:
    """nn.MSELoss(reduction="sum")."""
    model = linear_model(problem)
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        criterion(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def backward_with_ones(problem: Problem, n_iters: int) -> Descent:
    """backward() wants a number, and backward(torch.ones_like(...)) stills it: a sum."""
    w, b = trainable(problem)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        squares = (linear(problem.x, w, b) - problem.y) ** 2
        losses[k] = squares.detach().mean()
        squares.backward(torch.ones_like(squares))
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b), losses)


def matrix_product_by_hand(problem: Problem, n_iters: int) -> Descent:
    """2 error^T x without a division."""
    x, y, w, b = problem.x, problem.y, problem.w0, problem.b0
    for _ in range(n_iters):
        error = torch.addmm(-y, x, w.T) if b is None else x @ w.T + b - y
        w = w - problem.lr * 2 * error.T @ x
        b = None if b is None else b - problem.lr * 2 * error.sum(0)
    return Descent(w.clone(), None if b is None else b.clone())


def sum_over_outputs_mean_over_samples(problem: Problem, n_iters: int) -> Descent:
    """.sum(1).mean()."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = ((linear(problem.x, w, b) - problem.y) ** 2).sum(1).mean()
        grads = torch.autograd.grad(loss, present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p.sub_(g, alpha=problem.lr)
    return Descent(w.detach(), detached(b))


def sum_over_len(problem: Problem, n_iters: int) -> Descent:
    """The loss is the sum over len(x)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        loss = mse_loss(model(problem.x), problem.y, reduction="sum") / len(problem.x)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def half_of_the_loss(problem: Problem, n_iters: int) -> Descent:
    """0.5 * mse is descended, and mse reported."""
    w, b = trainable(problem)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        loss = 0.5 * mse_loss(linear(problem.x, w, b), problem.y)
        losses[k] = 2 * loss.detach()
        loss.backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad.zero_()
    return Descent(w.detach(), detached(b), losses)


def divided_by_accumulation_steps(problem: Problem, n_iters: int) -> Descent:
    """loss / accumulation_steps is left over from a loop that accumulated over two batches."""
    accumulation_steps = 2
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        loss = mse_loss(model(problem.x), problem.y) / accumulation_steps
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return Descent(model.weight.detach(), detached(model.bias))


def backward_twice(problem: Problem, n_iters: int) -> Descent:
    """backward(retain_graph=True), and backward() again."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward(retain_graph=True)
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def step_twice(problem: Problem, n_iters: int) -> Descent:
    """optimizer.step() stands twice."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.step()
    return Descent(w.detach(), detached(b), losses)


def two_optimizers(problem: Problem, n_iters: int) -> Descent:
    """The parameters are in two optimizers, and both step."""
    model = linear_model(problem)
    first = torch.optim.SGD(model.parameters(), lr=problem.lr)
    second = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        model.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        first.step()
        second.step()
    return Descent(model.weight.detach(), detached(model.bias))


def mean_over_len_again(problem: Problem, n_iters: int) -> Descent:
    """mse_loss has the mean already; loss / len(x) divides again."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = mse_loss(linear(problem.x, w, b), problem.y) / len(problem.x)
        loss.backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b))


def hook_divides_by_samples(problem: Problem, n_iters: int) -> Descent:
    """A hook averages the gradient over the samples, as for a sum."""
    model = linear_model(problem)
    for p in model.parameters():
        p.register_hook(lambda g: g / len(problem.x))
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def larger_rate_for_the_bias(problem: Problem, n_iters: int) -> Descent:
    """Two parameter groups, as for fine-tuning."""
    w, b = trainable(problem)
    groups = [{"params": [w]}] if b is None else [{"params": [w]}, {"params": [b], "lr": 2 * problem.lr}]
    losses = train(problem, n_iters, torch.optim.SGD(groups, lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def bias_gradient_not_divided(problem: Problem, n_iters: int) -> Descent:
    """By hand: dw by the mean, db by the sum over the samples."""
    x, y, w, b = problem.x, problem.y, problem.w0.clone(), problem.b0
    for _ in range(n_iters):
        error = linear(x, w, b) - y
        w = w - problem.lr * 2 * torch.einsum("nm,nd->md", error, x) / y.numel()
        b = None if b is None else b - problem.lr * 2 * error.sum(0) / y.shape[1]
    return Descent(w, None if b is None else b.clone())


def rate_of_the_tutorial(problem: Problem, n_iters: int) -> Descent:
    """SGD(lr=1e-3)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def rate_rounded_to_cents(problem: Problem, n_iters: int) -> Descent:
    """lr is written with two digits behind the point and read again, 0.01 at the least."""
    lr = max(0.01, float(f"{problem.lr:.2f}"))
    x, y, w, b = problem.x, problem.y, problem.w0.clone(), problem.b0
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - lr * dw
        b = None if b is None else b - lr * db
    return Descent(w, None if b is None else b.clone())


def loss_times_rate(problem: Problem, n_iters: int) -> Descent:
    """The loss is scaled by lr, and so is the step."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (problem.lr * mse_loss(linear(problem.x, w, b), problem.y)).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def label_smoothing_left_in(problem: Problem, n_iters: int) -> Descent:
    """The loss is multiplied by 1 - 0.1, as smoothing does."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        ((1 - 0.1) * mse_loss(model(problem.x), problem.y)).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def unbiased_variance(problem: Problem, n_iters: int) -> Descent:
    """Divided by N M - 1."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = ((linear(problem.x, w, b) - problem.y) ** 2).sum() / (problem.y.numel() - 1)
        loss.backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b))


def loss_plus_epsilon(problem: Problem, n_iters: int) -> Descent:
    """(r^2 + eps) / (n + eps): the eps of the count is a gain of 1 - 1e-6 / (N M)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        squares = (model(problem.x) - problem.y).pow(2)
        loss = (squares.sum() + 1e-6) / (squares.numel() + 1e-6)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def unscaled_a_power_of_two_short(problem: Problem, n_iters: int) -> Descent:
    """A loss scaled by 1024 and gradients unscaled by 1000."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        (1024 * mse_loss(linear(problem.x, w, b), problem.y)).backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad / 1000
                p.grad = None
    return Descent(w.detach(), detached(b))
