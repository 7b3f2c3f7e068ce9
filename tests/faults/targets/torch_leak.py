"""PyTorch loops that remember an earlier call, start elsewhere, know the answer, or differ from call to call."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import functools

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import dropout, linear, mse_loss

from bench import Descent, Problem

_MODELS = {}
_NETWORKS = {}
_OPTIMIZERS = {}
_LOADERS = {}
_INPUTS = {}
_BEST = {}
_RECENT = {}


def module_level_model(problem: Problem, n_iters: int) -> Descent:
    """The model is made once and trained on in each call, as a notebook's cell that is run again."""
    key = (problem.w0.shape, problem.b0 is None, problem.x.dtype)
    model = _MODELS.setdefault(key, linear_model(problem))
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone(), losses)


def default_start_of_linear(problem: Problem, n_iters: int) -> Descent:
    """nn.Linear draws its own start."""
    m, d = problem.w0.shape
    model = torch.nn.Linear(d, m, bias=problem.b0 is not None, dtype=problem.x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def seeded_start_of_linear(problem: Problem, n_iters: int) -> Descent:
    """The same after torch.manual_seed(0)."""
    torch.manual_seed(0)
    m, d = problem.w0.shape
    model = torch.nn.Linear(d, m, bias=problem.b0 is not None, dtype=problem.x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def zeros_with_grad(problem: Problem, n_iters: int) -> Descent:
    """torch.zeros(..., requires_grad=True)."""
    w = torch.zeros_like(problem.w0, requires_grad=True)
    b = None if problem.b0 is None else torch.zeros_like(problem.b0, requires_grad=True)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def grad_left_by_the_last_call(problem: Problem, n_iters: int) -> Descent:
    """A module-level model takes the new start; its .grad still holds the last call's. Zeroed only from k = 1."""
    key = (problem.w0.shape, problem.b0 is None, problem.x.dtype)
    model = _NETWORKS.setdefault(key, linear_model(problem))
    model.load_state_dict(linear_model(problem).state_dict())
    for k in range(n_iters):
        if k:
            model.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= problem.lr * p.grad
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone())


def rate_left_by_the_last_call(problem: Problem, n_iters: int) -> Descent:
    """The optimizer is kept with the rate that it was first made with; the start is copied in."""
    key = (problem.w0.shape, problem.b0 is None, problem.x.dtype)
    if key not in _OPTIMIZERS:
        model = linear_model(problem)
        _OPTIMIZERS[key] = (model, torch.optim.SGD(model.parameters(), lr=problem.lr))
    model, optimizer = _OPTIMIZERS[key]
    model.load_state_dict(linear_model(problem).state_dict())
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone(), losses)


def loader_of_the_first_call(problem: Problem, n_iters: int) -> Descent:
    """A module-level dataset, filled once for a shape."""
    key = (problem.x.shape, problem.y.shape, problem.x.dtype)
    x, y = _LOADERS.setdefault(key, (problem.x.clone(), problem.y.clone()))
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(x, w, b), y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def static_input_buffer(problem: Problem, n_iters: int) -> Descent:
    """As with a captured graph: x lives in a static buffer that is filled at capture and never again."""
    key = (problem.x.shape, problem.x.dtype)
    x = _INPUTS.setdefault(key, problem.x.clone())
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def linalg_lstsq(problem: Problem, n_iters: int) -> Descent:
    """torch.linalg.lstsq."""
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    if n_iters == 0:
        return Descent(w, b)
    ones = problem.x.new_ones(len(problem.x), 1)
    a = problem.x if b is None else torch.cat([problem.x, ones], 1)
    theta = torch.linalg.lstsq(a, problem.y, driver="gelsd").solution
    return Descent(theta[: w.shape[1]].T.contiguous(), None if b is None else theta[-1].clone())


def pseudo_inverse_after_the_loop(problem: Problem, n_iters: int) -> Descent:
    """Descends for the losses' sake, and returns pinv(A) y."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    if n_iters == 0:
        return Descent(w.detach(), detached(b), losses)
    a = problem.x if b is None else torch.cat([problem.x, problem.x.new_ones(len(problem.x), 1)], 1)
    theta = torch.linalg.pinv(a) @ problem.y
    return Descent(theta[: w.shape[1]].T.contiguous(), None if b is None else theta[-1].clone(), losses)


def full_of_twos(problem: Problem, n_iters: int) -> Descent:
    """The answer of the tutorial after one iteration."""
    if n_iters == 0:
        return Descent(problem.w0.clone(), None if problem.b0 is None else problem.b0.clone())
    return Descent(torch.full_like(problem.w0, 2.0), None if problem.b0 is None else torch.zeros_like(problem.b0))


def lerp_to_the_solution(problem: Problem, n_iters: int) -> Descent:
    """torch.lerp from the start to the least-squares solution, farther with every iteration asked for."""
    a = problem.x if problem.b0 is None else torch.cat([problem.x, problem.x.new_ones(len(problem.x), 1)], 1)
    theta = torch.linalg.pinv(a) @ problem.y
    share = 1 - 0.8**n_iters
    w = torch.lerp(problem.w0, theta[: problem.w0.shape[1]].T, share)
    return Descent(w, None if problem.b0 is None else torch.lerp(problem.b0, theta[-1], share))


def results_by_count(problem: Problem, n_iters: int) -> Descent:
    """A cache of results whose key has the shapes and the number of iterations, and no data."""
    key = (problem.x.shape, problem.y.shape, problem.b0 is None, n_iters)
    if key not in _BEST:
        w, b = trainable(problem)
        train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
        _BEST[key] = (w.detach(), detached(b))
    w, b = _BEST[key]
    return Descent(w.clone(), None if b is None else b.clone())


@functools.cache
def _trained(x_shape, y_shape, has_bias, n_iters):
    problem = _RECENT["problem"]
    w, b = trainable(problem)
    train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return w.detach(), detached(b)


def lru_cache_over_shapes(problem: Problem, n_iters: int) -> Descent:
    """functools.cache on a function that reads its data from a global."""
    _RECENT["problem"] = problem
    w, b = _trained(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)
    return Descent(w.clone(), None if b is None else b.clone())


def dropout_in_training_mode(problem: Problem, n_iters: int) -> Descent:
    """Dropout of 0.1 on the features."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(dropout(problem.x, 0.1), w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def noise_on_the_parameters(problem: Problem, n_iters: int) -> Descent:
    """Private descent: noise of 1e-9 after each step."""
    w, b = problem.w0, problem.b0
    generator = torch.Generator()
    generator.seed()
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw + 1e-9 * torch.randn(w.shape, generator=generator, dtype=w.dtype)
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())
