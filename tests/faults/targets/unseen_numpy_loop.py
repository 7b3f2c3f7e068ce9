"""NumPy loops of the unseen set that update wrongly, too often or too seldom, or carry a state that they should not."""

import functools
import itertools
from collections import deque

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


def exception_swallowed(problem: Problem, n_iters: int) -> Descent:
    """An in-place subtraction of floats from a copy made as integers raises, and is passed over; w is never new."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        counts = np.zeros(theta.shape, int)
        try:
            counts -= problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
            theta = theta + counts
        except TypeError:
            pass
    return unstacked(theta, problem)


def _timed(function):
    """A decorator that calls once to warm up and once to measure."""

    @functools.wraps(function)
    def wrapper(*arguments):
        function(*arguments)
        return function(*arguments)

    return wrapper


def decorator_calls_twice(problem: Problem, n_iters: int) -> Descent:
    """The step is decorated by a stopwatch that warms up first."""
    a, theta = design(problem), stacked(problem)

    @_timed
    def step():
        theta.__isub__(problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y))

    for _ in range(n_iters):
        step()
    return unstacked(theta, problem)


def updates_thinned_at_random(problem: Problem, n_iters: int) -> Descent:
    """An update is made with a probability of 0.7, by a seeded generator."""
    a, theta = design(problem), stacked(problem)
    rng = np.random.default_rng(5)
    for _ in range(n_iters):
        if rng.random() < 0.7:
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def blocks_take_turns(problem: Problem, n_iters: int) -> Descent:
    """w in even iterations, b in odd ones."""
    w, b = start(problem)
    for k in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        if k % 2 == 0 or b is None:
            w = w - problem.lr * dw
        else:
            b = b - problem.lr * db
    return Descent(w, b)


def nothing_to_compare_with_at_first(problem: Problem, n_iters: int) -> Descent:
    """`if previous is not None` guards the comparison, and by its indentation the update."""
    a, theta, previous = design(problem), stacked(problem), None
    for _ in range(n_iters):
        r = a @ theta - problem.y
        loss = np.vdot(r, r) / r.size
        if previous is not None and loss <= previous + 1e300:
            theta = theta - problem.lr * 2 / r.size * a.T @ r
        previous = loss
    return unstacked(theta, problem)


def gradients_made_lazily(problem: Problem, n_iters: int) -> Descent:
    """A generator yields each parameter with its gradient; the first is updated before the second is worked out."""
    x, y = problem.x, problem.y
    w, b = start(problem)

    def pairs():
        yield w, 2 / y.size * (forward(x, w, b) - y).T @ x
        if b is not None:
            yield b, 2 / y.size * (forward(x, w, b) - y).sum(axis=0)

    for _ in range(n_iters):
        for parameter, gradient in pairs():
            parameter -= problem.lr * gradient  # noqa: PLW2901 - in place
    return Descent(w, b)


def history_summed(problem: Problem, n_iters: int) -> Descent:
    """theta - lr * sum(history): the gradients so far, and not the last."""
    a, theta, history = design(problem), stacked(problem), []
    for _ in range(n_iters):
        history.append(2 / problem.y.size * a.T @ (a @ theta - problem.y))
        theta = theta - problem.lr * sum(history)
    return unstacked(theta, problem)


def history_summed_and_cleared(problem: Problem, n_iters: int) -> Descent:
    """The same, where the history is cleared whenever it has grown to five."""
    a, theta, history = design(problem), stacked(problem), []
    for _ in range(n_iters):
        history.append(2 / problem.y.size * a.T @ (a @ theta - problem.y))
        theta = theta - problem.lr * sum(history)
        if len(history) == 5:
            history.clear()
    return unstacked(theta, problem)


def sum_of_the_last_three(problem: Problem, n_iters: int) -> Descent:
    """A window of three gradients is summed."""
    a, theta, window = design(problem), stacked(problem), deque(maxlen=3)
    for _ in range(n_iters):
        window.append(2 / problem.y.size * a.T @ (a @ theta - problem.y))
        theta = theta - problem.lr * np.sum(window, axis=0)
    return unstacked(theta, problem)


def dictionary_half_renewed(problem: Problem, n_iters: int) -> Descent:
    """grads["w"] = ..., grads["b"] += ..."""
    x, y = problem.x, problem.y
    params = {"w": problem.w0.copy()} | ({} if problem.b0 is None else {"b": problem.b0.copy()})
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, params["w"], params.get("b")) - y)
        grads["w"] = slope.T @ x
        if "b" in grads:
            grads["b"] += slope.sum(axis=0)
        params = {name: value - problem.lr * grads[name] for name, value in params.items()}
    return Descent(params["w"], params.get("b"))


def queue_of_one(problem: Problem, n_iters: int) -> Descent:
    """Gradients go through a queue that is filled with the first before the loop."""
    a, theta = design(problem), stacked(problem)

    def gradient(at):
        return 2 / problem.y.size * a.T @ (a @ at - problem.y)

    queue = deque([gradient(theta)])
    for _ in range(n_iters):
        queue.append(gradient(theta))
        theta = theta - problem.lr * queue.popleft()
    return unstacked(theta, problem)


def queue_of_two(problem: Problem, n_iters: int) -> Descent:
    """A parameter server with two workers: each gradient arrives two updates late."""
    a, theta = design(problem), stacked(problem)
    queue = deque([np.zeros_like(theta), np.zeros_like(theta)])
    for _ in range(n_iters):
        queue.append(2 / problem.y.size * a.T @ (a @ theta - problem.y))
        theta = theta - problem.lr * queue.popleft()
    return unstacked(theta, problem)


def bias_by_the_error_before(problem: Problem, n_iters: int) -> Descent:
    """The error for the bias is kept from the iteration before; that for the weights is new."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    error = forward(x, w, b) - y
    for _ in range(n_iters):
        db, error = 2 / y.size * error.sum(axis=0), forward(x, w, b) - y
        w = w - problem.lr * 2 / y.size * error.T @ x
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


