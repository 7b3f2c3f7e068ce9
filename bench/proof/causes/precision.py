"""The computation is coarser than the dtype: fewer digits, whole numbers, differences in place of derivatives."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from bench.dtypes import DTYPES, Dtype, FloatArray, rounded
from bench.oracle.system import LongArray, System, size
from bench.proof.causes.cause import Cause, Match, first_of, fits
from bench.proof.causes.update import still
from bench.proof.evidence import Evidence
from bench.proof.trajectory import MARGIN, TINY, Trajectory

COARSEST_FIRST = ("bfloat16", "float16", "float32")
TF32_BITS = 11
"""Bits of a tf32 mantissa, the hidden one counted."""

LARGEST_EPSILON = 0.02
USUAL_EPSILONS = (1e-10, 1e-9, 1e-8, 2.0**-26, 1e-7, 1e-6, 6.055454452393343e-06, 1e-5, 1e-4, 1e-3)
"""From the coarsest lattice to the finest: a multiple of a coarse spacing is one of the finer spacings too."""

NEARBY = (0.0161803, 0.0314159, 0.0471239, 0.0627182)
"""Starts this far away, relatively: further than any format's spacing, and too near for a smooth fault to change."""

SCALE = 16.0
LONG_SAMPLE = 64.0

AFAR_ITERATIONS = 3

MANY_VALUES = 12
"""Numbers that must all lie on a lattice before it is said to be one."""


def float32(evidence: Evidence) -> Match | None:
    """The states, steps or gradients are float32 numbers, or the defect is noise of float32's size."""
    return _coarser(evidence, DTYPES["float32"])


def float16(evidence: Evidence) -> Match | None:
    """The same for float16."""
    return _coarser(evidence, DTYPES["float16"])


def bfloat16(evidence: Evidence) -> Match | None:
    """The same for bfloat16."""
    return _coarser(evidence, DTYPES["bfloat16"])


def tf32(trajectory: Trajectory) -> Match | None:
    """Test for the gradient whose products take their inputs in tf32."""
    system, states = trajectory.system, trajectory.stack[:-1]
    hypotheses = []
    for cut in (_nearest_tf32, _truncated_tf32):
        design, short = cut(system.design), cut(states)
        residual = design @ short - system.targets
        held = (residual, cut(residual), cut(trajectory.residuals[:-1]))
        hypotheses += [system.scale * (design.swapaxes(-1, -2) @ one) for one in held]
    if trajectory.residual(trajectory.due) <= 10 * MARGIN:
        return None
    return first_of(fits(trajectory, g, "matrix products take their inputs in tf32, with 11 bits") for g in hypotheses)


def integer(evidence: Evidence) -> Match | None:
    """The parameters, or what the gradient is made of, are cut to whole numbers."""
    trajectory: Trajectory | None = evidence.trajectory
    states = evidence.trajectory.stack[1:]
    if np.all(states == states[0]):
        # Standing still on a whole number is no rounding; from far off it would move.
        still_on_whole = np.array_equal(np.rint(states), states)
        trajectory = evidence.ask_trajectory(evidence.afar, AFAR_ITERATIONS) if still_on_whole else None
    return None if trajectory is None else _cut_to_whole(trajectory)


def _cut_to_whole(trajectory: Trajectory) -> Match | None:
    system, before = trajectory.system, trajectory.stack[:-1]
    if np.all(trajectory.stack[1:] == trajectory.stack[1]):
        return None
    x, y, predictions = system.design, system.targets, system.design @ before
    g, lr = trajectory.due, np.longdouble(trajectory.lr)
    named: list[tuple[str, LongArray]] = []
    for how, cut in (("cut", np.trunc), ("rounded", np.rint), ("rounded down", np.floor)):
        at_cut = system.gradient(cut(before))
        named += [
            (f"the features are {how} to whole numbers", System(cut(x), y, system.has_bias).gradient(before)),
            (f"the targets are {how} to whole numbers", System(x, cut(y), system.has_bias).gradient(before)),
            (
                f"features and targets are {how} to whole numbers",
                System(cut(x), cut(y), system.has_bias).gradient(before),
            ),
            (f"the predictions are {how} to whole numbers", _from_residual(system, cut(predictions) - y)),
            (f"the residuals are {how} to whole numbers", _from_residual(system, cut(predictions - y))),
            (f"the parameters are {how} to whole numbers for the predictions", at_cut),
            (f"the gradient is {how} to whole numbers", cut(g)),
            (f"the parameters are {how} to whole numbers", (before - cut(before - lr * g)) / lr),
            (f"the parameters are {how} to whole numbers", (before - cut(cut(before) - lr * at_cut)) / lr),
        ]
    return first_of(fits(trajectory, predicted, sentence) for sentence, predicted in named)


