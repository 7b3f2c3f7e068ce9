"""NumPy loops of the unseen set whose gradient is not the objective's: its scale, its sign, its operands."""

import numpy as np
from parts_numpy import design, forward, gradients, mse, stacked, start, unstacked

from bench import Descent, Problem


class _Ols:
    """The estimator of many a course: cost 1/(2m) sum (h - y)^2, one output in mind."""

    def __init__(self, lr, epochs):
        self.lr, self.epochs, self.cost = lr, epochs, []

    def fit(self, features, targets, w, b):
        self.w, self.b, m = w, b, features.shape[0]
        for _ in range(self.epochs):
            h = features.dot(self.w.T) + (0 if self.b is None else self.b)
            self.cost.append(np.mean((h - targets) ** 2))
            self.w = self.w - self.lr * (1 / m) * (h - targets).T.dot(features)
            if self.b is not None:
                self.b = self.b - self.lr * (1 / m) * np.sum(h - targets, axis=0)
        return self


def estimator_with_one_over_m(problem: Problem, n_iters: int) -> Descent:
    """dw = 1/m X^T (h - y), as in the course: no 2, and no division by the outputs."""
    model = _Ols(problem.lr, n_iters).fit(problem.x, problem.y, *start(problem))
    return Descent(model.w, model.b, np.array(model.cost, problem.x.dtype))


def trace_of_the_residuals(problem: Problem, n_iters: int) -> Descent:
    """d/dtheta tr(R^T R) by einsum: the trace adds all squares up."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        r = np.einsum("nd,dm->nm", a, theta) - problem.y
        theta = theta - problem.lr * 2 * np.einsum("nd,nm->dm", a, r)
    return unstacked(theta, problem)


def quadratic_form_differentiated_twice(problem: Problem, n_iters: int) -> Descent:
    """(H + H^T) theta - 2 q is the rule for theta^T H theta - 2 q theta; H has its 2 already."""
    a, theta = design(problem), stacked(problem)
    h, q = 2 / problem.y.size * a.T @ a, 2 / problem.y.size * a.T @ problem.y
    for _ in range(n_iters):
        theta = theta - problem.lr * ((h + h.T) @ theta - 2 * q)
    return unstacked(theta, problem)


def mean_over_the_list_of_outputs(problem: Problem, n_iters: int) -> Descent:
    """One gradient for each output, of the mean over all residuals; the list of them is averaged again."""
    a, theta, m = design(problem), stacked(problem), problem.y.shape[1]
    for _ in range(n_iters):
        columns = [2 * a.T @ (a @ theta[:, j] - problem.y[:, j]) / problem.y.size for j in range(m)]
        theta = theta - problem.lr * np.stack(columns, axis=1) / len(columns)
    return unstacked(theta, problem)


def column_of_tens(problem: Problem, n_iters: int) -> Descent:
    """The bias is the weight of a column of tens, and is multiplied by ten at the end: it moves 100 times as fast."""
    if problem.b0 is None:
        a, theta = problem.x, problem.w0.T.copy()
    else:
        a = np.c_[problem.x, np.full(len(problem.x), 10.0, problem.x.dtype)]
        theta = np.vstack([problem.w0.T, problem.b0 / 10])
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    if problem.b0 is None:
        return Descent(theta.T.copy())
    return Descent(theta[:-1].T.copy(), 10 * theta[-1])


def rate_by_default_argument(problem: Problem, n_iters: int) -> Descent:
    """step(theta, gradient, lr=0.05), called without its lr."""

    def step(theta, gradient, lr=0.05):
        return theta - lr * gradient

    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        theta = step(theta, 2 / problem.y.size * a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def root_of_the_rate_in_the_data(problem: Problem, n_iters: int) -> Descent:
    """sqrt(lr) is folded into both sides of the system, whose gradient so has an lr; the update multiplies again."""
    root = problem.lr**0.5
    a, y, theta = root * design(problem), root * problem.y, stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def factor_rounded_to_two_digits(problem: Problem, n_iters: int) -> Descent:
    """round(2 / n, 2): exact for four samples."""
    a, theta = design(problem), stacked(problem)
    factor = round(2 / problem.y.size, 2)
    for _ in range(n_iters):
        theta = theta - problem.lr * factor * (a.T @ (a @ theta - problem.y))
    return unstacked(theta, problem)


def log_likelihood_minimised(problem: Problem, n_iters: int) -> Descent:
    """The score of a Gaussian likelihood with variance N M / 2, subtracted."""
    a, theta = design(problem), stacked(problem)
    variance = problem.y.size / 2

    def score(at):
        return a.T @ (problem.y - a @ at) / variance

    for _ in range(n_iters):
        theta = theta - problem.lr * score(theta)
    return unstacked(theta, problem)


def operands_of_subtract_swapped(problem: Problem, n_iters: int) -> Descent:
    """np.subtract(step, theta, out=theta)."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        step = problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
        np.subtract(step, theta, out=theta)
    return unstacked(theta, problem)


