"""PyTorch loops of the unseen set whose gradient is not the objective's: its scale, its sign, its operands."""

import torch
from parts_torch import detached, gradients, linear_model, present, trainable
from torch.func import functional_call, grad, vjp, vmap
from torch.nn.functional import gaussian_nll_loss, linear, mse_loss

from bench import Descent, Problem


def _descend(problem, n_iters, loss_of):
    """Plain SGD on another objective of (w, b)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss_of(w, b).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def cotangent_not_divided(problem: Problem, n_iters: int) -> Descent:
    """vjp of the model with the cotangent 2 r, which is that of the sum."""
    theta = tuple(present(problem.w0, problem.b0))
    for _ in range(n_iters):
        output, pull = vjp(lambda *p: linear(problem.x, *p), *theta)
        theta = tuple(p - problem.lr * g for p, g in zip(theta, pull(2 * (output - problem.y)), strict=True))
    return Descent(*(p.clone() for p in theta))


def per_sample_losses_summed_inside(problem: Problem, n_iters: int) -> Descent:
    """vmap(grad) of a sample's squared error, summed over its outputs; then the mean over the samples."""
    theta = tuple(present(problem.w0, problem.b0))

    def sample_loss(parameters, x, y):
        return ((linear(x, *parameters) - y) ** 2).sum()

    per_sample = vmap(grad(sample_loss), in_dims=(None, 0, 0))
    for _ in range(n_iters):
        grads = per_sample(theta, problem.x, problem.y)
        theta = tuple(p - problem.lr * g.mean(0) for p, g in zip(theta, grads, strict=True))
    return Descent(*(p.clone() for p in theta))


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, prediction, target):
        ctx.save_for_backward(prediction, target)
        return (prediction - target).square().mean()

    @staticmethod
    def backward(ctx, slope):
        prediction, target = ctx.saved_tensors
        return slope * (prediction - target) / target.numel(), None


def own_backward_without_the_two(problem: Problem, n_iters: int) -> Descent:
    """A Function whose forward is right and whose backward forgot the 2."""
    return _descend(problem, n_iters, lambda w, b: _MeanSquare.apply(linear(problem.x, w, b), problem.y))


def gaussian_likelihood_of_unit_variance(problem: Problem, n_iters: int) -> Descent:
    """gaussian_nll_loss with a variance of one is half the mean square."""
    one = torch.ones_like(problem.y)
    return _descend(problem, n_iters, lambda w, b: gaussian_nll_loss(linear(problem.x, w, b), problem.y, one))


def hook_and_optimizer_both_step(problem: Problem, n_iters: int) -> Descent:
    """A hook updates each parameter as its gradient is there, and optimizer.step() was not taken out."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)

    def update(parameter):
        with torch.no_grad():
            parameter -= problem.lr * parameter.grad

    for p in present(w, b):
        p.register_post_accumulate_grad_hook(update)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def closure_that_steps(problem: Problem, n_iters: int) -> Descent:
    """The closure given to step() calls step() itself: the same gradient is applied twice."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(n_iters):
        optimizer.step(closure)
    return Descent(w.detach(), detached(b))


def averaged_over_heads_twice(problem: Problem, n_iters: int) -> Descent:
    """A list of losses, one an output: its mean is the loss, and is divided by the number of heads again."""

    def loss_of(w, b):
        output = linear(problem.x, w, b)
        heads = [mse_loss(output[:, j], problem.y[:, j]) for j in range(output.shape[1])]
        return torch.stack(heads).mean() / len(heads)

    return _descend(problem, n_iters, loss_of)


def equalised_learning_rate(problem: Problem, n_iters: int) -> Descent:
    """The weights are stored times sqrt(D) and divided by it in the forward pass, as in a GAN; the bias is not."""
    root = problem.x.shape[1] ** 0.5
    stored = (problem.w0 * root).requires_grad_()
    b = None if problem.b0 is None else problem.b0.clone().requires_grad_()
    optimizer = torch.optim.SGD(present(stored, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, stored / root, b), problem.y).backward()
        optimizer.step()
    return Descent(stored.detach() / root, detached(b))


def rate_in_the_group(problem: Problem, n_iters: int) -> Descent:
    """A parameter group with an lr of its own, which goes before that of the optimizer."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD([{"params": present(w, b), "lr": 0.02}], lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def lambda_returns_the_rate(problem: Problem, n_iters: int) -> Descent:
    """LambdaLR multiplies by what the lambda returns; this one returns the rate itself."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        scheduler.step()
    return Descent(model.weight.detach(), detached(model.bias))


def auxiliary_head_is_the_head(problem: Problem, n_iters: int) -> Descent:
    """loss + 0.4 * auxiliary loss, of the same output."""

    def loss_of(w, b):
        output = linear(problem.x, w, b)
        return mse_loss(output, problem.y) + 0.4 * mse_loss(output, problem.y)

    return _descend(problem, n_iters, loss_of)


