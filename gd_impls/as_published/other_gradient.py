"""A cell that updates one tensor by the gradient of another."""

import torch

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import only_a_line_through_the_origin


@variant("notebook-001-autograd", backend="torch", family="as-published", expect="update.never")
def notebook_001_autograd(problem: Problem, n_iters: int) -> Descent:
    """Notebook 001, autograd cell: the parameter moves by the gradient of another tensor, which is zero.

    It prints a loss of 30.00000000 ten times. The two tensors have one name but for its case, and the other is left
    from a cell on the chain rule: there backward gave it a gradient of -1, and an earlier execution of this cell zeroed
    it. So the parameter stays where it was, while its own gradient, which nothing zeroes, adds up unused.
    """
    only_a_line_through_the_origin(problem)
    x, y, lr = problem.x[:, 0], problem.y[:, 0], problem.lr
    other = x.new_tensor(1.5).requires_grad_()
    other.grad = torch.zeros_like(other)
    parameter = problem.w0[0].clone().requires_grad_()
    losses = x.new_empty(n_iters)
    for k in range(n_iters):
        loss = ((y - parameter * x) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            losses[k] = loss
            parameter -= lr * other.grad
        other.grad.zero_()
    return Descent(parameter.detach().reshape(1, 1), None, losses)
