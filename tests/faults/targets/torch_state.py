"""PyTorch loops that are another optimiser: momentum, decay, adaptive steps, clipping, schedules."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


def sgd_with_momentum(problem: Problem, n_iters: int) -> Descent:
    """SGD(momentum=0.9)."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr, momentum=0.9), w, b)
    return Descent(w.detach(), detached(b), losses)


def sgd_with_little_momentum(problem: Problem, n_iters: int) -> Descent:
    """SGD(momentum=1e-3)."""
    model = linear_model(problem)
    train(
        problem,
        n_iters,
        torch.optim.SGD(model.parameters(), lr=problem.lr, momentum=1e-3),
        model.weight,
        model.bias,
    )
    return Descent(model.weight.detach(), detached(model.bias))


def heavy_ball_by_hand(problem: Problem, n_iters: int) -> Descent:
    """theta + 0.5 (theta - theta of the step before)."""
    w, b = problem.w0, problem.b0
    old_w, old_b = w, b
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w, old_w = w - problem.lr * dw + 0.5 * (w - old_w), w
        if b is not None:
            b, old_b = b - problem.lr * db + 0.5 * (b - old_b), b
    return Descent(w.clone(), None if b is None else b.clone())


def sgd_nesterov(problem: Problem, n_iters: int) -> Descent:
    """SGD(momentum=0.9, nesterov=True)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, momentum=0.9, nesterov=True)
    losses = train(problem, n_iters, optimizer, w, b)
    return Descent(w.detach(), detached(b), losses)


def sgd_with_weight_decay(problem: Problem, n_iters: int) -> Descent:
    """SGD(weight_decay=0.01), which decays the bias too."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr, weight_decay=0.01)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def sgd_with_tiny_weight_decay(problem: Problem, n_iters: int) -> Descent:
    """SGD(weight_decay=1e-6)."""
    w, b = trainable(problem)
    train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr, weight_decay=1e-6), w, b)
    return Descent(w.detach(), detached(b))


def penalty_in_the_loss(problem: Problem, n_iters: int) -> Descent:
    """mse + 0.5e-3 |w|^2."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = mse_loss(linear(problem.x, w, b), problem.y) + 0.5e-3 * w.pow(2).sum()
        grads = torch.autograd.grad(loss, present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def _with(make, problem, n_iters):
    w, b = trainable(problem)
    losses = train(problem, n_iters, make(present(w, b)), w, b)
    return Descent(w.detach(), detached(b), losses)


def adam(problem: Problem, n_iters: int) -> Descent:
    """optim.Adam in the place of SGD."""
    return _with(lambda p: torch.optim.Adam(p, lr=problem.lr), problem, n_iters)


def adamw(problem: Problem, n_iters: int) -> Descent:
    """optim.AdamW, with its weight decay."""
    return _with(lambda p: torch.optim.AdamW(p, lr=problem.lr), problem, n_iters)


def amsgrad(problem: Problem, n_iters: int) -> Descent:
    """optim.Adam(amsgrad=True)."""
    return _with(lambda p: torch.optim.Adam(p, lr=problem.lr, amsgrad=True), problem, n_iters)


def rmsprop(problem: Problem, n_iters: int) -> Descent:
    """optim.RMSprop."""
    return _with(lambda p: torch.optim.RMSprop(p, lr=problem.lr), problem, n_iters)


def adagrad(problem: Problem, n_iters: int) -> Descent:
    """optim.Adagrad."""
    return _with(lambda p: torch.optim.Adagrad(p, lr=problem.lr), problem, n_iters)


def adadelta(problem: Problem, n_iters: int) -> Descent:
    """optim.Adadelta."""
    return _with(lambda p: torch.optim.Adadelta(p, lr=problem.lr), problem, n_iters)


def adamax(problem: Problem, n_iters: int) -> Descent:
    """optim.Adamax."""
    return _with(lambda p: torch.optim.Adamax(p, lr=problem.lr), problem, n_iters)


def rprop(problem: Problem, n_iters: int) -> Descent:
    """optim.Rprop: signs, and steps that grow and shrink."""
    return _with(lambda p: torch.optim.Rprop(p, lr=problem.lr), problem, n_iters)


def sign_of_the_gradient(problem: Problem, n_iters: int) -> Descent:
    """p.grad.sign()."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g.sign()
    return Descent(w.detach(), detached(b))


def clip_grad_norm(problem: Problem, n_iters: int) -> Descent:
    """clip_grad_norm_(parameters, 1.0)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def clip_grad_norm_at_hundred(problem: Problem, n_iters: int) -> Descent:
    """clip_grad_norm_(parameters, 100.0), which acts on large gradients only."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        torch.nn.utils.clip_grad_norm_(present(w, b), 100.0)
        optimizer.step()
    return Descent(w.detach(), detached(b))


def clip_grad_value(problem: Problem, n_iters: int) -> Descent:
    """clip_grad_value_(parameters, 0.1)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def clamp_of_the_weights_update(problem: Problem, n_iters: int) -> Descent:
    """The norm of each parameter's own step is held to 0.05."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        steps = [None if g is None else problem.lr * g for g in gradients(problem.x, problem.y, w, b)]
        length = torch.sqrt(sum(s.pow(2).sum() for s in steps if s is not None))
        gain = torch.clamp(0.05 / length, max=1.0) if length > 0 else 1.0
        w = w - gain * steps[0]
        b = None if b is None else b - gain * steps[1]
    return Descent(w.clone(), None if b is None else b.clone())


def _scheduled(make, problem, n_iters):
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scheduler = make(optimizer)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        scheduler.step()
    return Descent(model.weight.detach(), detached(model.bias))


def exponential_lr(problem: Problem, n_iters: int) -> Descent:
    """ExponentialLR(gamma=0.95)."""
    return _scheduled(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.95), problem, n_iters)


def step_lr(problem: Problem, n_iters: int) -> Descent:
    """StepLR(step_size=30, gamma=0.1), from its documentation."""
    return _scheduled(lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=30, gamma=0.1), problem, n_iters)


def cosine_annealing(problem: Problem, n_iters: int) -> Descent:
    """CosineAnnealingLR over the run: the iterates depend on how many are asked for."""
    return _scheduled(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=max(1, n_iters)), problem, n_iters)


def inverse_time_lambda(problem: Problem, n_iters: int) -> Descent:
    """LambdaLR of 1 / (1 + 0.01 k)."""
    return _scheduled(lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + 0.01 * k)), problem, n_iters)


def cyclic_rate(problem: Problem, n_iters: int) -> Descent:
    """lr swings between a half and the whole with a period of six."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for k in range(n_iters):
        optimizer.param_groups[0]["lr"] = problem.lr * (0.5 + abs(k % 6 - 3) / 6)
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def reduce_on_plateau(problem: Problem, n_iters: int) -> Descent:
    """ReduceLROnPlateau as it comes: nothing happens before the loss has stood still for ten iterations."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        optimizer.step()
        scheduler.step(loss.item())
    return Descent(w.detach(), detached(b))
