"""The step depends on more than the gradient at the present parameters: on earlier steps, on their size, on k."""

from collections.abc import Callable

import numpy as np

from bench.dtypes import FloatArray
from bench.oracle.system import LongArray, size
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, TINY, Trajectory, iterates

Norm = Callable[[FloatArray, tuple[int, ...]], FloatArray]

NORMS: dict[str, Norm] = {
    "norm ": lambda a, axes: np.sqrt(np.square(a).sum(axes, keepdims=True)),
    "largest component ": lambda a, axes: np.abs(a).max(axes, keepdims=True),
    "sum of sizes ": lambda a, axes: np.abs(a).sum(axes, keepdims=True),
}

OTHER_START_ITERATIONS = 5
ENOUGH_COORDINATES = 5
BESIDE = 2.0**-10
"""Next to the optimum: this fraction of the start away from it."""


def momentum(trajectory: Trajectory) -> Match | None:
    """Test for s_k = a g_k + m s_k-1, m neither 0 nor 1, with a = 1 or a = 1 - m (dampened)."""
    before = np.concatenate([np.zeros_like(trajectory.effective[:1]), trajectory.effective[:-1]])
    (m,), residual = trajectory.fit(trajectory.due, before)
    if residual <= MARGIN and _counts(m):
        return Match(residual, f"each update carries on {m:.6g} times the one before: momentum {m:.6g}", m)
    # A running mean of the gradients: its first step is made with the whole gradient, or with the same part of it.
    (m,), residual = trajectory.fit(trajectory.due, before - trajectory.due)
    if residual > MARGIN:
        part = before - trajectory.due
        part[0] = 0
        (m,), residual = trajectory.fit(trajectory.due, part)
    if residual > MARGIN or not _counts(m):
        return _momentum_of_one_block(trajectory, before)
    return Match(residual, f"the gradient is a running mean that keeps {m:.6g} of the one before: dampened momentum", m)


def _momentum_of_one_block(trajectory: Trajectory, before: LongArray) -> Match | None:
    if not trajectory.system.has_bias:
        return None
    for name, block in (("weights", slice(None, -1)), ("bias", slice(-1, None))):
        part = np.zeros_like(before)
        part[..., block, :] = before[..., block, :]
        (m,), residual = trajectory.fit(trajectory.due, part)
        if residual <= MARGIN and _counts(m):
            sentence = f"each update of the {name} carries on {m:.6g} times the one before: momentum {m:.6g}"
            return Match(residual, sentence, m)
    return None


def nesterov(trajectory: Trajectory) -> Match | None:
    """Test for s_k = g(theta_k - lr m s_k-1) + m s_k-1, and for its form in shifted parameters."""
    before = np.concatenate([np.zeros_like(trajectory.effective[:1]), trajectory.effective[:-1]])
    curved = trajectory.system.hessian @ before
    ahead = before - np.longdouble(trajectory.lr) * curved
    (m,), residual = trajectory.fit(trajectory.due, ahead)
    if residual > MARGIN or not _counts(m):
        # With v_k = g_k + m v_k-1 and s_k = g_k + m v_k, (s_k - g_k)/m is v_k.
        g_before = np.concatenate([np.zeros_like(trajectory.due[:1]), trajectory.due[:-1]])
        (m,), residual = trajectory.fit(trajectory.due, before - g_before + trajectory.due)
    if residual <= MARGIN and _counts(m):
        return Match(residual, f"Nesterov's momentum {m:.6g}", m)
    usual = np.array([(k - 1) / (k + 2) if k else 0.0 for k in range(len(ahead))])
    usual = usual.reshape(-1, *(1,) * (ahead.ndim - 1))
    return first_of(
        fits(trajectory, trajectory.due + weights * ahead, f"Nesterov's accelerated gradient, with weights {name}")
        for name, weights in (("(k - 1)/(k + 2)", usual), ("k/(k + 3)", _fista(ahead.ndim, len(ahead))))
    )


def _fista(ndim: int, n: int) -> FloatArray:
    weights = np.array([k / (k + 3) for k in range(n)])
    return weights.reshape(-1, *(1,) * (ndim - 1))


def _counts(number: float) -> bool:
    return abs(number) > 1e-6 and abs(number - 1) > 1e-9


def weight_decay(trajectory: Trajectory) -> Match | None:
    """Test for s = g + lambda theta, in both blocks or in the weights alone."""
    theta = trajectory.stack[:-1]
    blocks = {"parameters": theta}
    if trajectory.system.has_bias:
        weights = theta.copy()
        weights[..., -1, :] = 0
        blocks = {"weights and bias": theta, "weights": weights}
    for name, part in blocks.items():
        (decay,), residual = trajectory.fit(trajectory.due, part)
        if residual <= MARGIN and decay > 1e-9:
            return Match(residual, f"the {name} decay by {decay:.6g} times lr in each update", decay)
    return None


