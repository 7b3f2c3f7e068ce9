"""Gradient descent in PyTorch, written rightly with the parts of torch that people use; one regression at a time."""

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.func import functional_call, grad, grad_and_value, jacfwd, jacrev, vmap
from torch.nn.functional import conv1d, linear, mse_loss
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from bench import Descent, Problem


def module_and_sgd(problem: Problem, n_iters: int) -> Descent:
    """nn.Linear, nn.MSELoss, optim.SGD."""
    model, criterion = linear_model(problem), torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        loss = criterion(model(problem.x), problem.y)
        losses[k] = loss.item()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def _sgd(problem, n_iters, **flags):
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr, **flags), w, b)
    return Descent(w.detach(), detached(b), losses)


def sgd_foreach(problem: Problem, n_iters: int) -> Descent:
    """SGD(foreach=True)."""
    return _sgd(problem, n_iters, foreach=True)


def sgd_for_loop(problem: Problem, n_iters: int) -> Descent:
    """SGD(foreach=False)."""
    return _sgd(problem, n_iters, foreach=False)


def sgd_fused(problem: Problem, n_iters: int) -> Descent:
    """SGD(fused=True)."""
    return _sgd(problem, n_iters, fused=True)


def sgd_with_everything_at_zero(problem: Problem, n_iters: int) -> Descent:
    """Momentum, dampening and weight decay given, and zero."""
    return _sgd(problem, n_iters, momentum=0.0, dampening=0.0, weight_decay=0.0)


def sgd_of_two_groups(problem: Problem, n_iters: int) -> Descent:
    """Two parameter groups of the same rate."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD([{"params": [p], "lr": problem.lr} for p in present(w, b)], lr=1.0)
    losses = train(problem, n_iters, optimizer, w, b)
    return Descent(w.detach(), detached(b), losses)


def sgd_with_closure(problem: Problem, n_iters: int) -> Descent:
    """step(closure)."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward()
        return loss

    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        losses[k] = optimizer.step(closure).detach()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def constant_schedule_and_infinite_clip(problem: Problem, n_iters: int) -> Descent:
    """A schedule that stays at 1 and a clip at infinity."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
        optimizer.step()
        scheduler.step()
    return Descent(model.weight.detach(), detached(model.bias))


def step_in_a_hook(problem: Problem, n_iters: int) -> Descent:
    """Each parameter is updated as soon as its gradient is there."""
    w, b = trainable(problem)

    @torch.no_grad()
    def update(p):
        p -= problem.lr * p.grad
        p.grad = None

    for p in present(w, b):
        p.register_post_accumulate_grad_hook(update)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
    return Descent(w.detach(), detached(b))


def data_attribute(problem: Problem, n_iters: int) -> Descent:
    """Old style: p.data -= lr * p.grad.data."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        (linear(problem.x, w, b) - problem.y).pow(2).mean().backward()
        for p in present(w, b):
            p.data -= problem.lr * p.grad.data
            p.grad.data.zero_()
    return Descent(w.data, None if b is None else b.data)


def new_leaves(problem: Problem, n_iters: int) -> Descent:
    """Each iteration makes new leaves."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b))
        w = (w - problem.lr * grads[0]).detach().requires_grad_()
        b = None if b is None else (b - problem.lr * grads[1]).detach().requires_grad_()
    return Descent(w.detach(), detached(b))


def sum_over_numel(problem: Problem, n_iters: int) -> Descent:
    """The sum of squares over the count of elements."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        ((linear(problem.x, w, b) - problem.y).square().sum() / problem.y.numel()).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def sum_with_a_smaller_rate(problem: Problem, n_iters: int) -> Descent:
    """The sum of squares, and lr / (N M)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr / problem.y.numel())
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y, reduction="sum").backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def accumulated_over_chunks(problem: Problem, n_iters: int) -> Descent:
    """Gradients of chunks of samples add up; each chunk's sum is divided by the whole count."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    chunks = list(zip(problem.x.split(4), problem.y.split(4), strict=True))
    for _ in range(n_iters):
        optimizer.zero_grad()
        for x, y in chunks:
            (mse_loss(linear(x, w, b), y, reduction="sum") / problem.y.numel()).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def shuffled_loader_of_one_batch(problem: Problem, n_iters: int) -> Descent:
    """DataLoader(shuffle=True) whose only batch is all there is."""
    loader = DataLoader(TensorDataset(problem.x, problem.y), batch_size=len(problem.x), shuffle=True)
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        for x, y in loader:
            optimizer.zero_grad()
            mse_loss(linear(x, w, b), y).backward()
            optimizer.step()
    return Descent(w.detach(), detached(b))