def finite_difference(evidence: Evidence) -> Match | None:
    """The defect is eps/2 diag H in every step, or the gradients are whole multiples of u f/eps."""
    one_sided = _one_sided(evidence.trajectory)
    if one_sided is not None and not _grows_with_the_curvature(evidence):
        one_sided = None
    return first_of((one_sided, _quantised(evidence.trajectory)))


def _grows_with_the_curvature(evidence: Evidence) -> bool:
    """Whether what is added to a gradient of one number is four times as large where x is twice as large."""
    if evidence.start.size > 1:
        return True
    doubled = evidence.excess_of_doubled_features
    here = evidence.trajectory.effective[0] - evidence.trajectory.due[0]
    return doubled is not None and bool(np.all(np.abs(doubled - 4 * here) <= 0.5 * np.abs(here)))


def _coarser(evidence: Evidence, coarse: Dtype) -> Match | None:
    trajectory = evidence.trajectory
    if coarse.unit_roundoff <= trajectory.dtype.unit_roundoff:
        return None
    if still(trajectory) or np.array_equal(np.rint(trajectory.stack[1:]), trajectory.stack[1:]):
        # Whole numbers lie on every lattice, and so does the start.
        return None
    in_coarse = replace(trajectory, dtype=coarse)
    if in_coarse.residual(trajectory.due) > MARGIN:
        return None
    return first_of((_of_rounded_numbers(trajectory, coarse), _of_coarse_arithmetic(evidence, in_coarse)))


def _of_rounded_numbers(trajectory: Trajectory, coarse: Dtype) -> Match | None:
    """The learning rate, or the data, are numbers of the coarse format; what is made of them is not coarse."""
    rate = np.longdouble(float(rounded(np.asarray(trajectory.lr), coarse))) / np.longdouble(trajectory.lr)
    system, states = trajectory.system, trajectory.stack[:-1]
    x, y = (rounded(part.astype(np.float64), coarse).astype(np.longdouble) for part in (system.design, system.targets))
    # Magnified data are beyond the range of a short format: no descent is made of infinities.
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        return None
    hypotheses = {
        "the learning rate is": rate * trajectory.due,
        "features and targets are": System(x, y, system.has_bias).gradient(states),
        "the features are": System(x, system.targets, system.has_bias).gradient(states),
        "the targets are": System(system.design, y, system.has_bias).gradient(states),
    }
    # Where rounding changes nothing, a fit says nothing.
    return first_of(
        fits(trajectory, predicted, f"{what} rounded to {coarse.name}")
        for what, predicted in hypotheses.items()
        if trajectory.residual(trajectory.due) > MARGIN and not np.array_equal(predicted, trajectory.due)
    )


def _of_coarse_arithmetic(evidence: Evidence, in_coarse: Trajectory) -> Match | None:
    trajectory, name = evidence.trajectory, in_coarse.dtype.name
    lattice = _lattice(trajectory)
    # States may lie on the lattice of a format whose rounding does not explain them: products are coarser still.
    if lattice is not None and replace(trajectory, dtype=DTYPES[lattice[1]]).residual(trajectory.due) <= MARGIN:
        what, held_by = lattice
        return Match(0.0, f"every {what} is a {name} number") if held_by == name else None
    return _noise(evidence, in_coarse)


def _lattice(trajectory: Trajectory) -> tuple[str, str] | None:
    """What lies on the lattice of a coarser format, and on which."""
    steps, tolerances = trajectory.stack[:-1] - trajectory.stack[1:], trajectory.tolerances
    for what, values, tolerance in (
        ("state", trajectory.stack[1:], np.zeros_like(tolerances)),
        ("gradient", trajectory.effective, MARGIN * tolerances),
        ("step", steps, MARGIN * trajectory.lr * tolerances),
    ):
        name = _coarsest(values, tolerance)
        if name is not None and DTYPES[name].unit_roundoff > trajectory.dtype.unit_roundoff:
            return what, name
    return None


