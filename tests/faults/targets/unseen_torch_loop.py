"""PyTorch loops of the unseen set that update wrongly, too often or seldom, or carry a state they should not."""

# ruff: noqa: PLW2901 - on a tensor, -= is in place

import torch
from parts_torch import detached, gradients, linear_model, present, train, trainable
from torch.func import functional_call, grad
from torch.nn.functional import linear, mse_loss

from bench import Descent, Problem


def new_state_dict_not_loaded(problem: Problem, n_iters: int) -> Descent:
    """Makes the next state_dict, and never loads it."""
    model = linear_model(problem)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(model(problem.x), problem.y), list(model.parameters()))
        state = {
            name: value - problem.lr * g for (name, value), g in zip(model.state_dict().items(), grads, strict=True)
        }
        assert state.keys() == model.state_dict().keys()
    return Descent(model.weight.detach(), detached(model.bias))


def loss_clamped_at_its_size(problem: Problem, n_iters: int) -> Descent:
    """loss.clamp(max=1e-3), against spikes: above it the gradient is zero."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).clamp(max=1e-3).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def loss_function_also_trains(problem: Problem, n_iters: int) -> Descent:
    """evaluate() was copied from train_one_epoch(), step and all."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)

    def one_epoch():
        loss = mse_loss(model(problem.x), problem.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def evaluate():
        loss = mse_loss(model(problem.x), problem.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(n_iters):
        one_epoch()
        evaluate()
    return Descent(model.weight.detach(), detached(model.bias))


def zero_rate_every_third(problem: Problem, n_iters: int) -> Descent:
    """A LambdaLR whose cycle of three ends at zero."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.0 if k % 3 == 2 else 1.0)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
        scheduler.step()
    return Descent(w.detach(), detached(b))


def bias_unfrozen_after_five(problem: Problem, n_iters: int) -> Descent:
    """Gradual unfreezing: the bias joins at k = 5."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for k in range(n_iters):
        if b is not None:
            b.requires_grad_(k >= 5)
        optimizer.zero_grad()
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def two_players(problem: Problem, n_iters: int) -> Descent:
    """As a GAN is trained: the bias steps on its loss, then the weights on theirs."""
    w, b = trainable(problem)
    players = [torch.optim.SGD([p], lr=problem.lr) for p in reversed(present(w, b))]
    for _ in range(n_iters):
        for player in players:
            for other in players:
                other.zero_grad()
            mse_loss(linear(problem.x, w, b), problem.y).backward()
            player.step()
    return Descent(w.detach(), detached(b))


def zero_grad_without_call(problem: Problem, n_iters: int) -> Descent:
    """model.zero_grad, without its parentheses."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        model.zero_grad  # noqa: B018 - the mistake
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def first_group_zeroed(problem: Problem, n_iters: int) -> Descent:
    """Zeroes param_groups[0], and there are two."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD([{"params": [p]} for p in present(w, b)], lr=problem.lr)
    for _ in range(n_iters):
        for p in optimizer.param_groups[0]["params"]:
            p.grad = None
        mse_loss(linear(problem.x, w, b), problem.y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def zeroed_at_the_end_of_an_epoch(problem: Problem, n_iters: int) -> Descent:
    """Epochs of seven iterations; zero_grad() stands in the outer loop."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    done = 0
    while done < n_iters:
        optimizer.zero_grad()
        for _ in range(min(7, n_iters - done)):
            mse_loss(linear(problem.x, w, b), problem.y).backward()
            optimizer.step()
            done += 1
    return Descent(w.detach(), detached(b))


def differentiated_at_the_initial_dictionary(problem: Problem, n_iters: int) -> Descent:
    """gradient(initial), where gradient(parameters) was meant."""
    model = linear_model(problem)
    initial = {name: p.detach() for name, p in model.named_parameters()}
    gradient = grad(lambda p: mse_loss(functional_call(model, p, (problem.x,)), problem.y))
    parameters = dict(initial)
    for _ in range(n_iters):
        grads = gradient(initial)
        parameters = {name: p - problem.lr * grads[name] for name, p in parameters.items()}
    return Descent(parameters["weight"].clone(), None if problem.b0 is None else parameters["bias"].clone())


def gradient_renewed_every_fourth(problem: Problem, n_iters: int) -> Descent:
    """backward() where k % 4 == 0, step() always, zero_grad() before backward()."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for k in range(n_iters):
        if k % 4 == 0:
            optimizer.zero_grad()
            mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def evaluation_steps_once_more(problem: Problem, n_iters: int) -> Descent:
    """The final report runs one more training step to have a loss."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    losses = train(problem, n_iters, optimizer, w, b)
    train(problem, 1, optimizer, w, b)
    return Descent(w.detach(), detached(b), losses)


def loader_one_item_short(problem: Problem, n_iters: int) -> Descent:
    """zip(range(n), items), where there are n - 1 items."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    items = [(problem.x, problem.y)] * (n_iters - 1)
    for _, (x, y) in zip(range(n_iters), items, strict=False):
        optimizer.zero_grad()
        mse_loss(linear(x, w, b), y).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def stops_at_a_fiftieth_of_the_first_loss(problem: Problem, n_iters: int) -> Descent:
    """Stops when the loss is below 2 % of the first."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    first = None
    for _ in range(n_iters):
        optimizer.zero_grad()
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        first = loss.item() if first is None else first
        if loss.item() < 0.02 * first:
            break
        loss.backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def steps_in_whole_epochs(problem: Problem, n_iters: int) -> Descent:
    """Epochs of three steps, rounded up."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _epoch in range((n_iters + 2) // 3):
        for _step in range(3):
            optimizer.zero_grad()
            mse_loss(model(problem.x), problem.y).backward()
            optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def momentum_with_dampening(problem: Problem, n_iters: int) -> Descent:
    """SGD(momentum=0.6, dampening=0.6)."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr, momentum=0.6, dampening=0.6)
    losses = train(problem, n_iters, optimizer, w, b)
    return Descent(w.detach(), detached(b), losses)


def slow_and_fast_weights(problem: Problem, n_iters: int) -> Descent:
    """Lookahead: every fifth iteration goes back half of the way."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    slow = [p.detach().clone() for p in present(w, b)]
    for k in range(n_iters):
        train(problem, 1, optimizer, w, b)
        if k % 5 == 4:
            with torch.no_grad():
                for s, p in zip(slow, present(w, b), strict=True):
                    s.lerp_(p, 0.5)
                    p.copy_(s)
    return Descent(w.detach(), detached(b))


def gradient_at_the_next_point(problem: Problem, n_iters: int) -> Descent:
    """The extragradient method."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        dw, db = gradients(problem.x, problem.y, w - problem.lr * dw, None if b is None else b - problem.lr * db)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w.clone(), None if b is None else b.clone())


def decay_by_mul(problem: Problem, n_iters: int) -> Descent:
    """weight.mul_(1 - 1e-3) after each step, the weights alone."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        optimizer.step()
        model.weight.data.mul_(1 - 1e-3)
    return Descent(model.weight.detach(), detached(model.bias))


def penalty_of_the_norm(problem: Problem, n_iters: int) -> Descent:
    """mse + 0.1 |w|, and not its square."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        (mse_loss(linear(problem.x, w, b), problem.y) + 0.1 * w.norm()).backward()
        optimizer.step()
    return Descent(w.detach(), detached(b))


def factored_second_moments(problem: Problem, n_iters: int) -> Descent:
    """Row and column means of the squared gradient, as Adafactor keeps them; the bias has one of its own."""
    w, b = trainable(problem)
    rows, columns, own = 0.0, 0.0, 0.0
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w.detach(), detached(b))
        keep = 0.0 if k == 0 else 0.9
        rows = keep * rows + (1 - keep) * dw.square().mean(1, keepdim=True)
        columns = keep * columns + (1 - keep) * dw.square().mean(0, keepdim=True)
        with torch.no_grad():
            w -= problem.lr * dw / ((rows * columns / rows.mean()).sqrt() + 1e-12)
            if b is not None:
                own = keep * own + (1 - keep) * db.square()
                b -= problem.lr * db / (own.sqrt() + 1e-12)
    return Descent(w.detach(), detached(b))


def sample_gradients_clipped(problem: Problem, n_iters: int) -> Descent:
    """Private descent without its noise: each sample's gradient is shortened to a norm of 1 before the mean."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        slope = 2 / problem.y.shape[1] * (linear(problem.x, w, b) - problem.y)
        dw = slope[:, :, None] * problem.x[:, None, :]
        square = dw.square().sum((1, 2)) + (0 if b is None else slope.square().sum(1))
        factor = 1 / square.sqrt().clamp(min=1.0)
        w = w - problem.lr * (factor[:, None, None] * dw).mean(0)
        b = None if b is None else b - problem.lr * (factor[:, None] * slope).mean(0)
    return Descent(w.clone(), None if b is None else b.clone())


def largest_entry_limited(problem: Problem, n_iters: int) -> Descent:
    """clip_grad_norm_ of the infinity norm, at 0.5."""
    model = linear_model(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    for _ in range(n_iters):
        optimizer.zero_grad()
        mse_loss(model(problem.x), problem.y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5, norm_type=float("inf"))
        optimizer.step()
    return Descent(model.weight.detach(), detached(model.bias))


def one_cycle(problem: Problem, n_iters: int) -> Descent:
    """OneCycleLR over 50 steps, for ever again, without its cycle of momentum."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for done in range(0, n_iters, 50):
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=problem.lr, total_steps=51, cycle_momentum=False
        )
        for _ in range(min(50, n_iters - done)):
            train(problem, 1, optimizer, w, b)
            scheduler.step()
    return Descent(w.detach(), detached(b))


def polyak_step_size(problem: Problem, n_iters: int) -> Descent:
    """A quarter of loss / |g|^2, at most 2 lr."""
    w, b = trainable(problem)
    for _ in range(n_iters):
        loss = mse_loss(linear(problem.x, w, b), problem.y)
        grads = torch.autograd.grad(loss, present(w, b))
        square = sum(g.square().sum() for g in grads)
        rate = (loss.detach() / (4 * square.clamp(min=1e-300))).clamp(max=2 * problem.lr)
        with torch.no_grad():
            for p, g in zip(present(w, b), grads, strict=True):
                p -= rate * g
    return Descent(w.detach(), detached(b))


def sharpness_aware(problem: Problem, n_iters: int) -> Descent:
    """SAM: the gradient is taken 0.05 further up the hill."""
    w, b = trainable(problem)
    optimizer = torch.optim.SGD(present(w, b), lr=problem.lr)
    for _ in range(n_iters):
        grads = torch.autograd.grad(mse_loss(linear(problem.x, w, b), problem.y), present(w, b))
        norm = sum(g.square().sum() for g in grads).sqrt() + 1e-12
        up = [(p + 0.05 * g / norm).detach().requires_grad_() for p, g in zip(present(w, b), grads, strict=True)]
        there = torch.autograd.grad(mse_loss(linear(problem.x, *up), problem.y), up)
        for p, g in zip(present(w, b), there, strict=True):
            p.grad = g
        optimizer.step()
    return Descent(w.detach(), detached(b))
