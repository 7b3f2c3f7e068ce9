"""PyTorch loops of the unseen set with a right gradient, and a wrong start, data, precision, reports or contract."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import functools
import io
from copy import deepcopy

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import layer_norm, linear, mse_loss
from torch.utils.data import DataLoader, Subset, TensorDataset

from bench import Descent, Problem


def _descend(problem, n_iters, x, y):
    """Plain SGD on other data."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(x, w, b), y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


_PROBLEM = []


@functools.cache
def _model_of(features, outputs, bias, dtype):
    return linear_model(_PROBLEM[-1])


def cached_factory(problem: Problem, n_iters: int) -> Descent:
    """functools.cache on the function that builds the model: every call trains the same one on."""
    _PROBLEM.append(problem)
    model = _model_of(problem.x.shape[1], problem.y.shape[1], problem.b0 is not None, problem.x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone())


def reset_after_loading(problem: Problem, n_iters: int) -> Descent:
    """reset_parameters() after the start was loaded."""
    model = linear_model(problem)
    model.reset_parameters()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def start_by_an_initialiser(problem: Problem, n_iters: int) -> Descent:
    """nn.init.eye_ of the weights and ones_ of the bias."""
    model = linear_model(problem)
    torch.nn.init.eye_(model.weight)
    if model.bias is not None:
        torch.nn.init.ones_(model.bias)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        model.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward()
        losses[k] = loss.detach()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(p.grad, alpha=problem.lr)
    return Descent(model.weight.detach(), detached(model.bias), losses)


_SHELL = {}


def hooks_pile_up(problem: Problem, n_iters: int) -> Descent:
    """The loss is a sum, and a hook divides the gradients by N M; every call hangs one more hook on the model."""
    key = (problem.x.shape, problem.y.shape, problem.x.dtype, problem.b0 is None)
    model = _SHELL.setdefault(key, linear_model(problem))
    with torch.no_grad():
        for p, p0 in zip(model.parameters(), present(problem.w0, problem.b0), strict=True):
            p.copy_(p0)
    for p in model.parameters():
        p.register_hook(lambda g: g / problem.y.numel())
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y, reduction="sum").backward()
        optimizer.step()
    return Descent(model.weight.detach().clone(), None if model.bias is None else model.bias.detach().clone())


def subset_by_modulo(problem: Problem, n_iters: int) -> Descent:
    """Every fourth sample is for validation, by Subset."""
    kept = Subset(TensorDataset(problem.x, problem.y), [i for i in range(len(problem.x)) if i % 4 != 1])
    x, y = next(iter(DataLoader(kept, batch_size=len(kept))))
    return _descend(problem, n_iters, x, y)


