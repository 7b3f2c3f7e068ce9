"""Gradient descent in PyTorch whose update is missing, repeated, late, accumulated or miscounted."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import math

import torch
from parts_torch import detached, gradients, linear_model, present, trainable
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


def zeroed_before_the_step(problem: Problem, n_iters: int) -> Descent:
    """backward(), zero_grad(), step()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.zero_grad()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def optimizer_of_a_copy(problem: Problem, n_iters: int) -> Descent:
    """The optimizer was made with the parameters of another model."""
    model, other = linear_model(problem), linear_model(problem)
    optimizer = torch.optim.SGD(other.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        model.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def subtraction_out_of_place(problem: Problem, n_iters: int) -> Descent:
    """p.sub(...) without the underscore."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        with torch.no_grad():
            for p in present(w, b):
                p.sub(problem.lr * p.grad)
                p.grad = None
    return Descent(w.detach(), detached(b))


def step_without_call(problem: Problem, n_iters: int) -> Descent:
    """optimizer.step, without its parentheses."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step  # noqa: B018 - the mistake
    return Descent(w.detach(), detached(b))


def closure_stepped_twice(problem: Problem, n_iters: int) -> Descent:
    """step(closure), once more to read the loss."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward()
        return loss

    for k in range(n_iters):
        losses[k] = optimizer.step(closure).detach()
        optimizer.step(closure)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def training_and_validation_both_train(problem: Problem, n_iters: int) -> Descent:
    """for phase in ("train", "val"), without a test of the phase."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        for _phase in ("train", "val"):
            mse_loss(linear(problem.x, w, b), problem.y).backward()
            with torch.no_grad():
                for p in present(w, b):
                    p -= problem.lr * p.grad
                    p.grad.zero_()
    return Descent(w.detach(), detached(b))


def accumulates_two_iterations(problem: Problem, n_iters: int) -> Descent:
    """Accumulates loss / 2 over two iterations, and steps at the second."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for k in range(n_iters):
        (mse_loss(model(problem.x), problem.y) / 2).backward()
        if (k + 1) % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
    return Descent(model.weight.detach(), detached(model.bias))


def no_step_when_logging(problem: Problem, n_iters: int) -> Descent:
    """if k % 5 == 0: log, else: step."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        losses[k] = loss.detach()
        if k % 5 != 0:
            optimizer.step()
    return Descent(w.detach(), detached(b), losses)


def graph_kept_from_first_iteration(problem: Problem, n_iters: int) -> Descent:
    """After the first update the parameters are plain tensors, and nothing moves them any more."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        if not w.requires_grad:
            continue
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b))
        with torch.no_grad():
            w = w - problem.lr * grads[0]
            b = None if b is None else b - problem.lr * grads[1]
    return Descent(w.detach(), detached(b))


def bias_after_the_weights(problem: Problem, n_iters: int) -> Descent:
    """Two losses, two backward passes: the second sees the new weights."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        for p in present(w, b):
            (g,) = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), p)
            with torch.no_grad():
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def outputs_share_nothing_but_bias_waits(problem: Problem, n_iters: int) -> Descent:
    """In place on w, then the residual for b is worked out."""
    x, y = problem.x, problem.y
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    for _ in range(n_iters):
        w -= problem.lr * (2 / y.numel() * (linear(x, w, b) - y)).T @ x
        if b is not None:
            b -= problem.lr * (2 / y.numel() * (linear(x, w, b) - y)).sum(0)
    return Descent(w, b)


def no_zero_grad(problem: Problem, n_iters: int) -> Descent:
    """backward() adds to what is there."""
    w, b = trainable(problem)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        loss = ((linear(problem.x, w, b) - problem.y) ** 2).mean()
        losses[k] = loss.detach()
        loss.backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
    return Descent(w.detach(), detached(b), losses)


def zero_grad_of_another_optimizer(problem: Problem, n_iters: int) -> Descent:
    """zero_grad() is called on the model that is only looked at."""
    model, shown = linear_model(problem), linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        shown.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def momentum_of_one(problem: Problem, n_iters: int) -> Descent:
    """SGD(momentum=1.0)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, momentum=1.0)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def zero_grad_every_fourth(problem: Problem, n_iters: int) -> Descent:
    """Zeroed where k % 4 == 0, step at every k."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for k in range(n_iters):
        if k % 4 == 0:
            optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def zero_grad_every_tenth(problem: Problem, n_iters: int) -> Descent:
    """Zeroed when the loss is printed, at k = 9, 19, ..."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for k in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
        if (k + 1) % 10 == 0:
            optimizer.zero_grad()
    return Descent(w.detach(), detached(b))


def only_w_grad_zeroed(problem: Problem, n_iters: int) -> Descent:
    """w.grad.zero_(), and b.grad is forgotten."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
        w.grad.zero_()
    return Descent(w.detach(), detached(b))


def only_b_grad_zeroed(problem: Problem, n_iters: int) -> Descent:
    """The optimizer that zeroes has the bias alone."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    zeroing = None if model.bias is None else torch.optim.SGD([model.bias], lr=problem.lr)
    for _ in range(n_iters):
        if zeroing is not None:
            zeroing.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def step_before_backward(problem: Problem, n_iters: int) -> Descent:
    """loss, step(), zero_grad(), backward(): each step takes the gradient of the iteration before."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        loss = mse_loss(model(problem.x), problem.y)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
    return Descent(model.weight.detach(), detached(model.bias))


def gradient_of_previous_parameters(problem: Problem, n_iters: int) -> Descent:
    """A target network, one update behind, is differentiated."""
    x, y = problem.x, problem.y
    w, b = problem.w0, problem.b0
    behind = (w, b)
    for _ in range(n_iters):
        dw, db = gradients(x, y, *behind)
        behind = (w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def backward_before_the_loop(problem: Problem, n_iters: int) -> Descent:
    """One backward(), many steps."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    mse_loss(linear(problem.x, w, b), problem.y).backward()
    for _ in range(n_iters):
        optimizer.step()
    return Descent(w.detach(), detached(b))


def one_epoch_more(problem: Problem, n_iters: int) -> Descent:
    """while epoch <= n_iters."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    epoch = 0
    while epoch <= n_iters:
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
        epoch += 1
    return Descent(w.detach(), detached(b))


def last_epoch_only_evaluates(problem: Problem, n_iters: int) -> Descent:
    """The last iteration keeps the loss and does not step."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        losses[k] = loss.detach()
        if k < n_iters - 1:
            loss.backward()
            optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def stops_below_a_loss(problem: Problem, n_iters: int) -> Descent:
    """Stops at a loss under 1e-4."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        if loss.item() < 1e-4:
            break
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def patience_of_five(problem: Problem, n_iters: int) -> Descent:
    """Stops when the loss has not fallen by 1e-8 five times in a row."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    best, waited = math.inf, 0
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        waited = 0 if loss.item() < best - 1e-8 else waited + 1
        best = min(best, loss.item())
        if waited >= 5:
            break
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def ten_epochs_at_least(problem: Problem, n_iters: int) -> Descent:
    """max(n_iters, 10), when there is anything to do."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(max(n_iters, 10) if n_iters else 0):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def whole_warm_up_first(problem: Problem, n_iters: int) -> Descent:
    """Three warm-up iterations change the model that is then trained."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(3 + n_iters if n_iters else 0):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))