def by_coordinate(evidence: Evidence) -> Match | None:
    """The gradient is rescaled coordinate by coordinate, however small: to one length at first, or by constants."""
    if _small_steps_are_right(evidence):
        return None
    return first_of(
        (_of_one_length(evidence.trajectory), _rescaled(evidence.trajectory), _by_rows_and_columns(evidence.trajectory))
    )


def _by_rows_and_columns(trajectory: Trajectory) -> Match | None:
    """The first step is the gradient over the means of its squares by rows and by columns: Adafactor."""
    weights = slice(None, trajectory.n_weights)
    g, s = (a[0][..., weights, :].astype(np.float64) for a in (trajectory.due, trajectory.effective))
    if min(g.shape[-2:]) == 1 or not np.all(g):
        return None
    squares = np.square(g)
    rows, columns, mean = squares.mean(-1, keepdims=True), squares.mean(-2, keepdims=True), squares.mean((-1, -2))
    expected = g / np.sqrt(rows * columns / mean[..., np.newaxis, np.newaxis])
    length = float(np.sum(s * expected) / np.sum(expected * expected))
    if length <= 0 or np.max(np.abs(s - length * expected)) > 1e-5 * np.max(np.abs(s)):
        return None
    what = "the gradient over the means of its squares by rows and columns, as with Adafactor"
    return Match(0.0, f"the first step is {length:.4g} lr times {what}", length)


def _small_steps_are_right(evidence: Evidence) -> bool:
    """Whether the first update is gradient descent's own where the gradient is small: next to the optimum."""
    beside = evidence.from_state(evidence.system.optimum + BESIDE * evidence.start)
    state = evidence.ask(beside, 1)
    return state is not None and evidence.is_descent(beside, 1, state)


def _of_one_length(trajectory: Trajectory) -> Match | None:
    """The first step is equally long in every coordinate, whatever the gradient there, and has its sign."""
    g, s = trajectory.due[0].astype(np.float64), trajectory.effective[0].astype(np.float64)
    lengths, slopes = np.abs(s), np.abs(g)
    if s.size == 1 or np.min(slopes) <= 0 or np.max(slopes) < 1.1 * np.min(slopes):
        return None
    decay = _decay_beside_sign(np.sign(g), trajectory.stack[0].astype(np.float64), s)
    if decay is not None:
        return decay
    if not np.array_equal(np.sign(s), np.sign(g)) or np.max(lengths) > 1.001 * np.min(lengths):
        return None
    length = float(np.median(lengths))
    sentence = f"the first step is lr times {length:.4g} long in every coordinate"
    if np.all(np.abs(size(trajectory.effective[1:]) - length) <= 1e-3 * length):
        # So is a gradient whose every component is cut.
        return Match(0.0, f"{sentence}, and so is every other: sign descent", length, ("state.clipped",))
    return Match(0.0, f"{sentence}, as with Adam, RMSprop or Adagrad", length)


def _decay_beside_sign(sign: FloatArray, theta: FloatArray, step: FloatArray) -> Match | None:
    """The first step is equally long in every coordinate, and the parameters decay besides: AdamW."""
    columns = np.stack([sign.ravel(), theta.ravel()], axis=1)
    if len(columns) < ENOUGH_COORDINATES or np.linalg.matrix_rank(columns) < 2:
        return None
    (length, decay), *_ = np.linalg.lstsq(columns, step.ravel(), rcond=None)
    off = np.max(np.abs(columns @ (length, decay) - step.ravel()))
    if length <= 0 or abs(decay) <= 1e-4 * length or off > 1e-5 * length:
        return None
    sentence = f"the first step is lr times {length:.4g} long in every coordinate"
    return Match(0.0, f"{sentence} beside a decay of {decay:.4g} times lr, as with AdamW", float(length))


def _rescaled(trajectory: Trajectory) -> Match | None:
    """Every coordinate has a constant gain of its own."""
    g, s = trajectory.due.astype(np.float64), trajectory.effective.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = (g * s).sum(0) / (g * g).sum(0)
    weights = gains[..., : trajectory.n_weights, :]
    if not np.all(np.isfinite(gains)) or np.min(gains) <= 0 or np.ptp(weights) <= 1e-6 * np.max(np.abs(weights)):
        return None
    residual = trajectory.residual(gains * trajectory.due)
    if residual > MARGIN:
        return None
    sentence = f"every coordinate has a learning rate of its own, {np.min(gains):.4g} to {np.max(gains):.4g} times lr"
    return Match(residual, sentence)