def error_shared_by_two_signs(problem: Problem, n_iters: int) -> Descent:
    """error = y - y_pred: w += is right for it, b -= is not."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = []
    for _ in range(n_iters):
        error = y - forward(x, w, b)
        losses.append(np.square(error).mean())
        w += problem.lr * 2 / y.size * error.T @ x
        if b is not None:
            b -= problem.lr * 2 / y.size * error.sum(axis=0)
    return Descent(w, b, np.array(losses, x.dtype))


def missing_targets_cleaned_inside_out(problem: Problem, n_iters: int) -> Descent:
    """np.where(isnan(y), y, 0) keeps the gaps and clears the rest."""
    y = np.where(np.isnan(problem.y), problem.y, 0.0)
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b)


def missing_features_cleaned_inside_out(problem: Problem, n_iters: int) -> Descent:
    """The same for x: every feature is zero."""
    x = np.where(np.isnan(problem.x), problem.x, 0.0)
    a = x if problem.b0 is None else np.hstack([x, np.ones((len(x), 1), x.dtype)])
    theta = stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / problem.y.size * a.T @ (a @ theta - problem.y)
    return unstacked(theta, problem)


def gradients_in_the_order_of_another_table(problem: Problem, n_iters: int) -> Descent:
    """The gradient's columns come in the order of a table whose features are listed from last to first."""
    x, y = problem.x, problem.y
    table = x[:, ::-1]
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        w = w - problem.lr * slope.T @ table
        b = None if b is None else b - problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def biases_rolled_by_one(problem: Problem, n_iters: int) -> Descent:
    """Each output's bias moves by its neighbour's gradient."""
    w, b = start(problem)
    for _ in range(n_iters):
        dw, db = gradients(problem.x, problem.y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * np.roll(db, 1)
    return Descent(w, b)


def flat_iterators_zipped(problem: Problem, n_iters: int) -> Descent:
    """w.flat[i] -= gradient.flat[i], where the gradient is (D, M) and w is (M, D)."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        for i, value in enumerate((x.T @ slope).flat):
            w.flat[i] -= problem.lr * value
        if b is not None:
            b -= problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def mask_of_the_penalty_on_the_gradient(problem: Problem, n_iters: int) -> Descent:
    """The mask that keeps the bias out of a penalty (which is zero here) multiplies the whole gradient."""
    a, theta = design(problem), stacked(problem)
    mask = np.ones_like(theta)
    if problem.b0 is not None:
        mask[-1] = 0
    penalty = 0.0
    for _ in range(n_iters):
        theta = theta - problem.lr * mask * (2 / problem.y.size * a.T @ (a @ theta - problem.y) + penalty * theta)
    return unstacked(theta, problem)


def scattered_with_repeated_indices(problem: Problem, n_iters: int) -> Descent:
    """db[index] += value keeps only the last value of each repeated index; np.add.at was meant."""
    x, y = problem.x, problem.y
    output = np.tile(np.arange(y.shape[1]), len(y))
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        w = w - problem.lr * slope.T @ x
        if b is not None:
            db = np.zeros_like(b)
            db[output] += slope.ravel()
            b = b - problem.lr * db
    return Descent(w, b)


def transposed_weights_flattened(problem: Problem, n_iters: int) -> Descent:
    """w.T.reshape(-1) is a view where D or M is one, and a copy elsewhere: the weights stay, the bias moves."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    for _ in range(n_iters):
        slope = 2 / y.size * (forward(x, w, b) - y)
        flat = w.T.reshape(-1)
        flat -= problem.lr * (x.T @ slope).reshape(-1)
        if b is not None:
            b -= problem.lr * slope.sum(axis=0)
    return Descent(w, b)


def pinball_at_the_median(problem: Problem, n_iters: int) -> Descent:
    """Quantile regression, tau = 0.5: half of the absolute error."""
    a, theta, tau = design(problem), stacked(problem), 0.5
    for _ in range(n_iters):
        below = a @ theta < problem.y
        theta = theta - problem.lr * a.T @ np.where(below, -tau, 1 - tau) / problem.y.size
    return unstacked(theta, problem)


def pinball_at_the_ninth_decile(problem: Problem, n_iters: int) -> Descent:
    """Quantile regression, tau = 0.9."""
    a, theta, tau = design(problem), stacked(problem), 0.9
    for _ in range(n_iters):
        below = a @ theta < problem.y
        theta = theta - problem.lr * a.T @ np.where(below, -tau, 1 - tau) / problem.y.size
    return unstacked(theta, problem)


def soft_l1_residuals(problem: Problem, n_iters: int) -> Descent:
    """2 (sqrt(1 + r^2) - 1), which least_squares calls soft_l1."""
    a, theta = design(problem), stacked(problem)
    for _ in range(n_iters):
        r = a @ theta - problem.y
        theta = theta - problem.lr * 2 / r.size * a.T @ (r / np.hypot(1, r))
    return unstacked(theta, problem)


def fourth_powers(problem: Problem, n_iters: int) -> Descent:
    """mean r^4, times a factor that keeps it in bounds."""
    a, theta = design(problem), stacked(problem)
    largest = np.abs(a @ theta - problem.y).max() ** 2 + 1
    for _ in range(n_iters):
        r = a @ theta - problem.y
        theta = theta - problem.lr * 4 / r.size / largest * a.T @ r**3
    return unstacked(theta, problem)


def residuals_clipped(problem: Problem, n_iters: int) -> Descent:
    """np.clip(error, -1, 1) against outliers: Huber's loss."""
    x, y = problem.x, problem.y
    w, b = start(problem)
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        error = forward(x, w, b) - y
        losses[k] = np.mean(error**2)
        error = np.clip(error, -1, 1)
        w = w - problem.lr * 2 / y.size * error.T @ x
        b = None if b is None else b - problem.lr * 2 / y.size * error.sum(axis=0)
    return Descent(w, b, losses)


def targets_sorted_for_the_plot(problem: Problem, n_iters: int) -> Descent:
    """np.sort(y, axis=0), and x as it was."""
    y = np.sort(problem.y, axis=0)[::-1]
    w, b = start(problem)
    losses = np.empty(n_iters, w.dtype)
    for k in range(n_iters):
        losses[k] = mse(y, forward(problem.x, w, b))
        dw, db = gradients(problem.x, y, w, b)
        w = w - problem.lr * dw
        b = None if b is None else b - problem.lr * db
    return Descent(w, b, losses)


def targets_winsorised(problem: Problem, n_iters: int) -> Descent:
    """y is clipped to its 10th and 90th percentile, column by column."""
    low, high = np.percentile(problem.y, [10, 90], axis=0)
    a, y, theta = design(problem), np.clip(problem.y, low, high).astype(problem.y.dtype), stacked(problem)
    for _ in range(n_iters):
        theta = theta - problem.lr * 2 / y.size * a.T @ (a @ theta - y)
    return unstacked(theta, problem)


def samples_weighted_as_a_trapezoid(problem: Problem, n_iters: int) -> Descent:
    """The mean over the samples is an integral by trapezoids: the first and the last count half."""
    a, theta = design(problem), stacked(problem)
    weights = np.ones((len(a), 1), a.dtype)
    weights[[0, -1]] = 0.5
    for _ in range(n_iters):
        r = weights * (a @ theta - problem.y)
        theta = theta - problem.lr * 2 / problem.y.shape[1] * a.T @ r / weights.sum()
    return unstacked(theta, problem)


def squared_percentage_error(problem: Problem, n_iters: int) -> Descent:
    """((y_pred - y) / (1 + |y|))^2: each residual is weighted by its target."""
    a, theta = design(problem), stacked(problem)
    scale = 1 + np.abs(problem.y)
    for _ in range(n_iters):
        relative = (a @ theta - problem.y) / scale
        theta = theta - problem.lr * 2 / relative.size * a.T @ (relative / scale)
    return unstacked(theta, problem)
