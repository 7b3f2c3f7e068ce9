"""PyTorch loops of the unseen set with two mistakes at once."""

import torch
from parts_torch import detached, linear_model, present, trainable
from torch.nn.functional import huber_loss, linear, mse_loss

from bench import Descent, Problem


def huber_with_momentum(problem: Problem, n_iters: int) -> Descent:
    """huber_loss, and momentum of 0.5."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, momentum=0.5)
    for _ in range(n_iters):
        optimizer.zero_grad()
        huber_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def rate_left_alone_and_never_zeroed(problem: Problem, n_iters: int) -> Descent:
    """SGD's own lr of 1e-3, and no zero_grad()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters())
    for _ in range(n_iters):
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def zero_start_with_a_cosine(problem: Problem, n_iters: int) -> Descent:
    """Starts from zero, with a cosine of period twenty."""
    model = linear_model(problem)
    for p in model.parameters():
        torch.nn.init.zeros_(p)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 20)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        scheduler.step()
    return Descent(model.weight.detach(), detached(model.bias))


def clipped_on_half_of_the_samples(problem: Problem, n_iters: int) -> Descent:
    """The first half of the samples, and a clip at a norm of 0.2."""
    x, y = problem.x[: (len(problem.x) + 1) // 2], problem.y[: (len(problem.x) + 1) // 2]
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(x, w, b), y).backward()
        torch.nn.utils.clip_grad_norm_(present(w, b), 0.2)
        optimizer.step()
    return Descent(w.detach(), detached(b))


def summed_with_an_early_stop(problem: Problem, n_iters: int) -> Descent:
    """The sum of the squares with a hundredth of the rate, and a stop when the loss stands still to 1e-7."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr / 100)
    previous = float("inf")
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y, reduction="sum")
        if abs(previous - loss.item()) < 1e-7:
            break
        previous = loss.item()
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def centred_targets_without_the_two(problem: Problem, n_iters: int) -> Descent:
    """y - y.mean(0), and half the loss."""
    w, b = trainable(problem)
    y = problem.y - problem.y.mean(0)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), y) / 2, present(w, b))
        with torch.no_grad():
            torch._foreach_sub_(present(w, b), grads, alpha=problem.lr)
    return Descent(w.detach(), detached(b))