def func_grad(problem: Problem, n_iters: int) -> Descent:
    """torch.func.grad_and_value of a dictionary of parameters."""
    parameters = {"w": problem.w0} | ({} if problem.b0 is None else {"b": problem.b0})
    slope = grad_and_value(lambda p: mse_loss(linear(problem.x, p["w"], p.get("b")), problem.y))
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        g, losses[k] = slope(parameters)
        parameters = {name: p - problem.lr * g[name] for name, p in parameters.items()}
    b = parameters.get("b")
    return Descent(parameters["w"].clone(), None if b is None else b.clone(), losses)


def functional_module(problem: Problem, n_iters: int) -> Descent:
    """functional_call and grad."""
    model = linear_model(problem)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    slope = grad(lambda p: mse_loss(functional_call(model, p, problem.x), problem.y))
    for _ in range(n_iters):
        g = slope(parameters)
        parameters = {name: p - problem.lr * g[name] for name, p in parameters.items()}
    return Descent(parameters["weight"].clone(), None if model.bias is None else parameters["bias"].clone())


def mean_of_per_sample_gradients(problem: Problem, n_iters: int) -> Descent:
    """vmap(grad) over the samples, then the mean."""

    def loss(p, x, y):
        return mse_loss(linear(x, *p), y)

    slopes = vmap(grad(loss), in_dims=(None, 0, 0))
    p = tuple(q.clone() for q in present(problem.w0, problem.b0))
    for _ in range(n_iters):
        p = tuple(q - problem.lr * g.mean(0) for q, g in zip(p, slopes(p, problem.x, problem.y), strict=True))
    return Descent(*p)


def reverse_jacobian(problem: Problem, n_iters: int) -> Descent:
    """2 / (N M) J^T r, with J by jacrev."""
    p = tuple(q.clone() for q in present(problem.w0, problem.b0))

    def residual(p):
        return linear(problem.x, *p) - problem.y

    for _ in range(n_iters):
        r = residual(p) * (2 / problem.y.numel())
        p = tuple(q - problem.lr * torch.tensordot(r, j, 2) for q, j in zip(p, jacrev(residual)(p), strict=True))
    return Descent(*p)


def forward_jacobian(problem: Problem, n_iters: int) -> Descent:
    """jacfwd of the loss."""
    p = tuple(q.clone() for q in present(problem.w0, problem.b0))
    slope = jacfwd(lambda p: mse_loss(linear(problem.x, *p), problem.y))
    for _ in range(n_iters):
        p = tuple(q - problem.lr * g for q, g in zip(p, slope(p), strict=True))
    return Descent(*p)


def vector_jacobian_product(problem: Problem, n_iters: int) -> Descent:
    """torch.autograd.functional.vjp."""
    p = tuple(q.clone() for q in present(problem.w0, problem.b0))
    for _ in range(n_iters):
        _, g = torch.autograd.functional.vjp(lambda *q: mse_loss(linear(problem.x, *q), problem.y), p)
        p = tuple(q - problem.lr * h for q, h in zip(p, g, strict=True))
    return Descent(*p)


def graph_of_the_gradient(problem: Problem, n_iters: int) -> Descent:
    """create_graph=True, though nothing needs it."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b), create_graph=True)
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p.add_(g, alpha=-problem.lr)
    return Descent(w.detach(), detached(b))


def checkpointed(problem: Problem, n_iters: int) -> Descent:
    """The forward pass is done again in the backward pass."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(checkpoint(model, problem.x, use_reentrant=False), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x)
        return x @ w.mT

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return None, g.mT @ x