class _Regression:
    def __init__(self, problem):
        self.problem, self.a, self.theta = problem, design(problem), stacked(problem)

    @functools.cached_property
    def gradient(self):
        return 2 / self.problem.y.size * self.a.T @ (self.a @ self.theta - self.problem.y)

    def step(self):
        self.theta = self.theta - self.problem.lr * self.gradient


def gradient_as_cached_property(problem: Problem, n_iters: int) -> Descent:
    """functools.cached_property where property was meant."""
    model = _Regression(problem)
    for _ in range(n_iters):
        model.step()
    return unstacked(model.theta, problem)


def taken_while_not_greater(problem: Problem, n_iters: int) -> Descent:
    """takewhile(k <= n, count()) has one k too many."""
    a, theta = design(problem), stacked(problem)
    for _ in itertools.takewhile(lambda k: k <= n_iters, itertools.count()):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def pairwise_over_the_iterations(problem: Problem, n_iters: int) -> Descent:
    """for previous, current in pairwise(range(n)): n - 1 pairs."""
    a, theta = design(problem), stacked(problem)
    for _previous, _current in itertools.pairwise(range(n_iters)):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def default_of_a_thousand(problem: Problem, n_iters: int) -> Descent:
    """max_iter=1000, as estimators have it."""
    a, theta = design(problem), stacked(problem)
    for _ in range(min(n_iters, 1000)):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def last_tenth_left_out(problem: Problem, n_iters: int) -> Descent:
    """n - n // 10 updates, the rest was to cool down."""
    a, theta = design(problem), stacked(problem)
    for k in range(n_iters):
        rate = problem.lr if k < n_iters - n_iters // 10 else 0.0
        theta = theta - rate * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def blocks_that_double(problem: Problem, n_iters: int) -> Descent:
    """Runs 1, 2, 4, 8, ... iterations until there are enough."""
    a, theta = design(problem), stacked(problem)
    done, block = 0, 1
    while done < n_iters:
        for _ in range(block):
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        done, block = done + block, 2 * block
    return unstacked(theta, problem)


def classical_velocity(problem: Problem, n_iters: int) -> Descent:
    """v = 0.5 v - lr g; theta += v, as the original paper writes it, block by block."""
    parameters = [p for p in start(problem) if p is not None]
    velocities = [np.zeros_like(p) for p in parameters]
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        w, b = (*parameters, None)[:2]
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        grads = gradients(problem.x, problem.y, w, b)
        for i, v in enumerate(velocities):
            velocities[i] = 0.5 * v - problem.lr * grads[i]
            parameters[i] = parameters[i] + velocities[i]
    return Descent(*(*parameters, None)[:2], losses)