def clipped(evidence: Evidence) -> Match | None:
    """The gradient's norm, or its components, are cut at a number."""
    trajectory = evidence.trajectory
    return first_of((_by_norm(trajectory), _by_value(trajectory), _always_cut(evidence)))


def _always_cut(evidence: Evidence) -> Match | None:
    """Every component of every gradient was longer than the cut; next to the optimum they are not, and stay."""
    steps, cap = evidence.trajectory.effective, float(np.max(size(evidence.trajectory.effective)))
    right_way = np.array_equal(np.sign(steps), np.sign(evidence.trajectory.due))
    if not right_way or cap <= 0 or np.any(size(steps) < (1 - 1e-6) * cap) or not _small_steps_are_right(evidence):
        return None
    return Match(0.0, f"the components of the gradient are cut at {cap:.6g}", float(f"{cap:.6g}"))


def _by_norm(trajectory: Trajectory) -> Match | None:
    whole: tuple[slice, ...] = (slice(None),)
    apart = (slice(None, -1), slice(-1, None)) if trajectory.system.has_bias else whole
    each = (-2, -1)
    together = tuple(range(1, trajectory.due.ndim))
    for blocks, where in ((whole, ""), (apart, ", weights and bias apart")):
        for axes in dict.fromkeys((each, together)) if trajectory.due.ndim > 3 else (each,):
            for name, norm in NORMS.items():
                match = _shortened(trajectory, blocks, axes, norm, f"{name}{{}}{where}")
                if match is not None:
                    return match
    return None


def _shortened(
    trajectory: Trajectory, blocks: tuple[slice, ...], axes: tuple[int, ...], norm: Norm, named: str
) -> Match | None:
    parts = [_cut(trajectory, block, axes, norm) for block in blocks]
    caps = [part[1] for part in parts if part is not None and part[1] is not None]
    if not caps or any(part is None for part in parts):
        return None
    used = np.concatenate([part[0] for part in parts if part is not None], axis=-2)
    # torch adds 1e-6 to the norm that it divides by.
    off = size(trajectory.effective - used)
    if not np.all(off <= MARGIN * trajectory.tolerances + 1e-6 * size(used)):
        return None
    # The direction of a single number is its sign.
    also = ("state.adaptive",) if any(used[0][..., block, :].size == 1 for block in blocks) else ()
    return Match(0.0, f"the gradient is shortened to {named.format(f'{caps[0]:.6g}')}", float(f"{caps[0]:.6g}"), also)


def _cut(
    trajectory: Trajectory, block: slice, axes: tuple[int, ...], norm: Norm
) -> tuple[LongArray, float | None] | None:
    """A block's gradients cut to the norm that its steps show, with that norm; ``None`` where they show several."""
    due, effective = trajectory.due[..., block, :], trajectory.effective[..., block, :]
    norms, lengths = (norm(a.astype(np.float64), axes) for a in (due, effective))
    cut = lengths < (1 - 1e-5) * norms
    if not np.any(cut):
        return due, None
    cap = float(np.median(lengths[cut]))
    if cap <= 0 or np.ptp(lengths[cut]) > 1e-5 * cap or np.any(norms[~cut] > (1 + 1e-4) * cap):
        return None
    return np.where(cut, lengths / np.maximum(norms, TINY), 1.0) * due, cap


def _by_value(trajectory: Trajectory) -> Match | None:
    cap = float(np.max(size(trajectory.effective)))
    over = size(trajectory.due) > (1 + 1e-6) * cap
    if cap <= 0 or not np.any(over) or np.all(over):
        return None
    sentence = f"the components of the gradient are cut at {cap:.6g}"
    return fits(trajectory, np.clip(trajectory.due, -cap, cap), sentence, float(f"{cap:.6g}"))


def schedule(evidence: Evidence) -> Match | None:
    """The gain changes with k, in the same way from another start, or by a rule that knows n_iters."""
    trajectory = evidence.trajectory
    if trajectory.right:
        return _changed_later(evidence)
    if evidence.losses_are_right:
        # The descent was made; what is returned is another state.
        return None
    gains = trajectory.gains()
    rule = _rule(gains)
    residual = trajectory.residual(trajectory.along_gradient())
    # One number is always fitted by one number: there only a rule is worth anything.
    shown = bool(rule) or trajectory.due[0].size > 1
    # A step that is not made at all is a skipped update, whatever the others are.
    rests = bool(np.any(np.abs(gains) < 1e-9))
    if residual > MARGIN or not shown or rests or np.ptp(gains) <= 1e-4 * np.max(np.abs(gains)):
        return _towards_the_end(trajectory)
    other = evidence.ask_trajectory(evidence.elsewhere, min(OTHER_START_ITERATIONS, evidence.last))
    if other is None:
        return None
    again = other.gains()
    if not np.allclose(again, gains[: len(again)], rtol=1e-6, atol=1e-9):
        return None
    listed = ", ".join(f"{gain:.4g}" for gain in gains[:5])
    return Match(residual, f"the learning rate changes: {listed} ... times lr{rule}")