def own_function(problem: Problem, n_iters: int) -> Descent:
    """A backward of one's own."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        prediction = _Affine.apply(problem.x, w)
        mse_loss(prediction if b is None else prediction + b, problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def convolution(problem: Problem, n_iters: int) -> Descent:
    """A convolution of width one: features are channels."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        prediction = conv1d(problem.x[:, :, None], w[:, :, None], b)
        mse_loss(prediction[:, :, 0], problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def flat_vector_of_parameters(problem: Problem, n_iters: int) -> Descent:
    """One vector; w and b are views of it."""
    flat = torch.cat([p.reshape(-1) for p in present(problem.w0, problem.b0)]).requires_grad_()
    count = problem.w0.numel()
    optimizer = torch.optim.SGD([flat], lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        b = None if problem.b0 is None else flat[count:]
        mse_loss(linear(problem.x, flat[:count].view_as(problem.w0), b), problem.y).backward()
        optimizer.step()
    w, b = flat.detach()[:count].view_as(problem.w0), flat.detach()[count:]
    return Descent(w, None if problem.b0 is None else b)


def double_inside(problem: Problem, n_iters: int) -> Descent:
    """float64 inside, whatever is asked for."""
    x, y, w = problem.x.double(), problem.y.double(), problem.w0.double()
    b = None if problem.b0 is None else problem.b0.double()
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    dtype = problem.x.dtype
    return Descent(w.to(dtype).clone(), None if b is None else b.to(dtype).clone())


def fused_products(problem: Problem, n_iters: int) -> Descent:
    """torch.addmm carries out the update."""
    ones = problem.x.new_ones(len(problem.x), 1)
    a = problem.x if problem.b0 is None else torch.cat([problem.x, ones], 1)
    theta = problem.w0 if problem.b0 is None else torch.cat([problem.w0, problem.b0[:, None]], 1)
    for _ in range(n_iters):
        r = torch.addmm(problem.y, a, theta.T, beta=-1)
        theta = torch.addmm(theta, r.T, a, alpha=-2 * problem.lr / r.numel())
    if problem.b0 is None:
        return Descent(theta.clone())
    return Descent(theta[:, :-1].clone(), theta[:, -1].clone())


@torch.inference_mode()
def in_inference_mode(problem: Problem, n_iters: int) -> Descent:
    """By hand, in place, without a graph."""
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        r = linear(problem.x, w, b).sub_(problem.y)
        losses[k] = r.square().mean()
        r.mul_(2 * problem.lr / r.numel())
        w.addmm_(r.T, problem.x, alpha=-1)
        if b is not None:
            b.sub_(r.sum(0))
    return Descent(w, b, losses)


def normal_equations(problem: Problem, n_iters: int) -> Descent:
    """H theta - q."""
    a = problem.x if problem.b0 is None else torch.cat([problem.x, problem.x.new_ones(len(problem.x), 1)], 1)
    theta = problem.w0.T if problem.b0 is None else torch.cat([problem.w0.T, problem.b0[None]])
    h, q = 2 / problem.y.numel() * a.T @ a, 2 / problem.y.numel() * a.T @ problem.y
    for _ in range(n_iters):
        theta = theta - problem.lr * (h @ theta - q)
    count = problem.w0.shape[1]
    return Descent(theta[:count].T.clone(), None if problem.b0 is None else theta[-1].clone())


def through_numpy(problem: Problem, n_iters: int) -> Descent:
    """NumPy computes on torch's memory."""
    x, y = problem.x.numpy(), problem.y.numpy()
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    for _ in range(n_iters):
        error = x @ w.numpy().T - y if b is None else x @ w.numpy().T + b.numpy() - y
        w -= problem.lr * 2 / y.size * torch.from_numpy(error.T @ x)
        if b is not None:
            b -= problem.lr * 2 / y.size * torch.from_numpy(error.sum(axis=0))
    return Descent(w, b)
