"""Random honest cells: which loop, in which dtype, on which problem. Each is drawn from (seed, index) alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.backends import BACKENDS
from bench.dtypes import Dtype, FloatArray, dtype_named
from bench.oracle.reach import out_of_range
from bench.oracle.system import System
from bench.plan import Cell
from bench.problems.problem import Problem
from bench.problems.rounding import in_dtype
from bench.variants.contract import Variant
from bench.variants.discovery import discover
from tests.faults.fault import TARGETS
from tests.faults.honest import CONTROLS

MOST_SAMPLES = 10_000
WIDEST = 32
"""Features, and outputs."""
LARGEST_BATCH = 8
LARGEST_CONDITION = 1e6
LARGEST_RATE = 0.99
"""Of the limit."""

BATCHED = {"numpy-batched": 0.5, "torch-bmm": 1.0}
"""How often a variant that takes batches is given one."""

SLOW = {
    "sample-by-sample": 3_000,
    "plain-python": 1_000,
    "pairwise": 3_000,
    "kahan": 3_000,
    "exact-sums": 3_000,
    "rank-one-updates": 3_000,
    "shuffled-loader-of-one-batch": 3_000,
    "smallest-first": 30_000,
    "running-totals": 30_000,
    "mean-of-products": 100_000,
    "forward-mode": 10_000,
    "accumulated-over-chunks": 10_000,
    "reverse-jacobian": 3_000,
    "forward-jacobian": 3_000,
    "mean-of-per-sample-gradients": 100_000,
    "extended-inside": 300_000,
}
"""The most numbers N D M that an honest loop is given which goes through its samples one by one, or stores too much."""

MOST_NUMBERS = 1_000_000
"""The same for every loop but one draw in a hundred, which is of 10 000 samples and as wide as it happens to be."""

SMALL = 5_000
"""The same in CI, where the draws of 10 000 samples have at most `SMALL_BUT_LONG`."""

SMALL_BUT_LONG = 100_000

SLOW_FLOAT16 = 100_000
"""The same for NumPy's float16, in which no BLAS multiplies."""

NOT_IN = {
    "honest-numpy-blas-gemm": ("float16",),
    # math.fsum raises where every other sum goes beyond float16 and is judged by what comes of it.
    "honest-numpy-exact-sums": ("float16",),
    "honest-numpy-sparse-design": ("float16",),
    "honest-torch-through-numpy": ("bfloat16",),
    # github.com/pytorch/pytorch/issues/191763: sixteen weights at a time are not updated. These cells found it too.
    "honest-torch-sgd-fused": ("float16", "bfloat16"),
}
"""The dtypes that the library beneath an honest loop does not compute in, or not rightly."""

DECADES = 3.0
"""The data are scaled by 10**-3 to 10**3; the targets too, on their own."""

TRIES = 20
"""Scales drawn for a problem until its dtype can hold it."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One honest cell, with what a table says of it.

    Attributes:
        index: which of the seed's.
        cell: what to prove; its problem's name says how it was drawn.
        facts: the figures that it was drawn with.
    """

    index: int
    cell: Cell
    facts: dict[str, object]


def core_variants() -> list[Variant]:
    """The registered variants that are meant to be right, of backends that are installed."""
    meant_right = [one for one in discover() if one.expect is None and one.family != "as-published"]
    return [one for one in meant_right if BACKENDS[one.backend].installed()]


def control_variants() -> list[Variant]:
    """The honest loops of the corpus: the same sums in other orders, by other means."""
    return [
        Variant(one.name, one.backend, "honest", str(TARGETS / one.function))
        for one in CONTROLS
        if BACKENDS[one.backend].installed()
    ]


def draw(index: int, seed: int, core: Sequence[Variant], controls: Sequence[Variant], *, small: bool = False) -> Drawn:
    """Cell ``index`` of a seed: half of them of the core variants, half of the corpus's honest loops.

    Args:
        index: which; the same for ever, whatever else is drawn.
        seed: of all.
        core: the registered variants.
        controls: the honest loops.
        small: as CI has it: most have at most `SMALL` numbers, 75 % are of the core variants and 85 % NumPy's, which
            are quicker.
    """
    random = np.random.Generator(np.random.PCG64([seed, index]))
    family = core if random.random() < (0.75 if small else 0.5) else controls
    of_backend = {backend: [one for one in family if one.backend == backend] for backend in BACKENDS}
    if not of_backend["torch"] or random.random() < (0.85 if small else 0.5):
        family = of_backend["numpy"]
    else:
        family = of_backend["torch"]
    variant = family[int(random.integers(len(family)))]
    dtypes = [one for one in BACKENDS[variant.backend].dtypes if one not in NOT_IN.get(variant.name, ())]
    dtype = dtypes[int(random.integers(len(dtypes)))]
    batch = int(random.integers(1, LARGEST_BATCH + 1)) if random.random() < BATCHED.get(variant.name, 0.0) else None
    sizes = _shape(random, _most_numbers(variant, dtype), batch or 1, small=small)
    problem, facts = _problem(random, (() if batch is None else (batch,)), sizes, dtype_named(dtype))
    shape = {**dict(zip("ndm", sizes, strict=True)), "batch": batch}
    return Drawn(index, Cell(variant, f"honest-{seed}-{index}", problem, "cpu", dtype), shape | facts)