def _coarsest(values: LongArray, tolerance: FloatArray) -> str | None:
    """The coarsest format that holds all the values, within a tolerance much finer than the format's own spacing."""
    for name in COARSEST_FIRST:
        coarse = DTYPES[name]
        spacing = coarse.unit_roundoff * size(values)
        telling = spacing > 50 * np.maximum(tolerance, TINY)
        if np.sum(telling) < min(MANY_VALUES, values.size):
            continue
        with np.errstate(over="ignore"):
            off = size(values - rounded(values.astype(np.float64), coarse))
        if np.all(off[telling] <= tolerance[telling]):
            return name
    return None


def _noise(evidence: Evidence, in_coarse: Trajectory) -> Match | None:
    """A defect of the size of the format's rounding, in proportion to the data, and another from starts nearby."""
    trajectory = evidence.trajectory
    worst = in_coarse.residual(trajectory.due)
    name, short = in_coarse.dtype.name, in_coarse.dtype.itemsize == 2
    # Two formats of sixteen bits are too near to each other to be told apart by the size of their noise.
    if not 5e-4 <= worst <= 1 or (short and _products_held_by(evidence) != name) or not _another_nearby(evidence):
        return None
    # Floating-point noise keeps to the scale of the numbers; that of a difference quotient with a fixed eps does not.
    scaled = evidence.ask_step(replace(evidence.from_state(SCALE * evidence.start), y=SCALE * evidence.problem.y))
    off = MARGIN * SCALE * trajectory.tolerances[0]
    first = trajectory.effective[0]
    if scaled is None or not np.all(size(scaled - SCALE * first) <= off):
        return None
    return Match(worst, f"the gradient is off by noise of the size of {name}'s rounding, {worst:.2g} of what it allows")


def _another_nearby(evidence: Evidence) -> bool:
    """Whether the defect is as large, and another, at every start nearby: noise, and no smooth function."""
    defects = []
    for nearness in NEARBY:
        near = evidence.ask_trajectory(evidence.from_state(evidence.start * np.longdouble(1 + nearness)), 1)
        if near is None:
            return False
        defects.append((near.effective - near.due).astype(np.float64))
    sizes = [float(np.linalg.norm(defect)) for defect in defects]
    apart = [float(np.linalg.norm(one - other)) for one, other in pairwise(defects)]
    seen = min(sizes) > 10 * MARGIN * float(np.linalg.norm(evidence.trajectory.tolerances[0]))
    return seen and min(apart) >= 0.5 * max(sizes)


