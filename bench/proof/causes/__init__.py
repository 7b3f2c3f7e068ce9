"""The causes, in the order of parsimony: the plainest explanation that fits comes first.

Adding a cause is one entry in the file of its family and one line here. A tier is tried only when nothing in the tiers
before it fits; what fits within one tier is printed together.
"""

from bench.proof.causes import (
    accumulate,
    cheat,
    count,
    data,
    leak,
    objective,
    operand,
    precision,
    repeat,
    report,
    scale,
    sign,
    stale,
    state,
    update,
)
from bench.proof.causes.cause import Cause
from bench.proof.causes.contract import CONTRACT
from bench.proof.causes.device import DEVICE

EXACT: tuple[Cause, ...] = (
    update.NEVER,
    report.RESULT_INITIAL,
    report.ALIASED,
    cheat.CACHED,
    cheat.CLOSED_FORM,
    sign.ASCENT,
    scale.SUM,
    scale.MEAN_OVER_SAMPLES,
    scale.HALF,
    scale.DOUBLE,
    scale.EXTRA_DIVISION,
    count.ONE_LESS,
    report.RESULT_STALE,
    count.ONE_MORE,
    update.TWICE,
    update.SKIPS,
    count.EARLY_STOP,
    count.PADDED,
    sign.BLOCK,
    operand.NO_TARGET,
    operand.BIAS_MISSING,
    operand.WEIGHT_MISSING,
    operand.OTHER_GRADIENT,
    operand.RESHAPE,
    operand.BIAS_LAST_SAMPLE,
    update.SEQUENTIAL,
    stale.GRADIENT,
    stale.FROZEN_GRADIENT,
    accumulate.NO_ZERO_GRAD,
    accumulate.BLOCK,
    accumulate.SOMETIMES,
    leak.STALE_DATA,
    data.STANDARDISED,
    precision.INTEGER,
    precision.TF32,
)
"""Hypotheses without a free number."""

FITTED = (
    leak.START_IGNORED,
    cheat.HARD_CODED,
    scale.LR_IGNORED,
    scale.LR_SQUARED,
    scale.CONSTANT,
    scale.BLOCK,
    objective.L1,
    objective.OTHER_LOSS,
    state.MOMENTUM,
    state.NESTEROV,
    state.WEIGHT_DECAY,
    state.CLIPPED,
    cheat.GEOMETRIC,
    precision.FINITE_DIFFERENCE,
)
"""Hypotheses with few numbers, or that need further probes."""

RICH = (
    data.SINGLE_SAMPLE,
    data.DROPPED,
    data.DUPLICATED,
    data.MINIBATCH,
    operand.TARGETS_ALTERED,
    state.SCHEDULE,
)
"""Hypotheses with a number for each step, sample or coordinate."""

COARSE = (precision.FLOAT32, precision.FLOAT16, precision.BFLOAT16)
"""Gradient descent, with the rounding of a shorter format."""

TIERS = (EXACT, FITTED, (state.ADAPTIVE,), RICH, COARSE)
"""For states that are not gradient descent's."""

UNSTEADY: tuple[tuple[Cause, ...], ...] = (
    (leak.WARM_START, leak.BUFFER),
    (leak.RANDOM_START, data.MINIBATCH),
    (repeat.NONDETERMINISTIC,),
)
"""For equal calls with different answers."""

ELSEWHERE: tuple[tuple[Cause, ...], ...] = ((count.EARLY_STOP,), (state.SCHEDULE,))
"""For a trajectory that is right as far as it was looked at one by one, and is wrong further on."""

DIVERGING: tuple[tuple[Cause, ...], ...] = ((state.CLIPPED,),)
"""For a trajectory that is wrong at a learning rate over the limit alone."""

LOSSES: tuple[tuple[Cause, ...], ...] = (
    (
        report.LOSS_AFTER_UPDATE,
        report.LOSS_STALE,
        report.LOSS_SUM,
        report.LOSS_HALF,
        report.LOSS_RMSE,
        report.ALIASED,
    ),
    (report.LOSS_OTHER_DATA,),
)
"""For right states with wrong losses."""

CAUSES: tuple[Cause, ...] = tuple(
    dict.fromkeys(
        cause for tiers in ((CONTRACT,), TIERS, UNSTEADY, LOSSES, (DEVICE,)) for tier in tiers for cause in tier
    )
)
UNKNOWN = "unknown"
CODES = (*(cause.code for cause in CAUSES), UNKNOWN)
"""What a verdict may name, and a project may expect."""


def cause_named(code: str) -> Cause | None:
    """The cause of that code, or ``None`` where it has no story (``unknown``, or a code of a later version)."""
    return next((cause for cause in CAUSES if cause.code == code), None)
