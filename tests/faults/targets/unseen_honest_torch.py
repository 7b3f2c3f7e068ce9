"""Honest PyTorch loops of the unseen set: gradient descent in unusual clothes. All of these must be proved."""

import torch
from parts_torch import detached, linear_model, present, train, trainable
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, grad, hessian, vmap
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


class _OwnOptimizer(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad)


def optimizer_of_ones_own(problem: Problem, n_iters: int) -> Descent:
    """A subclass of Optimizer whose step is the textbook's."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, _OwnOptimizer(present(w, b), problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def cotangent_of_the_mean(problem: Problem, n_iters: int) -> Descent:
    """reduction="none", and backward is given 1 / (N M) for each element."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad(set_to_none=False)
        loss = mse_loss(linear(problem.x, w, b), problem.y, reduction="none")
        loss.backward(torch.full_like(loss, 1 / loss.numel()))
        optimizer.step()
    return Descent(w.detach(), detached(b))


def one_backward_an_output(problem: Problem, n_iters: int) -> Descent:
    """Each output has its own backward pass, and the gradients add up."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        output = linear(problem.x, w, b)
        for j in range(output.shape[1]):
            ((output[:, j] - problem.y[:, j]).square().sum() / output.numel()).backward(retain_graph=True)
        optimizer.step()
    return Descent(w.detach(), detached(b))


def hessian_and_gradient_at_zero(problem: Problem, n_iters: int) -> Descent:
    """The objective is a parabola: its gradient is H theta plus the gradient at zero, both by torch.func."""
    flat = torch.cat([p.flatten() for p in present(problem.w0, problem.b0)])
    size = problem.w0.numel()

    def objective(theta):
        b = None if problem.b0 is None else theta[size:]
        return mse_loss(linear(problem.x, theta[:size].view_as(problem.w0), b), problem.y)

    zero = torch.zeros_like(flat)
    h, g = hessian(objective)(zero), grad(objective)(zero)
    for _ in range(n_iters):
        flat = flat - problem.lr * (h @ flat + g)
    return Descent(flat[:size].view_as(problem.w0).clone(), None if problem.b0 is None else flat[size:].clone())


def every_output_on_its_own(problem: Problem, n_iters: int) -> Descent:
    """vmap over the outputs: M regressions, and a rate over M for each."""
    m = problem.y.shape[1]
    biased = problem.b0 is not None

    def loss(w, b, y):
        return (problem.x @ w + b - y).square().mean()

    gradient = vmap(grad(loss, argnums=(0, 1)), in_dims=(0, 0, 1))
    w, b = problem.w0.clone(), problem.b0.clone() if biased else problem.w0.new_zeros(m)
    for _ in range(n_iters):
        dw, db = gradient(w, b, problem.y)
        w = w - problem.lr / m * dw
        b = b - problem.lr / m * db if biased else b
    return Descent(w, b if biased else None)


def sparse_features(problem: Problem, n_iters: int) -> Descent:
    """x as a sparse tensor of coordinates, by hand."""
    x, transposed = problem.x.to_sparse(), problem.x.T.contiguous().to_sparse()
    w, b = problem.w0.T.contiguous(), problem.b0
    for _ in range(n_iters):
        slope = 2 / problem.y.numel() * (torch.sparse.mm(x, w) + (0 if b is None else b) - problem.y)
        w = w - problem.lr * torch.sparse.mm(transposed, slope)
        b = None if b is None else b - problem.lr * slope.sum(0)
    return Descent(w.T.clone(), None if b is None else b.clone())


def saved_tensors_packed(problem: Problem, n_iters: int) -> Descent:
    """What autograd saves is copied on the way in and handed back on the way out."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        with saved_tensors_hooks(torch.clone, lambda kept: kept):
            loss = mse_loss(linear(problem.x, w, b), problem.y)
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def mixed_precision_switched_off(problem: Problem, n_iters: int) -> Descent:
    """autocast(enabled=False) and a GradScaler(enabled=False), as scripts have them for the CPU."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for _ in range(n_iters):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=False):
            loss = mse_loss(model(problem.x), problem.y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    return Descent(model.weight.detach(), detached(model.bias))


def weights_of_one_for_all_samples(problem: Problem, n_iters: int) -> Descent:
    """A weighted mean whose weights are all three."""
    w, b = trainable(problem)
    weights = torch.full_like(problem.y, 3.0)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        loss = (weights * (linear(problem.x, w, b) - problem.y).square()).sum() / weights.sum()
        loss.backward()
        losses[k] = loss.detach()
        optimizer.step()
    return Descent(w.detach(), detached(b), losses)


def dropout_in_evaluation(problem: Problem, n_iters: int) -> Descent:
    """Dropout of a half and an identity stand around the layer; the model is in eval()."""
    inner = linear_model(problem)
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), inner, torch.nn.Identity()).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr, maximize=False)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(inner.weight.detach(), detached(inner.bias))


class _TwoParts(torch.nn.Module):
    """Features in two halves, each with its own weights."""

    def __init__(self, w, b):
        super().__init__()
        self.parts = torch.nn.ParameterList(p.clone() for p in w.tensor_split(2, dim=1))
        self.register_parameter("bias", None if b is None else torch.nn.Parameter(b.clone()))

    def forward(self, x):
        parts = zip(x.tensor_split(2, dim=1), self.parts, strict=True)
        output = sum(piece @ w.T for piece, w in parts)
        return output if self.bias is None else output + self.bias


def module_in_two_parts(problem: Problem, n_iters: int) -> Descent:
    """functional_call of a module that keeps the weights in two pieces."""
    model = _TwoParts(problem.w0, problem.b0)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    gradient = grad(lambda p: mse_loss(functional_call(model, p, (problem.x,)), problem.y))
    for _ in range(n_iters):
        parameters = {name: parameters[name] - problem.lr * g for name, g in gradient(parameters).items()}
    w = torch.cat([parameters["parts.0"], parameters["parts.1"]], dim=1)
    return Descent(w, parameters["bias"].clone() if "bias" in parameters else None)


def negative_loss_maximised(problem: Problem, n_iters: int) -> Descent:
    """Two signs that cancel: maximize=True on the negative loss."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, maximize=True)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (-mse_loss(linear(problem.x, w, b), problem.y)).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))
