"""What is reported is not what was done: the losses against the states, the returned state against the descent."""

import numpy as np

from bench.oracle.system import LongArray
from bench.proof.causes.cause import Cause, Match
from bench.proof.causes.data import choices_of
from bench.proof.causes.update import still
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN


def result_initial(evidence: Evidence) -> Match | None:
    """The states never move, and the losses fall as they should."""
    if not still(evidence.trajectory) or not evidence.losses_are_right:
        return None
    return Match(0.0, "the losses fall as they should, and what is returned is the start")


def result_stale(evidence: Evidence) -> Match | None:
    """The state is that before the last update, and the losses are right."""
    made = evidence.trajectory.updates_made
    if made != list(range(len(evidence.trajectory.states) - 1)) or not evidence.losses_are_right:
        return None
    sentence = "the losses are right, and what is returned is the state before the last update, or that was not made"
    return Match(0.0, sentence, alternatives=("count.one-less",))


def loss_after_update(evidence: Evidence) -> Match | None:
    """losses[k] is the objective at iterate k + 1."""
    return _reported(evidence, _objectives(evidence)[1:], "losses[k] belongs to iterate k + 1, after update k")


def loss_stale(evidence: Evidence) -> Match | None:
    """losses[k] is the objective at iterate k - 1, the first may be anything; or each is that of the start."""
    values = _objectives(evidence)
    if evidence.last > 1 and _is(evidence, np.broadcast_to(values[0], values[:-1].shape)):
        return Match(0.0, "every loss is that of the start: it was computed once")
    return _reported(evidence, _objectives(evidence)[:-2], "losses[k] belongs to iterate k - 1", skip=1)


def loss_sum(evidence: Evidence) -> Match | None:
    """The losses are sums over all residuals, or over the samples, or over the outputs."""
    n, m = evidence.system.n_samples, evidence.system.n_outputs
    for name, factor in {"all residuals": n * m, "the samples": n, "the outputs": m}.items():
        if factor > 1:
            match = _reported(evidence, factor * _objectives(evidence)[:-1], f"the losses are sums over {name}", factor)
            if match is not None:
                # A constant that happens to be that number is one for other numbers of samples and outputs too.
                elsewhere = evidence.loss_in_another_shape()
                return None if elsewhere is not None and abs(elsewhere - factor) <= 1e-3 * factor else match
    return None


def loss_half(evidence: Evidence) -> Match | None:
    """The losses are half the objective."""
    return _reported(evidence, _objectives(evidence)[:-1] / 2, "the losses are half the mean squared residual", 0.5)


def loss_root(evidence: Evidence) -> Match | None:
    """The losses are the root of the objective."""
    return _reported(evidence, np.sqrt(_objectives(evidence)[:-1]), "the losses are roots of the mean squared residual")


def loss_other_data(evidence: Evidence) -> Match | None:
    """The losses are the objective on some of the samples, the same in every step, or on other targets."""
    if evidence.losses is None or not evidence.trajectory.sharp:
        return None
    n = evidence.system.n_samples
    squares = np.square(evidence.trajectory.residuals[:-1]).mean(axis=-1)
    chosen = choices_of(n)[:-1]
    means = squares.astype(np.float64) @ (chosen / chosen.sum(1, keepdims=True)).T
    fitting = [i for i in range(len(chosen)) if _is(evidence, means[..., i].astype(np.longdouble))]
    if len(fitting) == 1:
        used = chosen[fitting[0]] > 0
        which = "leave out" if np.sum(used) > n / 2 else "are of only"
        listed = ", ".join(str(index) for index in np.flatnonzero(~used if which == "leave out" else used))
        return Match(0.0, f"the losses {which} the samples {listed}")
    predictions, y = evidence.system.design @ evidence.trajectory.stack[:-1], evidence.system.targets
    for shift in range(1, n):
        other = np.square(predictions - np.roll(y, shift, axis=-2)).mean(axis=(-1, -2))
        if _is(evidence, other):
            return Match(0.0, f"the losses are taken at targets rolled by {shift} of {n} samples")
    return None


def cleared(evidence: Evidence) -> Match | None:
    """What is returned is zero, and the losses say that the descent was made."""
    if not evidence.losses_are_right or np.any(evidence.trajectory.stack[1:]):
        return None
    if not np.any(evidence.start) or not np.any(evidence.sighting.truth.exact[evidence.last]):
        return None
    return Match(0.0, "the losses fall as they should, and every returned number is zero: its array was cleared")


