"""PyTorch loops that see other samples than the problem's, or see them, or the state, with fewer digits."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, trainable
from torch.nn.functional import linear, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from bench import Descent, Problem


def _fit(problem, x, y, n_iters):
    w, b = trainable(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(x, w, b), y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def drop_last(problem: Problem, n_iters: int) -> Descent:
    """DataLoader(drop_last=True) with a batch that does not divide N; one batch is all that is left."""
    size = max(1, len(problem.x) - 1)
    loader = DataLoader(TensorDataset(problem.x, problem.y), batch_size=size, drop_last=True)
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        for x, y in loader:
            optimizer.zero_grad()
            mse_loss(model(x), y).backward()
            optimizer.step()
            break
    return Descent(model.weight.detach(), detached(model.bias))


def validation_split(problem: Problem, n_iters: int) -> Descent:
    """The last tenth, rounded up, is set aside."""
    kept = len(problem.x) - -(-len(problem.x) // 10)
    return _fit(problem, problem.x[:kept], problem.y[:kept], n_iters)


def masked_sample(problem: Problem, n_iters: int) -> Descent:
    """A mask takes the first sample for padding; the mean is over all."""
    mask = torch.ones_like(problem.y)
    mask[0] = 0
    w, b = trainable(problem)
    for _ in range(n_iters):
        ((linear(problem.x, w, b) - problem.y).pow(2) * mask).mean().backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b))


def padded_with_the_last(problem: Problem, n_iters: int) -> Descent:
    """The last sample fills the batch up to an even number, or once more where N is even."""
    again = 1 if len(problem.x) % 2 else 2
    x = torch.cat([problem.x, problem.x[-1:].repeat(again, 1)])
    y = torch.cat([problem.y, problem.y[-1:].repeat(again, 1)])
    return _fit(problem, x, y, n_iters)


def sampled_with_replacement(problem: Problem, n_iters: int) -> Descent:
    """A bootstrap sample, drawn once with a seed."""
    chosen = torch.randint(len(problem.x), (len(problem.x),), generator=torch.Generator().manual_seed(3))
    return _fit(problem, problem.x[chosen], problem.y[chosen], n_iters)


def cycled_loader(problem: Problem, n_iters: int) -> Descent:
    """One batch of the loader an iteration, in order."""
    loader = DataLoader(TensorDataset(problem.x, problem.y), batch_size=3)
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    done = 0
    while done < n_iters:
        for x, y in loader:
            if done == n_iters:
                break
            optimizer.zero_grad()
            mse_loss(linear(x, w, b), y).backward()
            optimizer.step()
            done += 1
    return Descent(w.detach(), detached(b))


def random_batches(problem: Problem, n_iters: int) -> Descent:
    """torch.randperm(N)[:N // 2] in each iteration."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        chosen = torch.randperm(len(problem.x))[: max(1, len(problem.x) // 2)]
        dw, db = gradients(problem.x[chosen], problem.y[chosen], w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def one_row_an_iteration(problem: Problem, n_iters: int) -> Descent:
    """x[k % N], without a batch axis."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for k in range(n_iters):
        i = k % len(problem.x)
        optimizer.zero_grad()
        mse_loss(linear(problem.x[i], w, b), problem.y[i]).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def last_row_of_the_loop(problem: Problem, n_iters: int) -> Descent:
    """The step stands after the loop over the samples, and the loss is of the last one."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        for x, y in zip(problem.x, problem.y, strict=True):
            loss = mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def standard_scaler(problem: Problem, n_iters: int) -> Descent:
    """(x - mean) / std of torch, which divides by N - 1."""
    x = (problem.x - problem.x.mean(0)) / problem.x.std(0)
    return _fit(problem, x, problem.y, n_iters)


def divided_by_the_largest(problem: Problem, n_iters: int) -> Descent:
    """x / max |x|, column by column."""
    return _fit(problem, problem.x / problem.x.abs().amax(0), problem.y, n_iters)


def batch_norm(problem: Problem, n_iters: int) -> Descent:
    """F.batch_norm of the features before the model."""
    x = torch.nn.functional.batch_norm(problem.x, None, None, training=True)
    return _fit(problem, x, problem.y, n_iters)


def float_everywhere(problem: Problem, n_iters: int) -> Descent:
    """.float() on all that comes in. Right where float32 is what is asked for."""
    x, y, w = problem.x.float(), problem.y.float(), problem.w0.float()
    b = None if problem.b0 is None else problem.b0.float()
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.to(problem.x.dtype), None if b is None else b.to(problem.x.dtype))


def parameters_of_default_dtype(problem: Problem, n_iters: int) -> Descent:
    """The parameters are torch.tensor(list), float32; the products are carried out in the data's dtype."""
    w = torch.tensor(problem.w0.tolist(), requires_grad=True)
    b = None if problem.b0 is None else torch.tensor(problem.b0.tolist(), requires_grad=True)
    dtype = problem.x.dtype
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w.to(dtype), None if b is None else b.to(dtype)), problem.y).backward()
        optimizer.step()
    return Descent(w.detach().to(dtype), None if b is None else b.detach().to(dtype))


