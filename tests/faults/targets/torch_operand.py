"""Gradient descent in PyTorch with a wrong sign, or with the gradient of something else."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import huber_loss, l1_loss, linear, mse_loss, smooth_l1_loss

from bench import Descent, Problem


def maximize_flag(problem: Problem, n_iters: int) -> Descent:
    """SGD(maximize=True)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, maximize=True)
    losses = train(problem, n_iters, optimizer, w, b)
    return Descent(w.detach(), detached(b), losses)


def negative_loss(problem: Problem, n_iters: int) -> Descent:
    """A likelihood is maximised, a loss is not; here it is negated all the same."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (-mse_loss(model(problem.x), problem.y)).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def bias_plus_equals(problem: Problem, n_iters: int) -> Descent:
    """w -= and b +=."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        with torch.no_grad():
            w -= problem.lr * w.grad
            w.grad.zero_()
            if b is not None:
                b += problem.lr * b.grad
                b.grad.zero_()
    return Descent(w.detach(), detached(b))


def reversed_gradient_layer(problem: Problem, n_iters: int) -> Descent:
    """The weights pass through a gradient reversal (2 w.detach() - w), the bias does not."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, 2 * w.detach() - w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def mean_of_squared_outputs(problem: Problem, n_iters: int) -> Descent:
    """model(x).pow(2).mean(), as in the examples without targets."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        prediction = model(problem.x)
        losses[k] = mse_loss(prediction, problem.y).detach()
        prediction.pow(2).mean().backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def targets_of_zeros_like(problem: Problem, n_iters: int) -> Descent:
    """torch.zeros_like(y) was a placeholder."""
    w, b = trainable(problem)
    target = torch.zeros_like(problem.y)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), target), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def bias_by_weight_grad(problem: Problem, n_iters: int) -> Descent:
    """A copied line: b -= lr * w.grad, with an index that makes it fit."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        with torch.no_grad():
            if b is not None:
                b -= problem.lr * w.grad[:, 0]
                b.grad = None
            w -= problem.lr * w.grad
            w.grad = None
    return Descent(w.detach(), detached(b))


def weight_by_bias_grad(problem: Problem, n_iters: int) -> Descent:
    """w -= lr * b.grad, broadcast over the features."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        with torch.no_grad():
            w -= problem.lr * (w.grad if b is None else b.grad[:, None])
            w.grad = None
            if b is not None:
                b -= problem.lr * b.grad
                b.grad = None
    return Descent(w.detach(), detached(b))


def viewed_as_weights(problem: Problem, n_iters: int) -> Descent:
    """(x^T slope).view_as(w)."""
    x, y, w, b = problem.x, problem.y, problem.w0.clone(), problem.b0
    for _ in range(n_iters):
        slope = 2 / y.numel() * (linear(x, w, b) - y)
        w = w - problem.lr * (x.T @ slope).view_as(w)
        b = None if b is None else b - problem.lr * slope.sum(0)
    return Descent(w, None if b is None else b.clone())


def custom_function_reshapes(problem: Problem, n_iters: int) -> Descent:
    """A backward of one's own returns x^T g reshaped, since the shapes did not match."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        prediction = _Product.apply(problem.x, w)
        mse_loss(prediction if b is None else prediction + b, problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.T

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return None, (x.T @ g).reshape(w.shape)


def bias_not_in_the_optimizer(problem: Problem, n_iters: int) -> Descent:
    """SGD([model.weight])."""
    model = linear_model(problem)
    losses = train(problem, n_iters, torch.optim.SGD([model.weight], lr=problem.lr), model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def bias_detached(problem: Problem, n_iters: int) -> Descent:
    """The bias enters as b.data."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, None if b is None else b.data), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def bias_argument_forgotten(problem: Problem, n_iters: int) -> Descent:
    """linear(x, w), without b."""
    w, _ = trainable(problem)
    for _ in range(n_iters):
        (g,) = torch.autograd.grad(mse_loss(linear(problem.x, w), problem.y), w)
        with torch.no_grad():
            w -= problem.lr * g
    return Descent(w.detach(), None if problem.b0 is None else problem.b0.clone())


def weight_frozen(problem: Problem, n_iters: int) -> Descent:
    """requires_grad_(False) was left from fine-tuning the head."""
    model = linear_model(problem)
    model.weight.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    for _ in range(n_iters if trained else 0):
        model.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        with torch.no_grad():
            for p in trained:
                p -= problem.lr * p.grad
    return Descent(model.weight.detach(), detached(model.bias))


def last_residual_for_the_bias(problem: Problem, n_iters: int) -> Descent:
    """db is taken of the loop's last sample, divided by all."""
    x, y, w, b = problem.x, problem.y, problem.w0.clone(), problem.b0
    for _ in range(n_iters):
        slope = 2 / y.numel() * (linear(x, w, b) - y)
        dw = torch.zeros_like(w)
        for xi, si in zip(x, slope, strict=True):
            dw += torch.outer(si, xi)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * si
    return Descent(w, None if b is None else b.clone())


def mean_absolute_error(problem: Problem, n_iters: int) -> Descent:
    """nn.L1Loss."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        l1_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def smooth_l1(problem: Problem, n_iters: int) -> Descent:
    """smooth_l1_loss, as detectors do."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        smooth_l1_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def wide_huber(problem: Problem, n_iters: int) -> Descent:
    """2 * huber_loss(delta=3): the squared error, but for residuals beyond 3."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = 2 * huber_loss(linear(problem.x, w, b), problem.y, delta=3.0)
        grads = torch.autograd.grad(loss, present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def root_of_the_loss(problem: Problem, n_iters: int) -> Descent:
    """sqrt(mse) + eps, since the RMSE is what is reported."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        torch.sqrt(mse_loss(model(problem.x), problem.y) + 1e-8).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def log_of_the_loss(problem: Problem, n_iters: int) -> Descent:
    """log(1 + mse)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        torch.log1p(mse_loss(linear(problem.x, w, b), problem.y)).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def squeezed_targets(problem: Problem, n_iters: int) -> Descent:
    """(N, 1) - (N,) output by output: the loss of every prediction against every target."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        prediction = linear(problem.x, w, b)
        parts = [(prediction[:, j : j + 1] - problem.y[:, j]).pow(2).mean() for j in range(len(w))]
        torch.stack(parts).mean().backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b))


def targets_shuffled(problem: Problem, n_iters: int) -> Descent:
    """y[randperm] with a seed; x stays."""
    y = problem.y[torch.randperm(len(problem.y), generator=torch.Generator().manual_seed(1))]
    w, b = problem.w0.clone(), problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, None if b is None else b.clone())


def targets_centred(problem: Problem, n_iters: int) -> Descent:
    """y - y.mean(0), and the mean is not given back."""
    y = problem.y - problem.y.mean(0)
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def targets_as_integers(problem: Problem, n_iters: int) -> Descent:
    """Labels are long()."""
    y = problem.y.long().to(problem.y.dtype)
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))