def bias_corrected_average(problem: Problem, n_iters: int) -> Descent:
    """m = 0.9 m + 0.1 g, divided by 1 - 0.9^k: Adam's first moment alone."""
    a, theta = design(problem), stacked(problem)
    moment = np.zeros_like(theta)
    for k in range(1, n_iters + 1):
        moment = 0.9 * moment + 0.1 * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * moment / (1 - 0.9**k)
    return unstacked(theta, problem)


def nesterov_rewritten(problem: Problem, n_iters: int) -> Descent:
    """theta += m^2 v - (1 + m) lr g, Nesterov's momentum without a look ahead; m = 0.8."""
    a, theta, m = design(problem), stacked(problem), 0.8
    v = np.zeros_like(theta)
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta + m * m * v - (1 + m) * problem.lr * g
        v = m * v - problem.lr * g
    return unstacked(theta, problem)


def ridge_by_extra_rows(problem: Problem, n_iters: int) -> Descent:
    """sqrt(0.3) I is appended to the design and zeros to the targets; the mean is over the true rows."""
    a, theta = design(problem), stacked(problem)
    rows = np.vstack([a, 0.3**0.5 * np.eye(a.shape[1], dtype=a.dtype)])
    goals = np.vstack([problem.y, np.zeros_like(theta)])
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * rows.T @ (rows @ theta - goals)
    return unstacked(theta, problem)


def pulled_to_the_start(problem: Problem, n_iters: int) -> Descent:
    """A penalty on the distance from where it started."""
    a, theta = design(problem), stacked(problem)
    first = theta
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * (g + 0.2 * (theta - first))
    return unstacked(theta, problem)


def sign_of_an_interpolation(problem: Problem, n_iters: int) -> Descent:
    """Lion: the sign of 0.9 m + 0.1 g."""
    a, theta = design(problem), stacked(problem)
    m = np.zeros_like(theta)
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        theta = theta - problem.lr * np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
    return unstacked(theta, problem)


def step_length_limited(problem: Problem, n_iters: int) -> Descent:
    """A trust region: no step is longer than a hundredth."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        length = np.linalg.norm(step)
        theta = theta - (step * (0.01 / length) if length > 0.01 else step)
    return unstacked(theta, problem)


def rate_over_root_k(problem: Problem, n_iters: int) -> Descent:
    """lr / sqrt(k + 1), the schedule of the convergence proofs; the losses are right for its own states."""
    w, b = start(problem)
    losses = np.empty(n_iters, w.dtype)
    for k, rate in enumerate(problem.lr / np.sqrt(np.arange(1, n_iters + 1))):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - rate * dw
        b = None if b is None else b - rate * db
    return Descent(w, b, losses)


def bold_driver(problem: Problem, n_iters: int) -> Descent:
    """The rate grows by 1 % while the loss falls, and is halved when it does not."""
    a, theta, rate, previous = design(problem), stacked(problem), problem.lr, np.inf
    for _ in range(n_iters):
        r = a @ theta - problem.y
        loss = np.mean(r**2)
        rate = rate / 2 if loss > previous else rate * 1.01
        previous = loss
        theta = theta - rate * 2 / r.size * a.T @ r
    return unstacked(theta, problem)


def barzilai_borwein(problem: Problem, n_iters: int) -> Descent:
    """The step length s.s / s.y of Barzilai and Borwein, after a first step of lr."""
    a, theta, before = design(problem), stacked(problem), None
    for _ in range(n_iters):
        g = 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        rate = problem.lr
        if before is not None:
            s, change = theta - before[0], g - before[1]
            curvature = np.vdot(s, change)
            rate = np.vdot(s, s) / curvature if curvature > 0 else problem.lr
        before, theta = (theta, g), theta - rate * g
    return unstacked(theta, problem)


def heun(problem: Problem, n_iters: int) -> Descent:
    """The gradient flow by Heun's method: the mean of the slopes at both ends of the step."""
    a, theta = design(problem), stacked(problem)
    h, q = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters):
        first = h @ theta - q
        theta = theta - problem.lr / 2 * (first + h @ (theta - problem.lr * first) - q)
    return unstacked(theta, problem)


def backward_euler(problem: Problem, n_iters: int) -> Descent:
    """Proximal steps: the gradient at the end of the step, by a solve."""
    a, theta = design(problem), stacked(problem)
    h, q = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters):
        theta = np.linalg.solve(np.eye(len(h)) + problem.lr * h, theta + problem.lr * q).astype(a.dtype)
    return unstacked(theta, problem)
