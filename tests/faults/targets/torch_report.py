"""PyTorch loops that report other losses or another state than they had, or break the contract of their reply."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.nn.functional import l1_loss, linear, mse_loss

from bench import Descent, Problem, Unsupported


def loss_after_the_step(problem: Problem, n_iters: int) -> Descent:
    """The loss is evaluated after optimizer.step()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        with torch.no_grad():
            losses[k] = mse_loss(model(problem.x), problem.y)
    return Descent(model.weight.detach(), detached(model.bias), losses)


def printed_before_renewed(problem: Problem, n_iters: int) -> Descent:
    """The loss of the iteration before is kept, and zero in the first."""
    w, b = trainable(problem)
    losses = problem.x.new_zeros(n_iters)
    loss = problem.x.new_zeros(())
    for k in range(n_iters):
        losses[k] = loss.detach()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        grads = torch.autograd.grad(loss, present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b), losses)


def first_loss_for_ever(problem: Problem, n_iters: int) -> Descent:
    """losses.fill_(loss) at k = 0."""
    w, b = problem.w0, problem.b0
    losses = problem.x.new_empty(n_iters).fill_(mse_loss(linear(problem.x, w, b), problem.y))
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone(), losses)


def running_sum(problem: Problem, n_iters: int) -> Descent:
    """loss.item() * len(x), as in a loop over batches, never divided by the count; per element of the output."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, w, b) * problem.y.numel()
    return Descent(w.detach(), detached(b), losses)


def half_loss_reported(problem: Problem, n_iters: int) -> Descent:
    """Half the loss, whose derivative looks nicer."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b) / 2
    return Descent(w.detach(), detached(b), losses)


def rmse_reported(problem: Problem, n_iters: int) -> Descent:
    """losses.sqrt()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias).sqrt()
    return Descent(model.weight.detach(), detached(model.bias), losses)


def loss_of_the_first_batch(problem: Problem, n_iters: int) -> Descent:
    """The loss is of the first three samples, the gradient of all."""
    w, b = problem.w0, problem.b0
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        losses[k] = mse_loss(linear(problem.x[:3], w, b), problem.y[:3])
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone(), losses)


def best_state_of_the_epoch_before(problem: Problem, n_iters: int) -> Descent:
    """The state of the lowest loss is kept at each loss, and so the last update is never in it."""
    w, b = problem.w0, problem.b0
    best, losses = (w, b), problem.x.new_empty(n_iters)
    for k in range(n_iters):
        losses[k] = mse_loss(linear(problem.x, w, b), problem.y)
        best = (w, b)
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(best[0].clone(), None if b is None else best[1].clone(), losses)


def returns_w0(problem: Problem, n_iters: int) -> Descent:
    """The model was trained; problem.w0 is what is returned."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    return Descent(problem.w0.clone(), None if problem.b0 is None else problem.b0.clone(), losses)


def restored_under_the_result(problem: Problem, n_iters: int) -> Descent:
    """The result shares memory with the model, which is then put back to its start for the next user."""
    model = linear_model(problem)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, model.weight, model.bias)
    result = Descent(model.weight.detach(), detached(model.bias), losses)
    model.load_state_dict(initial)
    return result


def parameters_cleared_under_the_result(problem: Problem, n_iters: int) -> Descent:
    """The result is a view of a workspace that is zeroed for its next use."""
    workspace = problem.w0.clone()
    b = problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, workspace, b)
        workspace -= problem.lr * dw
        b = None if b is None else b - problem.lr * db
    result = Descent(workspace, None if b is None else b.clone())
    workspace.zero_()
    return result


def weight_of_another_layout(problem: Problem, n_iters: int) -> Descent:
    """w is returned as it was kept, (D, M); right where both are 1."""
    w, b = problem.w0.T.clone(), problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w.T, b)
        w = w - problem.lr * dw.T
        b = None if b is None else b - problem.lr * db
    return Descent(w, None if b is None else b.clone())


def squeezed_weights(problem: Problem, n_iters: int) -> Descent:
    """w.squeeze() takes away the axes of length 1, of which there are two in the notebook and often none."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach().reshape(-1), detached(b), losses)


def losses_as_a_list(problem: Problem, n_iters: int) -> Descent:
    """A list of floats."""
    w, b = trainable(problem)
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses.tolist())


def numpy_arrays_back(problem: Problem, n_iters: int) -> Descent:
    """.numpy(), for the plot."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.numpy(), None if b is None else b.numpy())


def float_model(problem: Problem, n_iters: int) -> Descent:
    """nn.Linear without a dtype, and the data made to fit it."""
    m, d = problem.w0.shape
    model = torch.nn.Linear(d, m, bias=problem.b0 is not None)
    with torch.no_grad():
        model.weight.copy_(problem.w0)
        if problem.b0 is not None:
            model.bias.copy_(problem.b0)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x.float()), problem.y.float()).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def losses_of_default_dtype(problem: Problem, n_iters: int) -> Descent:
    """torch.empty(n_iters)."""
    w, b = trainable(problem)
    losses = torch.empty(n_iters)
    losses[:] = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def divided_by_k(problem: Problem, n_iters: int) -> Descent:
    """The rate decays as lr / k, from k = 0."""
    w, b = problem.w0, problem.b0
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        rate = problem.lr / torch.tensor(float(k), dtype=w.dtype)
        w = w - rate * dw
        b = None if b is None else b - rate * db
    return Descent(w.clone(), None if b is None else b.clone())


def ones_standardised_too(problem: Problem, n_iters: int) -> Descent:
    """The column of ones is appended before the columns are divided by their deviations: 0 / 0."""
    if problem.b0 is None:
        raise Unsupported("written for a model with a bias")
    a = torch.cat([problem.x, problem.x.new_ones(len(problem.x), 1)], 1)
    a = (a - a.mean(0)) / a.std(0)
    theta = torch.cat([problem.w0, problem.b0[:, None]], 1)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.numel() * (a @ theta.T - problem.y).T @ a
    return Descent(theta[:, :-1].clone(), theta[:, -1].clone())


def trains_w0_itself(problem: Problem, n_iters: int) -> Descent:
    """problem.w0.requires_grad_(): the optimizer writes to the caller's tensor."""
    w, b = problem.w0.requires_grad_(), None if problem.b0 is None else problem.b0.requires_grad_()
    losses = train(problem, n_iters, torch.optim.SGD(present(w, b), lr=problem.lr), w, b)
    return Descent(w.detach(), detached(b), losses)


def subtracts_the_mean_in_place(problem: Problem, n_iters: int) -> Descent:
    """x.sub_(x.mean(0)) on the caller's tensor."""
    x = problem.x.sub_(problem.x.mean(0))
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def second_backward(problem: Problem, n_iters: int) -> Descent:
    """backward() a second time through the same graph."""
    w, b = trainable(problem)
    loss = mse_loss(linear(problem.x, w, b), problem.y)
    for _ in range(n_iters):
        loss.backward()
        with torch.no_grad():
            for p in present(w, b):
                p -= problem.lr * p.grad
                p.grad = None
    return Descent(w.detach(), detached(b))


def absolute_error_reported(problem: Problem, n_iters: int) -> Descent:
    """The mean absolute error is kept; the mean square is descended."""
    w, b = trainable(problem)
    losses = problem.x.new_empty(n_iters)
    for k in range(n_iters):
        prediction = linear(problem.x, w, b)
        losses[k] = l1_loss(prediction, problem.y).detach()
        grads = torch.autograd.grad(mse_loss(prediction, problem.y), present(w, b))
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= problem.lr * g
    return Descent(w.detach(), detached(b), losses)