def predicted_in_single_precision(problem: Problem, n_iters: int) -> Descent:
    """The forward pass alone is float32."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        prediction = linear(problem.x.float(), w.float(), None if b is None else b.float()).to(problem.y.dtype)
        grads = torch.autograd.grad(mse_loss(prediction, problem.y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b))


def autocast_to_bfloat16(problem: Problem, n_iters: int) -> Descent:
    """torch.autocast on the CPU multiplies in bfloat16, from float32 parameters."""
    x, y = problem.x.float(), problem.y.float()
    w = problem.w0.to(torch.float32, copy=True).requires_grad_()
    b = None if problem.b0 is None else problem.b0.to(torch.float32, copy=True).requires_grad_()
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            prediction = linear(x, w, b)
        mse_loss(prediction.float(), y).backward()
        optimizer.step()
    dtype = problem.x.dtype
    return Descent(w.detach().to(dtype), None if b is None else b.detach().to(dtype))


def bfloat16_state(problem: Problem, n_iters: int) -> Descent:
    """The parameters are stored in bfloat16 between iterations."""
    w, b = problem.w0.bfloat16(), None if problem.b0 is None else problem.b0.bfloat16()
    dtype = problem.x.dtype
    for _ in range(n_iters):
        wide_b = None if b is None else b.to(dtype)
        dw, db = gradients(problem.x, problem.y, w.to(dtype), wide_b)
        w = (w.to(dtype) - problem.lr * dw).bfloat16()
        b = None if b is None else (wide_b - problem.lr * db).bfloat16()
    return Descent(w.to(dtype), None if b is None else b.to(dtype))


def half_state(problem: Problem, n_iters: int) -> Descent:
    """model.half() between iterations."""
    dtype = problem.x.dtype
    w, b = problem.w0.half(), None if problem.b0 is None else problem.b0.half()
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w.to(dtype), None if b is None else b.to(dtype))
        w = w - (problem.lr * dw).half()
        b = None if b is None else b - (problem.lr * db).half()
    return Descent(w.to(dtype), None if b is None else b.to(dtype))


def _tf32(tensor):
    bits = tensor.float().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


def matrix_units_emulated(problem: Problem, n_iters: int) -> Descent:
    """What matrix units of 10 bits do to the inputs of a product, done in software; the sums are float32."""
    dtype = problem.x.dtype
    x, y = problem.x.float(), problem.y.float()
    w, b = problem.w0.float(), None if problem.b0 is None else problem.b0.float()
    for _ in range(n_iters):
        prediction = _tf32(x) @ _tf32(w.T.contiguous())
        slope = 2 / y.numel() * ((prediction if b is None else prediction + b) - y)
        w = w - problem.lr * (_tf32(slope.T.contiguous()) @ _tf32(x))
        b = None if b is None else b - problem.lr * slope.sum(0)
    return Descent(w.to(dtype), None if b is None else b.to(dtype))


def long_parameters(problem: Problem, n_iters: int) -> Descent:
    """The state passes through long() in each iteration."""
    dtype = problem.x.dtype
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = (w - problem.lr * dw).long().to(dtype)
        b = None if b is None else (b - problem.lr * db).long().to(dtype)
    return Descent(w, b)


def one_sided_differences(problem: Problem, n_iters: int) -> Descent:
    """A numerical gradient with eps = 1e-4, forward."""
    x, y = problem.x, problem.y
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()
    for _ in range(n_iters):
        here = mse_loss(linear(x, w, b), y)
        slopes = []
        for p in present(w, b):
            slope = torch.empty_like(p)
            flat, flat_slope = p.view(-1), slope.view(-1)
            for i in range(flat.numel()):
                kept = flat[i].item()
                flat[i] = kept + 1e-4
                flat_slope[i] = (mse_loss(linear(x, w, b), y) - here) / 1e-4
                flat[i] = kept
            slopes.append(slope)
        for p, slope in zip(present(w, b), slopes, strict=True):
            p -= problem.lr * slope
    return Descent(w, b)


def two_sided_differences(problem: Problem, n_iters: int) -> Descent:
    """gradcheck's numerical gradient, eps = 1e-6, central: only its rounding is wrong."""
    x, y = problem.x, problem.y
    w, b = problem.w0.clone(), None if problem.b0 is None else problem.b0.clone()

    def loss(w, b):
        return mse_loss(linear(x, w, b), y)

    for _ in range(n_iters):
        dw = torch.empty_like(w)
        for i in range(w.numel()):
            e = torch.zeros_like(w)
            e.view(-1)[i] = 1e-6
            dw.view(-1)[i] = (loss(w + e, b) - loss(w - e, b)) / 2e-6
        db = None if b is None else torch.empty_like(b)
        for i in range(0 if b is None else len(b)):
            e = torch.zeros_like(b)
            e[i] = 1e-6
            db[i] = (loss(w, b + e) - loss(w, b - e)) / 2e-6
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)