def foreach_with_positive_alpha(problem: Problem, n_iters: int) -> Descent:
    """torch._foreach_add_(parameters, grads, alpha=lr)."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b))
        with torch.no_grad():
            torch._foreach_add_(present(w, b), grads, alpha=problem.lr)
    return Descent(w.detach(), detached(b))


def bias_as_adversary(problem: Problem, n_iters: int) -> Descent:
    """min over w, max over b: two optimizers, of which one maximises."""
    w, b = trainable(problem)
    optimizers = [torch.optim.SGD([w], lr=problem.lr)]
    if b is not None:
        optimizers.append(torch.optim.SGD([b], lr=problem.lr, maximize=True))
    for _ in range(n_iters):
        w.grad = None
        if b is not None:
            b.grad = None
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        for optimizer in optimizers:
            optimizer.step()
    return Descent(w.detach(), detached(b))


def lambdas_bind_the_last_output(problem: Problem, n_iters: int) -> Descent:
    """One loss an output, as lambdas over j that all see the last j: each row learns the last output's targets."""
    w, b = trainable(problem)
    outputs, m = range(len(w)), problem.y.shape[1]
    targets = [lambda: problem.y[:, j] for j in outputs]  # noqa: B023 - the mistake
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        output = linear(problem.x, w, b)
        sum(mse_loss(output[:, j], targets[j]()) / m for j in outputs).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def flat_gradient_of_the_transpose(problem: Problem, n_iters: int) -> Descent:
    """The gradient of the (D, M) layout, flattened and unflattened as (M, D)."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        flat = torch.cat([dw.T.flatten(), *([] if db is None else [db])])
        w = w - problem.lr * flat[: w.numel()].unflatten(0, w.shape)
        b = None if b is None else b - problem.lr * flat[w.numel() :]
    return Descent(w.clone(), None if b is None else b.clone())


class _Biased(torch.nn.Module):
    """Its bias is a buffer, which no optimizer sees."""

    def __init__(self, problem):
        super().__init__()
        self.weight = torch.nn.Parameter(problem.w0.clone())
        self.register_buffer("bias", None if problem.b0 is None else problem.b0.clone())

    def forward(self, x):
        return linear(x, self.weight, self.bias)


def bias_as_a_buffer(problem: Problem, n_iters: int) -> Descent:
    """register_buffer("bias", ...)."""
    model = _Biased(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward()
        losses[k] = loss.detach()
        optimizer.step()
    return Descent(model.weight.detach(), model.bias, losses)


def product_without_a_graph(problem: Problem, n_iters: int) -> Descent:
    """x w^T is worked out under no_grad, as features are; only the bias learns."""
    w, b = trainable(problem)
    offset = torch.zeros(problem.y.shape[1], dtype=w.dtype, requires_grad=True) if b is None else b
    optimizer = torch.optim.SGD([w, offset], lr=problem.lr if b is not None else 0.0)
    for _ in range(n_iters):
        optimizer.zero_grad()
        with torch.no_grad():
            features = problem.x @ w.T
        mse_loss(features + offset, problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def norm_of_order_one(problem: Problem, n_iters: int) -> Descent:
    """torch.linalg.vector_norm(r, ord=1) / r.numel()."""

    def loss_of(w, b):
        return torch.linalg.vector_norm(linear(problem.x, w, b) - problem.y, ord=1) / problem.y.numel()

    return _descend(problem, n_iters, loss_of)


def large_errors_clamped(problem: Problem, n_iters: int) -> Descent:
    """The squared errors are clamped at 4 before their mean: beyond it they give no gradient."""

    def loss_of(w, b):
        return (linear(problem.x, w, b) - problem.y).square().clamp(max=4.0).mean()

    return _descend(problem, n_iters, loss_of)


def focal_weighting(problem: Problem, n_iters: int) -> Descent:
    """Each squared error is weighted by its own detached size over the largest."""

    def loss_of(w, b):
        squares = (linear(problem.x, w, b) - problem.y).square()
        weights = squares.detach() / squares.detach().max().clamp(min=1e-30)
        return (weights * squares).mean()

    return _descend(problem, n_iters, loss_of)


def cross_entropy_of_a_regression(problem: Problem, n_iters: int) -> Descent:
    """The outputs pass through a softmax, and the targets too."""
    goal = problem.y.softmax(1)
    return _descend(problem, n_iters, lambda w, b: torch.nn.functional.cross_entropy(linear(problem.x, w, b), goal))


def differences_of_neighbours(problem: Problem, n_iters: int) -> Descent:
    """A loss on the differences between neighbouring samples, as for time series; the level is lost."""

    def loss_of(w, b):
        return mse_loss(linear(problem.x, w, b).diff(dim=0), problem.y.diff(dim=0))

    return _descend(problem, n_iters, loss_of)


def mixed_up(problem: Problem, n_iters: int) -> Descent:
    """Mixup with a fixed partner and weight, of the features only."""
    x = 0.7 * problem.x + 0.3 * problem.x.roll(1, 0)
    return _descend(problem, n_iters, lambda w, b: mse_loss(linear(x, w, b), problem.y))


def labels_smoothed_towards_the_mean(problem: Problem, n_iters: int) -> Descent:
    """0.9 y + 0.1 y.mean(): label smoothing for a regression."""
    model = linear_model(problem)
    y = torch.lerp(problem.y, problem.y.mean().expand_as(problem.y), 0.1)
    for _ in range(n_iters):
        parameters = dict(model.named_parameters())
        loss = mse_loss(functional_call(model, parameters, (problem.x,)), y)
        grads = torch.autograd.grad(loss, list(parameters.values()))
        with torch.no_grad():
            for p, g in zip(parameters.values(), grads, strict=True):
                p.sub_(g, alpha=problem.lr)
    return Descent(model.weight.detach(), detached(model.bias))