def _changed_later(evidence: Evidence) -> Match | None:
    """After many right updates the gain is another: each step along the gradient, none of them left out."""
    late = evidence.late
    if late is None or late.due[0].size == 1:
        return None
    gains, wrong = late.gains(), late.misses > MARGIN
    residual = late.residual(late.along_gradient())
    if wrong[0] or not np.any(wrong) or residual > MARGIN or np.any(np.abs(gains) < 1e-9):
        return None
    gain = float(gains[np.argmax(wrong)])
    return Match(residual, f"after many right updates the learning rate becomes {gain:.6g} times lr")


def _rule(gains: FloatArray) -> str:
    k = np.arange(len(gains))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = gains[1:] / gains[:-1]
        slopes = np.diff(1 / gains)
    if np.allclose(ratios, ratios[0], rtol=1e-6):
        return f", {ratios[0]:.6g} times as large after each update"
    if np.allclose(slopes, slopes[0], rtol=1e-6):
        return f", as 1/(1 + {slopes[0] / max(1 / gains[0], TINY):.6g} k)"
    if np.allclose(gains * np.sqrt(k + 1), gains[0], rtol=1e-6):
        return ", as 1/sqrt(k + 1)"
    return ""


def _towards_the_end(trajectory: Trajectory) -> Match | None:
    rules: dict[str, Callable[[int, int], float]] = {
        "linearly to zero at the end, (1 - k/n) lr": lambda k, n: 1 - k / n,
        "as half a cosine wave, to zero at the end": lambda k, n: (1 + float(np.cos(np.pi * k / n))) / 2,
    }
    for name, rate in rules.items():
        predicted = [
            iterates(trajectory.system, trajectory.lr, trajectory.stack[0], n, lambda k, n=n, rate=rate: rate(k, n))[-1]  # type: ignore[misc]
            for n in range(1, len(trajectory.stack))
        ]
        residual = trajectory.state_residual(predicted)
        if residual <= MARGIN:
            return Match(residual, f"the learning rate falls {name}")
    return None


MOMENTUM = Cause(
    code="state.momentum",
    title="each update carries on a part of the one before",
    looks_like="velocity = m * velocity + gradient, SGD(momentum=...), a running mean of the gradients",
    fix="update with the present gradient alone: momentum=0",
    example="velocity = 0.9 * velocity + dw; w -= lr * velocity",
    test=momentum,
)
NESTEROV = Cause(
    code="state.nesterov",
    title="each update carries on a part of the one before, and looks ahead",
    looks_like="SGD(momentum=..., nesterov=True), a gradient taken at w + m * velocity",
    fix="update with the gradient at the present parameters alone",
    example="optimizer = torch.optim.SGD([w], lr=lr, momentum=0.9, nesterov=True)",
    test=nesterov,
)
WEIGHT_DECAY = Cause(
    code="state.weight-decay",
    title="the parameters decay: a penalty on their size is descended as well",
    looks_like="weight_decay=..., an L2 penalty in the loss, w *= 1 - lr * decay",
    fix="descend the mean squared residual alone",
    example="loss = mse + 0.01 * (w ** 2).sum()",
    test=weight_decay,
)
ADAPTIVE = Cause(
    code="state.adaptive",
    title="the gradient is rescaled coordinate by coordinate",
    looks_like="Adam, RMSprop, Adagrad, the sign of the gradient",
    fix="use the gradient itself: torch.optim.SGD(parameters, lr=lr)",
    example="optimizer = torch.optim.Adam([w, b], lr=lr)",
    examine=by_coordinate,
)
CLIPPED = Cause(
    code="state.clipped",
    title="the gradient is cut at a number",
    looks_like="clip_grad_norm_, np.clip, a gradient divided by its norm",
    fix="use the gradient as it is",
    example="dw = np.clip(dw, -1, 1)",
    examine=clipped,
)
SCHEDULE = Cause(
    code="state.schedule",
    title="the learning rate changes from one iteration to the next",
    looks_like="lr *= 0.99, a scheduler, a warm-up",
    fix="use problem.lr in every iteration",
    example="lr = problem.lr / (1 + 0.1 * k)",
    examine=schedule,
)
