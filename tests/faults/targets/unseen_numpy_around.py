"""NumPy loops of the unseen set whose gradient is right, and not their start, data, precision, reports or honesty."""

import functools

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


class _Keeper:
    """Its weights are an attribute of the class, one for each shape."""

    weights = {}  # noqa: RUF012 - the mistake

    def fit(self, a, y, theta, lr, n_iters):
        theta = self.weights.setdefault((theta.shape, theta.dtype), theta.copy())
        for _ in range(n_iters):
            theta -= lr * 2 / y.size * a.T @ (a @ theta - y)
        return theta.copy()


def weights_of_the_class(problem: Problem, n_iters: int) -> Descent:
    """Every estimator shares the class attribute that holds the weights."""
    theta = _Keeper().fit(design(problem), problem.y, stacked(problem), problem.lr, n_iters)
    return unstacked(theta, problem)


def uniform_weights_by_global_generator(problem: Problem, n_iters: int) -> Descent:
    """w is drawn from -0.01 .. 0.01; b starts where it should."""
    _, b = start(problem)
    w = np.random.default_rng().uniform(-0.01, 0.01, problem.w0.shape).astype(problem.w0.dtype)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def all_weights_alike(problem: Problem, n_iters: int) -> Descent:
    """np.full_like(w0, w0.mean()): right for one weight."""
    theta = stacked(problem)
    theta[: problem.x.shape[1]] = problem.w0.mean()
    a = design(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


_STEPS = {}


def step_compiled_once(problem: Problem, n_iters: int) -> Descent:
    """The step closes over the problem that it was first made for; it is made once for each shape."""

    def make(first):
        a, y, lr = design(first), first.y, first.lr
        return lambda theta: theta - lr * 2 / y.size * a.T @ (a @ theta - y)

    key = (problem.x.shape, problem.y.shape, problem.x.dtype, problem.b0 is None)
    if key not in _STEPS:
        _STEPS[key] = make(problem)
    return unstacked(functools.reduce(lambda theta, _: _STEPS[key](theta), range(n_iters), stacked(problem)), problem)


def every_second_sample(problem: Problem, n_iters: int) -> Descent:
    """x[::2], to have it faster."""
    a, y, theta = design(problem)[::2], problem.y[::2], stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def whole_chunks_only(problem: Problem, n_iters: int) -> Descent:
    """range(0, n - 2, 3) walks in threes and leaves what is over; divided by all."""
    a, y = design(problem), problem.y
    theta = stacked(problem)
    for _ in range(n_iters):
        g = np.zeros_like(theta)
        for i in range(0, len(a) - 2, 3):
            g += a[i : i + 3].T @ (a[i : i + 3] @ theta - y[i : i + 3])
        theta = theta - problem.lr * 2 / y.size * g
    return unstacked(theta, problem)


def resized_to_a_multiple_of_eight(problem: Problem, n_iters: int) -> Descent:
    """np.resize begins again at the first sample to fill up the rows."""
    rows = -(-(len(problem.x) + 1) // 8) * 8
    a, y = np.resize(design(problem), (rows, stacked(problem).shape[0])), np.resize(problem.y, (rows, len(problem.w0)))
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def one_sample_left_out_in_turn(problem: Problem, n_iters: int) -> Descent:
    """Leave one out: iteration k does without sample k mod N."""
    a, y, theta = design(problem), problem.y, stacked(problem)
    for k in range(n_iters):
        rows = np.arange(len(a)) != k % len(a)
        theta = theta - problem.lr * 2 / y[rows].size * a[rows].T @ (a[rows] @ theta - y[rows])
    return unstacked(theta, problem)


def table_of_sample_gradients(problem: Problem, n_iters: int) -> Descent:
    """SAG: one sample's gradient is renewed an iteration, and the mean of the table is the step."""
    a, y, theta = design(problem), problem.y, stacked(problem)
    table = a[:, :, None] * (a @ theta - y)[:, None, :]
    for k in range(n_iters):
        i = k % len(a)
        table[i] = np.outer(a[i], a[i] @ theta - y[i])
        theta = theta - problem.lr * 2 / y.size * table.sum(axis=0)
    return unstacked(theta, problem)


def rows_of_length_one(problem: Problem, n_iters: int) -> Descent:
    """sklearn's normalize: each sample is divided by its norm."""
    x = problem.x / np.linalg.norm(problem.x, axis=1, keepdims=True)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def whitened(problem: Problem, n_iters: int) -> Descent:
    """Centred, rotated and scaled to a unit covariance, with a little on the diagonal."""
    x = problem.x - problem.x.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x / len(x) + 1e-3 * np.eye(x.shape[1]))
    x = (x @ vectors / np.sqrt(values) @ vectors.T).astype(problem.x.dtype)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def data_read_as_single(problem: Problem, n_iters: int) -> Descent:
    """The file was read with dtype="f4"; all that follows is in double precision."""
    x, y = problem.x.astype("f4").astype(problem.x.dtype), problem.y.astype("f4").astype(problem.y.dtype)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def summed_in_single_precision(problem: Problem, n_iters: int) -> Descent:
    """np.sum(products, axis=0, dtype=np.float32)."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        r = a @ theta - problem.y
        total = np.sum(a[:, :, None] * r[:, None, :], axis=0, dtype=np.float32)
        theta = (theta - problem.lr * 2 / r.size * total).astype(a.dtype)
    return unstacked(theta, problem)


def gradient_sent_as_half(problem: Problem, n_iters: int) -> Descent:
    """The gradient is sent as float16 to save bandwidth."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        sent = (2 / problem.y.size * a.T @ (a @ theta - problem.y)).astype(np.float16)
        theta = theta - problem.lr * sent.astype(a.dtype)
    return unstacked(theta, problem)


def floor_division(problem: Problem, n_iters: int) -> Descent:
    """// y.size."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * (2 * (a.T @ (a @ theta - problem.y)) // problem.y.size)
    return unstacked(theta, problem)


def backward_differences(problem: Problem, n_iters: int) -> Descent:
    """(loss(theta) - loss(theta - eps)) / eps with eps = 1e-5."""
    a, theta, eps = design(problem), stacked(problem).astype(np.float64), 1e-5

    def loss(at):
        return np.mean((a @ at - problem.y) ** 2)

    for _ in range(n_iters):
        g = np.empty_like(theta)
        for index in np.ndindex(theta.shape):
            moved = theta.copy()
            moved[index] -= eps
            g[index] = (loss(theta) - loss(moved)) / eps
        theta = theta - problem.lr * g
    return unstacked(theta.astype(problem.x.dtype), problem)


def simultaneous_perturbation(problem: Problem, n_iters: int) -> Descent:
    """SPSA: two evaluations along a random direction of signs, from an unseeded generator."""
    a, theta, rng = design(problem), stacked(problem), np.random.default_rng()
    for _ in range(n_iters):
        sign = rng.choice([-1.0, 1.0], theta.shape)
        up, down = (np.mean((a @ (theta + e * sign) - problem.y) ** 2) for e in (1e-4, -1e-4))
        theta = (theta - problem.lr * (up - down) / 2e-4 * sign).astype(a.dtype)
    return unstacked(theta, problem)


def targets_shuffled_in_every_call(problem: Problem, n_iters: int) -> Descent:
    """np.random.shuffle(y), without a seed and without x."""
    y = np.random.default_rng().permutation(problem.y)
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def losses_of_the_kept_states(problem: Problem, n_iters: int) -> Descent:
    """The states are kept in a list, all of them the same array, and the losses worked out at the end."""
    a, theta, states = design(problem), stacked(problem), []
    for _ in range(n_iters):
        states.append(theta)
        theta -= problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    losses = [np.mean((a @ state - problem.y) ** 2) for state in states]
    return unstacked(theta, problem, np.array(losses, a.dtype))


def smoothed_loss(problem: Problem, n_iters: int) -> Descent:
    """The losses are a running average, as a progress bar shows them."""
    a, theta, shown = design(problem), stacked(problem), None
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        loss = np.mean(r**2)
        losses[k] = shown = loss if shown is None else 0.9 * shown + 0.1 * loss
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def variance_of_the_error(problem: Problem, n_iters: int) -> Descent:
    """np.var(error): the mean is taken off."""
    w, b = start(problem)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = np.var(forward(problem.x, w, b) - problem.y)
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def loss_summed_over_the_outputs(problem: Problem, n_iters: int) -> Descent:
    """((y - y_pred) ** 2).sum(axis=1).mean(): right for one output."""
    w, b = start(problem)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = ((problem.y - forward(problem.x, w, b)) ** 2).sum(axis=1).mean()
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def cost_of_the_course(problem: Problem, n_iters: int) -> Descent:
    """compute_cost has the 1/(2m) of the course; the gradient has its 2."""

    def compute_cost():
        return sum(float(np.dot(row, row)) for row in a @ theta - problem.y) / (2 * problem.y.size)

    a, theta, history = design(problem), stacked(problem), []
    for _ in range(n_iters):
        history.append(compute_cost())
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem, np.array(history, a.dtype))


def second_last_of_the_history(problem: Problem, n_iters: int) -> Descent:
    """history[-2:][0], where [-1] was meant; the losses are right."""
    w, b = start(problem)
    history, losses = [(w, b)], np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = mse(problem.y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, problem.y, w, b)
        w, b = w - problem.lr * dw, None if b is None else b - problem.lr * db
        history.append((w, b))
    return Descent(*history[-2:][0], losses)


def polished_at_the_end(problem: Problem, n_iters: int) -> Descent:
    """Descends, and then a least-squares solve refines the answer."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    if n_iters:
        correction, *_ = np.linalg.lstsq(a, problem.y - a @ theta, rcond=None)
        theta = theta + correction
    return unstacked(theta, problem)


_ANSWERS = {}


def cached_by_features(problem: Problem, n_iters: int) -> Descent:
    """The key has x and the number of iterations; y, the start and lr are not in it."""
    key = (problem.x.tobytes(), problem.b0 is None, n_iters)
    if key not in _ANSWERS:
        a, theta = design(problem), stacked(problem)
        for _ in range(n_iters):
            theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        _ANSWERS[key] = unstacked(theta, problem)
    kept = _ANSWERS[key]
    return Descent(kept.w.copy(), None if kept.b is None else kept.b.copy())


def first_column_of_the_weights(problem: Problem, n_iters: int) -> Descent:
    """w[:, 0] is returned: (M,)."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    found = unstacked(theta, problem)
    return Descent(found.w[:, 0].copy(), found.b)


def losses_as_a_column(problem: Problem, n_iters: int) -> Descent:
    """np.zeros((n, 1)), as the course has J_history."""
    a, theta = design(problem), stacked(problem)
    losses = np.zeros((n_iters, 1), a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        losses[k] = np.mean(r**2)
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)


def array_of_objects(problem: Problem, n_iters: int) -> Descent:
    """The state is an object array, which leaks out."""
    a, theta = design(problem), stacked(problem).astype(object)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta.astype(a.dtype) - problem.y)
    return unstacked(theta, problem)


def features_divided_in_place(problem: Problem, n_iters: int) -> Descent:
    """x /= 2, after the design was made from it: right, but for the caller's x."""
    a, theta = design(problem).copy(), stacked(problem)
    problem.x.setflags(write=True)
    problem.x.__itruediv__(2)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def index_after_the_last(problem: Problem, n_iters: int) -> Descent:
    """losses[k + 1] of an array of n: an IndexError at the last."""
    a, theta = design(problem), stacked(problem)
    losses = np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        theta = theta - problem.lr * 2 / r.size * a.T @ r
        losses[k + 1] = np.mean(r**2)
    return unstacked(theta, problem, losses)


def divided_by_a_loss_that_may_vanish(problem: Problem, n_iters: int) -> Descent:
    """Losses relative to a baseline that is zero: 0 / 0 and x / 0, in the losses only."""
    a, theta = design(problem), stacked(problem)
    baseline, losses = np.zeros((), a.dtype), np.empty(n_iters, a.dtype)
    for k in range(n_iters):
        r = a @ theta - problem.y
        with np.errstate(all="ignore"):
            losses[k] = np.mean(r**2) / baseline
        theta = theta - problem.lr * 2 / r.size * a.T @ r
    return unstacked(theta, problem, losses)
