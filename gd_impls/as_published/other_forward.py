"""A cell that trains a model with the predictions of another."""

import torch

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import only_a_line_with_a_bias


@variant("notebook-000-linear", backend="torch", family="as-published", expect="update.never")
def notebook_000_linear(problem: Problem, n_iters: int) -> Descent:
    """Notebook 000, nn.Linear cell: the predictions are not the model's, so that its parameters get no gradient.

    The cell calls the ``forward`` of the first half of the notebook, which multiplies by a global w, and the optimizer
    skips parameters without a gradient. That is what is here, and the model never moves. Why the cell's table
    converges all the same: its printing unpacked the model's parameters into names of which one was w, and from then on
    the weight was trained, still without the bias. The first loss it prints, 0.00000000, is of the w before. A variant
    does not print; ``tests/gd_impls/test_as_published.py`` has the cell with its printing.
    """
    only_a_line_with_a_bias(problem)
    x, y = problem.x, problem.y
    model = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1, device=x.device, dtype=x.dtype)
    model.load_state_dict({"weight": problem.w0, "bias": problem.b0})
    w = problem.w0.clone().requires_grad_()
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = loss_function(y, w * x)
        losses[k] = loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return Descent(model.weight.detach(), model.bias.detach(), losses)