def aliased(evidence: Evidence) -> Match | None:
    """Every loss is the last one, one buffer was kept n times; or the returned array was cleared."""
    if evidence.departure is None or evidence.departure.of != "loss":
        return cleared(evidence)
    losses = evidence.losses
    if losses is None or len(losses) < 2 or not np.all(losses == losses[-1]):
        return None
    values = _objectives(evidence)
    for value, where in ((values[-2], "before"), (values[-1], "after")):
        if _is(evidence, np.broadcast_to(value, losses.shape)):
            return Match(0.0, f"every loss is the last one, {where} the last update: one array was kept for all")
    return None


def _objectives(evidence: Evidence) -> LongArray:
    """The objective at every observed state, (K + 1, ...)."""
    return evidence.system.objective(evidence.trajectory.stack)


def _reported(
    evidence: Evidence, predicted: LongArray, sentence: str, factor: float | None = None, skip: int = 0
) -> Match | None:
    return Match(0.0, sentence, factor) if _is(evidence, predicted, skip) else None


def _is(evidence: Evidence, predicted: LongArray, skip: int = 0) -> bool:
    """Whether the losses, but for the first few, are those predicted, within what rounding allows the right ones."""
    if evidence.losses is None or len(evidence.losses) - skip != len(predicted):
        return False
    allowed = MARGIN * evidence.loss_tolerance * np.abs(predicted)
    return bool(np.all(np.abs(evidence.losses[skip:] - predicted) <= allowed))


RESULT_STALE = Cause(
    code="report.result-stale",
    title="the returned parameters are those before the last update",
    looks_like="return previous_w, a history without its last entry",
    fix="return the parameters after the last update",
    example="for k in range(n_iters): previous, w = w, w - lr * dw\nreturn Descent(previous)",
    examine=result_stale,
)
RESULT_INITIAL = Cause(
    code="report.result-initial",
    title="the start is returned, not the result",
    looks_like="return Descent(problem.w0, ...), a name that was never assigned again",
    fix="return the parameters after the last update",
    example="return Descent(problem.w0, problem.b0, losses)",
    examine=result_initial,
)
LOSS_AFTER_UPDATE = Cause(
    code="report.loss-after-update",
    title="the losses are taken after the update",
    looks_like="the loss computed at the end of the loop body",
    fix="losses[k] is the objective before update k",
    example="w = w - lr * dw; losses[k] = objective(w)",
    examine=loss_after_update,
)
LOSS_STALE = Cause(
    code="report.loss-stale",
    title="the losses are one iteration late",
    looks_like="losses[k + 1] = ..., a loss appended before it is computed",
    fix="losses[k] is the objective before update k",
    example="losses[k] = loss; loss = objective(w)",
    examine=loss_stale,
)
LOSS_SUM = Cause(
    code="report.loss-sum",
    title="the losses are sums, not means",
    looks_like="(residual ** 2).sum(), or a mean over one axis only",
    fix="(residual ** 2).mean()",
    example="losses[k] = (residual ** 2).sum()",
    examine=loss_sum,
)
LOSS_HALF = Cause(
    code="report.loss-half",
    title="the losses are half of what they should be",
    looks_like="0.5 * (residual ** 2).mean(), / (2 * n)",
    fix="(residual ** 2).mean()",
    example="losses[k] = (residual ** 2).sum() / (2 * residual.size)",
    examine=loss_half,
)
LOSS_RMSE = Cause(
    code="report.loss-rmse",
    title="the losses are roots of what they should be",
    looks_like="np.sqrt((residual ** 2).mean())",
    fix="(residual ** 2).mean()",
    example="losses[k] = np.sqrt((residual ** 2).mean())",
    examine=loss_root,
)
LOSS_OTHER_DATA = Cause(
    code="report.loss-other-data",
    title="the losses are those of other data",
    looks_like="a validation split, one sample or the last batch, targets in another order",
    fix="take the mean over all samples",
    example="losses[k] = (residual[-1] ** 2).mean()",
    examine=loss_other_data,
)
ALIASED = Cause(
    code="report.aliased",
    title="one buffer is returned where a value from each iteration was due",
    looks_like="losses.append(loss) of a tensor that is overwritten in place, a returned view of a scratch array",
    fix="copy what is kept: loss.detach().clone(), or float(loss)",
    example="losses = [loss_buffer] * n_iters",
    examine=aliased,
)