def _most_numbers(variant: Variant, dtype: str) -> int | None:
    most = SLOW.get(variant.name.removeprefix(f"honest-{variant.backend}-"))
    if variant.backend == "numpy" and dtype == "float16":
        return min(most or SLOW_FLOAT16, SLOW_FLOAT16)
    return most


def _shape(random: np.random.Generator, most: int | None, batch: int, *, small: bool) -> tuple[int, int, int]:
    """N, D and M, with N D M times the batch inside what the loop is given."""
    d, m = (WIDEST if random.random() < 0.05 else _between(random, 1, WIDEST) for _ in range(2))
    kind = random.random()
    at_most = SMALL if small else MOST_NUMBERS
    if kind < 0.05:
        n = int(random.integers(1, 3))
    elif kind < 0.12:
        n = int(random.integers(1, d + 1))
    elif kind < 0.13:
        n = MOST_SAMPLES
        at_most = SMALL_BUT_LONG if small else n * d * m * batch
    else:
        n = _between(random, 1, MOST_SAMPLES)
    if most is not None:
        at_most = min(at_most, most // 10 if small else most)
    return max(1, min(n, at_most // (d * m * batch))), d, m


def _problem(
    random: np.random.Generator, lead: tuple[int, ...], sizes: tuple[int, int, int], dtype: Dtype
) -> tuple[Problem, dict[str, object]]:
    """Data, a start and a learning rate; the scales are drawn again until the dtype holds them."""
    n, d, m = sizes
    condition = 10 ** random.uniform(0, np.log10(LARGEST_CONDITION)) if min(n, d) > 1 else 1.0
    # Half have their condition from the directions of x, half from the scales of its columns.
    by_columns = bool(random.random() < 0.5)
    offset = float(random.choice((0.0, 0.0, 1.0, 10.0)))
    noise = 0.0 if random.random() < 0.3 else 10 ** random.uniform(-3, 0.5)
    has_bias = bool(random.random() < 0.5)
    begins = str(random.choice(("zero", "random", "optimum")))
    rate = _rate(random)
    shape_of_x = random.standard_normal((*lead, n, d)) + offset * random.standard_normal(d)
    shape_of_x = _columns(random, shape_of_x, condition) if by_columns else _conditioned(shape_of_x, condition)
    w = random.standard_normal((*lead, m, d))
    b = random.standard_normal((*lead, 1, m)) if has_bias else 0.0
    signal = shape_of_x @ w.swapaxes(-1, -2) + b
    strays = noise * random.standard_normal((*lead, n, m))
    w0, b0 = random.standard_normal((*lead, m, d)), random.standard_normal((*lead, m))
    for _ in range(TRIES):
        of_x, of_y = (10 ** random.uniform(-DECADES, DECADES) for _ in range(2))
        start = Problem(
            of_x * shape_of_x,
            of_y * (signal + strays),
            (of_y / of_x) * w0 * (begins == "random"),
            of_y * b0 * (begins == "random") if has_bias else None,
            1.0,
        )
        problem = in_dtype(start, dtype)
        if begins == "optimum":
            problem = in_dtype(_at_optimum(problem), dtype)
        system = System.of(problem)
        limit = system.largest_learning_rate
        problem = replace(problem, lr=rate * limit if np.isfinite(limit) else rate)
        if out_of_range(problem, system, dtype) is None:
            break
    facts: dict[str, object] = {
        "bias": has_bias,
        "condition": float(f"{condition:.3g}"),
        "of": "columns" if by_columns else "directions",
        "offset": offset,
        "noise": float(f"{noise:.2g}"),
        "start": begins,
        "lr_of_limit": float(f"{rate:.3g}"),
        "x_scale": float(f"{of_x:.2g}"),
        "y_scale": float(f"{of_y:.2g}"),
    }
    return problem, facts


def _rate(random: np.random.Generator) -> float:
    """A fraction of the largest stable learning rate; near either end more often than by chance."""
    kind = random.random()
    if kind < 0.1:
        return LARGEST_RATE
    if kind < 0.2:
        return float(10 ** random.uniform(-6, -2))
    return float(random.uniform(0.01, LARGEST_RATE))


def _at_optimum(problem: Problem) -> Problem:
    best = System.of(problem).optimum.astype(np.float64)
    if problem.b0 is None:
        return Problem(problem.x, problem.y, best.swapaxes(-1, -2), None, 1.0)
    return Problem(problem.x, problem.y, best[..., :-1, :].swapaxes(-1, -2), best[..., -1, :], 1.0)


def _columns(random: np.random.Generator, x: FloatArray, condition: float) -> FloatArray:
    scales: FloatArray = np.geomspace(1.0, 1.0 / condition, num=x.shape[-1])
    scaled: FloatArray = x * random.permutation(scales)
    return scaled


def _conditioned(x: FloatArray, condition: float) -> FloatArray:
    """The same singular vectors with singular values from ``condition`` to 1, the entries' mean square being 1."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    target = np.geomspace(condition, 1.0, num=singular.shape[-1])
    target *= np.sqrt(x.shape[-1] * x.shape[-2]) / np.linalg.norm(target)
    product: FloatArray = (left * target) @ right
    return product


def _between(random: np.random.Generator, low: int, high: int) -> int:
    """A whole number, as likely between 1 and 10 as between 10 and 100."""
    return min(high, max(low, round(float(np.exp(random.uniform(np.log(low), np.log(high + 0.5)))))))
