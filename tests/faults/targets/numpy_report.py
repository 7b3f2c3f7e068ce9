"""NumPy loops that report other losses or another state than they had, or break the contract of their reply."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def loss_after_the_update(problem: Problem, n_iters: int) -> Descent:
    """The loss is worked out at the end of the iteration."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
        losses[k] = mse(y, forward(x, w, b))
    return Descent(w, b, losses)


def history_without_the_start(problem: Problem, n_iters: int) -> Descent:
    """Keeps n + 1 losses and hands back the last n."""
    a, theta = design(problem), stacked(problem)
    history = [np.mean((a @ theta - problem.y) ** 2)]
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        history.append(np.mean((a @ theta - problem.y) ** 2))
    return unstacked(theta, problem, np.array(history[1:], a.dtype))


def loss_of_the_step_before(problem: Problem, n_iters: int) -> Descent:
    """The loss is kept before it is renewed; the first is taken twice."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    loss = mse(y, forward(x, w, b))
    for k in range(n_iters):
        losses[k] = loss
        loss = mse(y, forward(x, w, b))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def prediction_kept_for_the_loss(problem: Problem, n_iters: int) -> Descent:
    """The loss is of a prediction made once before the loop."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    y_pred = forward(x, w, b)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, y_pred)
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def summed_loss(problem: Problem, n_iters: int) -> Descent:
    """The sum of the squares is reported, the mean descended."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.vdot(r, r)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def halved_loss(problem: Problem, n_iters: int) -> Descent:
    """1/2 of the mean square is reported."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = []
    for _ in range(n_iters):
        losses.append(0.5 * mse(y, forward(x, w, b)))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, np.array(losses, x.dtype))


def rooted_loss(problem: Problem, n_iters: int) -> Descent:
    """np.linalg.norm over the root of the count: the root of the mean square."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.linalg.norm(r) / np.sqrt(r.size)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def loss_without_the_last_sample(problem: Problem, n_iters: int) -> Descent:
    """The loss misses a sample; the gradient does not."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y[:-1], forward(x[:-1], w, b))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def validation_loss(problem: Problem, n_iters: int) -> Descent:
    """The loss of the second half of the samples."""
    x, y = problem.x, problem.y
    half = len(x) // 2
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y[half:], forward(x[half:], w, b))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def state_before_the_last_update(problem: Problem, n_iters: int) -> Descent:
    """Appends the state at the top of each iteration and returns the last of the list; the losses are right."""
    a, theta = design(problem), stacked(problem)
    states, losses = [theta], np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        states.append(theta)
        r = a @ theta - problem.y
        losses[k] = np.mean(r**2)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(states[-1], problem, losses)


def wrong_one_of_two_buffers(problem: Problem, n_iters: int) -> Descent:
    """Two buffers in turn, and the one that is read at the end is the older."""
    a, y = design(problem), problem.y
    buffers = [stacked(problem), stacked(problem)]
    for k in range(n_iters):
        old = buffers[k % 2]
        buffers[(k + 1) % 2] = old - problem.lr * 2 / y.size * a.T @ (a @ old - y)
    return unstacked(buffers[max(0, n_iters - 1) % 2], problem)


def returns_the_start(problem: Problem, n_iters: int) -> Descent:
    """Descends, and returns w0 and b0; the losses fall as they should."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, forward(x, w, b))
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(problem.w0.copy(), None if b is None else problem.b0.copy(), losses)


def fit_returns_its_copy(problem: Problem, n_iters: int) -> Descent:
    """fit() works on a copy of the state and its caller returns the original; no losses tell."""

    def fit(theta):
        theta = theta.copy()
        for _ in range(n_iters):
            theta -= problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        return theta

    a, theta = design(problem), stacked(problem)
    fit(theta)
    return unstacked(theta, problem)


def scratch_cleared_on_exit(problem: Problem, n_iters: int) -> Descent:
    """Returns a view of a scratch array that its owner clears on the way out; the losses are right."""
    a, scratch = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    try:
        for k in range(n_iters):
            r = a @ scratch - problem.y
            losses[k] = np.mean(r**2)
            scratch -= problem.lr * 2 / r.size * a.T @ r
        if problem.b0 is None:
            return Descent(scratch.T, None, losses)
        return Descent(scratch[:-1].T, scratch[-1], losses)
    finally:
        scratch.fill(0)


def best_state_is_an_alias(problem: Problem, n_iters: int) -> Descent:
    """Remembers the state to return by reference and goes on with one more step, in place, to see the last loss."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    result, losses = (w, b), np.empty(n_iters, x.dtype)
    for k in range(n_iters + 1):
        if k < n_iters:
            losses[k] = mse(y, forward(x, w, b))
        result = (w, b)
        dw, db = gradients(x, y, w, b)
        w -= problem.lr * dw
        if b is not None:
            b -= problem.lr * db
    return Descent(*result, losses)


def weights_transposed(problem: Problem, n_iters: int) -> Descent:
    """w comes back as (D, M), which is right where D = M."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    found = unstacked(theta, problem)
    return Descent(found.w.T.copy(), found.b)


def bias_as_a_row(problem: Problem, n_iters: int) -> Descent:
    """keepdims=True makes b (1, M)."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0, keepdims=True)
    return Descent(w, b)


def one_loss_too_many(problem: Problem, n_iters: int) -> Descent:
    """n + 1 losses."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = [mse(y, forward(x, w, b))]
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
        losses.append(mse(y, forward(x, w, b)))
    return Descent(w, b, np.array(losses, x.dtype))


def pair_instead_of_descent(problem: Problem, n_iters: int) -> Descent:
    """Returns w and b as a tuple."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return w, b


def single_precision_result(problem: Problem, n_iters: int) -> Descent:
    """float32 from the first line to the last."""
    x, y, w = (array.astype(np.float32) for array in (problem.x, problem.y, problem.w0))
    b = None if problem.b0 is None else problem.b0.astype(np.float32)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - np.float32(problem.lr) * dw
        b = None if b is None else b - np.float32(problem.lr) * db
    return Descent(w, b)


def losses_in_single_precision(problem: Problem, n_iters: int) -> Descent:
    """The array for the losses was made with dtype=np.float32."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, np.float32)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r**2)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def rate_over_k(problem: Problem, n_iters: int) -> Descent:
    """lr / k from k = 0."""
    a, theta = design(problem), stacked(problem)
    for k in np.arange(n_iters, dtype=a.dtype):
        theta = theta - problem.lr / k * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def last_loss_left_nan(problem: Problem, n_iters: int) -> Descent:
    """The losses start as NaN, and the last is never filled in."""
    w, b = start(problem)
    losses = np.full(n_iters, np.nan, w.dtype)
    for k in range(n_iters):
        if k > 0:
            losses[k - 1] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def updates_w0_in_place(problem: Problem, n_iters: int) -> Descent:
    """w is w0 itself."""
    w, b = problem.w0, problem.b0
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w -= problem.lr * dw
        if b is not None:
            b -= problem.lr * db
    return Descent(w, b)


def centres_y_by_force(problem: Problem, n_iters: int) -> Descent:
    """Makes y writeable, subtracts its mean, and gives it to the bias."""
    x, y = problem.x, problem.y
    y.flags.writeable = True
    y -= y.mean(axis=0)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def product_not_transposed(problem: Problem, n_iters: int) -> Descent:
    """x w instead of x w^T: fits, and is right, where D = M = 1 as in the notebook."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        y_pred = x @ w if b is None else x @ w + b
        slope = 2 / y.size * (y_pred - y)
        w = w - problem.lr * slope.T @ x
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)