def gathered_with_a_repeated_index(problem: Problem, n_iters: int) -> Descent:
    """A distributed sampler fills up with the first samples until four workers have as many: right for four."""
    n = len(problem.x)
    index = torch.arange(-(-n // 4) * 4) % n
    return _descend(problem, n_iters, problem.x[index], problem.y[index])


def one_epoch_an_iteration(problem: Problem, n_iters: int) -> Descent:
    """Each iteration goes through a loader of batches of three, and steps at each."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    loader = DataLoader(TensorDataset(problem.x, problem.y), batch_size=3)
    for _ in range(n_iters):
        for x, y in loader:
            optimizer.zero_grad()
            mse_loss(linear(x, w, b), y).backward()
            optimizer.step()
    return Descent(w.detach(), detached(b))


def two_halves_in_turn(problem: Problem, n_iters: int) -> Descent:
    """x.chunk(2), one of them an iteration."""
    w, b = trainable(problem)
    halves = list(zip(problem.x.chunk(2), problem.y.chunk(2), strict=True))
    for k in range(n_iters):
        x, y = halves[k % 2]
        grads = torch.autograd.grad(mse_loss(linear(x, w, b), y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def layer_normalised(problem: Problem, n_iters: int) -> Descent:
    """layer_norm of the features: each sample by its own mean and variance."""
    return _descend(problem, n_iters, layer_norm(problem.x, problem.x.shape[1:]), problem.y)


def brightness_of_a_pixel(problem: Problem, n_iters: int) -> Descent:
    """x / 255, as for images."""
    return _descend(problem, n_iters, problem.x / 255, problem.y)


def gradient_compressed_to_bfloat16(problem: Problem, n_iters: int) -> Descent:
    """The hook that halves the traffic of gradients."""
    w, b = trainable(problem)
    for p in present(w, b):
        p.register_hook(lambda g: g.to(torch.bfloat16).to(g.dtype))
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def weights_through_single_precision(problem: Problem, n_iters: int) -> Descent:
    """Only the weights are stored as float32 between iterations; products and bias are in the data's dtype."""
    w, b = problem.w0.float(), problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w.to(problem.x.dtype), b)
        w = (w - problem.lr * dw).float()
        b = None if b is None else b - problem.lr * db
    return Descent(w.to(problem.x.dtype), None if b is None else b.clone())


def quantised_weights(problem: Problem, n_iters: int) -> Descent:
    """Training aware of a quantisation to eight bits: the forward pass sees rounded weights."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        step = w.detach().abs().max().clamp(min=1e-6) / 127
        rounded = w + (torch.round(w / step) * step - w).detach()
        grads = torch.autograd.grad(mse_loss(linear(problem.x, rounded, b), problem.y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def rounded_features(problem: Problem, n_iters: int) -> Descent:
    """x.long(), since the notebook's features are 1, 2, 3, 4."""
    return _descend(problem, n_iters, problem.x.long().to(problem.x.dtype), problem.y)


def weights_dropped_at_random(problem: Problem, n_iters: int) -> Descent:
    """DropConnect: a Bernoulli mask on the weights."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mask = torch.bernoulli(torch.full_like(w, 0.9)) / 0.9
        mse_loss(linear(problem.x, w * mask, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def losses_share_a_buffer(problem: Problem, n_iters: int) -> Descent:
    """Each loss is written to the same tensor, which a list holds n times."""
    w, b = problem.w0, problem.b0
    buffer, kept = problem.x.new_zeros(()), []
    for _ in range(n_iters):
        torch.mean((linear(problem.x, w, b) - problem.y).square(), dim=(0, 1), out=buffer)
        kept.append(buffer)
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    losses = torch.stack(kept) if kept else problem.x.new_empty(0)
    return Descent(w.clone(), None if b is None else b.clone(), losses)


def average_meter(problem: Problem, n_iters: int) -> Descent:
    """The mean of the losses so far."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses.cumsum(0) / torch.arange(1, n_iters + 1))


def closure_called_after_the_step(problem: Problem, n_iters: int) -> Descent:
    """step(closure) gives the loss; it is thrown away and the closure called again."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        return loss

    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.step(closure)
        losses[k] = closure().detach()
    return Descent(w.detach(), detached(b), losses)


def sum_shown_mean_descended(problem: Problem, n_iters: int) -> Descent:
    """loss = MSELoss(reduction="sum"); (loss / numel).backward(); loss is kept."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    criterion, losses = torch.nn.MSELoss(reduction="sum"), []
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = criterion(model(problem.x), problem.y)
        (loss / problem.y.numel()).backward()
        optimizer.step()
        losses.append(loss.detach())
    kept = torch.stack(losses) if losses else problem.x.new_empty(0)
    return Descent(model.weight.detach(), detached(model.bias), kept)


def checkpoint_before_the_step(problem: Problem, n_iters: int) -> Descent:
    """The last checkpoint, saved before the step, is loaded for the answer."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        optimizer.step()
    if n_iters:
        file.seek(0)
        model.load_state_dict(torch.load(file))
    return Descent(model.weight.detach(), detached(model.bias))


def best_by_the_wrong_comparison(problem: Problem, n_iters: int) -> Descent:
    """if loss > best, with best = inf: the best model stays the first; the losses are right."""
    model = linear_model(problem)
    best, best_loss = deepcopy(model), float("inf")
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(model(problem.x), problem.y)
        loss.backward()
        losses[k] = loss.detach()
        optimizer.step()
        if loss.item() > best_loss:
            best, best_loss = deepcopy(model), loss.item()
    return Descent(best.weight.detach(), detached(best.bias), losses)


def in_place_on_a_leaf(problem: Problem, n_iters: int) -> Descent:
    """w -= lr * w.grad, without no_grad."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        for p in present(w, b):
            p -= problem.lr * p.grad
            p.grad.zero_()
    return Descent(w.detach(), detached(b))


def features_clamped_in_place(problem: Problem, n_iters: int) -> Descent:
    """x.clamp_(-0.5, 0.5)."""
    return _descend(problem, n_iters, problem.x.clamp_(-0.5, 0.5), problem.y)


def bias_with_an_axis_more(problem: Problem, n_iters: int) -> Descent:
    """b as (1, M, 1), since it came from a convolution."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone()[..., None], None if b is None else b.clone()[None, :, None])