def _products_held_by(evidence: Evidence) -> str | None:
    """The coarsest format that holds a prediction, or its slope: seen where one sample alone makes the gradient."""
    x, y = np.zeros_like(evidence.problem.x), np.zeros_like(evidence.problem.y)
    # So large that the rounding of the states does not show in the steps.
    x[..., 0, :] = LONG_SAMPLE
    random = np.random.Generator(np.random.PCG64(20261124))
    seen: list[LongArray] = []
    for _ in range(-(-MANY_VALUES // evidence.system.n_outputs)):
        start = random.uniform(1, 2, evidence.start.shape).astype(np.longdouble)
        step = evidence.ask_step(replace(evidence.from_state(start), x=x, y=y))
        if step is None:
            return None
        seen.append(step[..., 0, :])
    slopes = np.stack(seen)
    predictions = slopes / np.longdouble(evidence.system.scale)
    return _coarsest(predictions, 2.0**-20 * size(predictions)) or _coarsest(slopes, 2.0**-20 * size(slopes))


def _one_sided(trajectory: Trajectory) -> Match | None:
    curvature = np.diagonal(trajectory.system.hessian, axis1=-2, axis2=-1)[..., np.newaxis]
    part = np.broadcast_to(curvature / 2, trajectory.due.shape)
    offset = trajectory.effective - trajectory.due
    epsilon = float(np.sum(offset * part) / np.sum(part * part))
    if not 1e-12 < abs(epsilon) <= LARGEST_EPSILON:
        return None
    values = trajectory.system.objective(trajectory.stack[:-1]).astype(np.float64)
    noise = 100 * trajectory.dtype.unit_roundoff * float(np.max(values)) / abs(epsilon)
    if np.max(size(epsilon * part)) < 20 * noise:
        return None
    if not np.all(size(offset - np.longdouble(epsilon) * part) <= MARGIN * trajectory.tolerances + noise):
        return None
    side = "forward" if epsilon > 0 else "backward"
    sentence = (
        f"the gradient is a {side} difference with eps = {abs(epsilon):.3g}: too large by eps/2 times the curvature"
    )
    # In one dimension any constant offset is of this form.
    also = ("operand.targets-altered",) if offset[0].size == 1 else ()
    return Match(0.0, sentence, float(f"{abs(epsilon):.6g}"), also)


def _quantised(trajectory: Trajectory) -> Match | None:
    values = trajectory.system.objective(trajectory.stack[:-1]).astype(np.float64)
    if _coarsest(trajectory.effective, MARGIN * trajectory.tolerances) is not None:
        return None
    # A little below each value: of two neighbours that lie in different binades the lower has the finer spacing.
    spacing = 2 * trajectory.dtype.unit_roundoff * 2.0 ** np.floor(np.log2(0.999 * values))
    spacing = spacing[..., np.newaxis, np.newaxis]
    typical = float(np.median(size(trajectory.effective)))
    for epsilon in USUAL_EPSILONS:
        for sides, name in ((1, "one-sided"), (2, "central")):
            lattice = spacing / (sides * epsilon)
            if np.min(lattice) < MARGIN * np.max(trajectory.tolerances[0]) or np.max(lattice) > 0.01 * typical:
                continue
            steps = trajectory.effective / lattice
            if np.max(size(steps - np.rint(steps))) <= 0.1 and _is_near(trajectory, 50 * lattice + epsilon * typical):
                sentence = (
                    f"a {name} difference with eps = {epsilon:.3g}: every gradient is a whole multiple of u f/eps"
                )
                return Match(0.0, sentence, epsilon)
    return None


def _is_near(trajectory: Trajectory, allowed: FloatArray) -> bool:
    return bool(np.all(size(trajectory.effective - trajectory.due) <= allowed))


def _from_residual(system: System, residual: LongArray) -> LongArray:
    product: LongArray = system.scale * (system.design.swapaxes(-1, -2) @ residual)
    return product


def _nearest_tf32(values: LongArray) -> LongArray:
    fraction, exponent = np.frexp(values)
    result: LongArray = np.ldexp(np.rint(fraction * 2.0**TF32_BITS), exponent - TF32_BITS)
    return result


def _truncated_tf32(values: LongArray) -> LongArray:
    fraction, exponent = np.frexp(values)
    result: LongArray = np.ldexp(np.trunc(fraction * 2.0**TF32_BITS), exponent - TF32_BITS)
    return result


FLOAT32 = Cause(
    code="precision.float32",
    title="it computes in float32 where more was asked for",
    looks_like="astype(np.float32), .float(), a default dtype, a Python float turned into a float32 tensor",
    fix="keep the dtype of x in every array",
    example="x = x.astype(np.float32)",
    examine=float32,
)
BFLOAT16 = Cause(
    code="precision.bfloat16",
    title="it computes in bfloat16 where more was asked for",
    looks_like=".bfloat16(), autocast",
    fix="keep the dtype of x in every array",
    example="with torch.autocast('cpu', torch.bfloat16): prediction = x @ w.T",
    examine=bfloat16,
)
FLOAT16 = Cause(
    code="precision.float16",
    title="it computes in float16 where more was asked for",
    looks_like=".half(), astype(np.float16), autocast",
    fix="keep the dtype of x in every array",
    example="w = w.half()",
    examine=float16,
)
TF32 = Cause(
    code="precision.tf32",
    title="matrix products take their inputs in tf32",
    looks_like="torch.backends.cuda.matmul.allow_tf32 = True, set_float32_matmul_precision('high')",
    fix="torch.set_float32_matmul_precision('highest')",
    example="torch.set_float32_matmul_precision('high')",
    test=tf32,
)
INTEGER = Cause(
    code="precision.integer",
    title="numbers are cut to whole numbers",
    looks_like="astype(int), //, np.zeros(n, int), an integer array filled with floats",
    fix="keep the dtype of x in every array",
    example="w = problem.w0.astype(int)",
    examine=integer,
)
FINITE_DIFFERENCE = Cause(
    code="precision.finite-difference",
    title="the gradient is a difference quotient, not a derivative",
    looks_like="(loss(w + eps) - loss(w)) / eps",
    fix="write out the derivative, or let autograd take it",
    example="dw[i, j] = (loss(w + eps * unit) - loss(w)) / eps",
    examine=finite_difference,
)
