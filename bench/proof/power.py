"""The power of a proof: how many bounds away the nearest known wrong answer lies."""

from collections.abc import Sequence

import numpy as np

from bench.oracle.system import LongArray
from bench.oracle.truth import Propagator, Truth

ENOUGH = 10.0
"""A proof that cannot hold a known wrong answer this many bounds off is the judge's failure, not a proof."""


def powers(truth: Truth, observed: Sequence[int]) -> dict[str, float]:
    """For each known wrong answer, its distance from the truth in bounds: the largest over iterates and components.

    Args:
        truth: the exact iterates, with their bounds, of every observed number of iterations.
        observed: the numbers of iterations that the proof looked at; zero is left out, since it needs no descent.
    """
    wrong = _wrong_answers(truth, [n for n in observed if n > 0])
    return {
        name: max((_in_bounds(truth, n, state) for n, state in states), default=0.0) for name, states in wrong.items()
    }


def _wrong_answers(truth: Truth, observed: list[int]) -> dict[str, list[tuple[int, LongArray]]]:
    system = truth.system
    propagator = Propagator(system, truth.lr)
    doubled = Propagator(system, 2 * truth.lr)
    answers: dict[str, list[tuple[int, LongArray]]] = {
        "optimum": [(n, system.optimum) for n in observed],
        "start": [(n, truth.start) for n in observed],
        "one iteration fewer": [(n, propagator.after(truth.start, n - 1)) for n in observed],
        "one iteration more": [(n, propagator.after(truth.start, n + 1)) for n in observed],
        "twice the learning rate": [(n, doubled.after(truth.start, n)) for n in observed if n <= 16],
    }
    if system.has_bias:
        frozen = [(n, truth.exact[n].copy()) for n in observed]
        for _, state in frozen:
            state[..., -1, :] = truth.start[..., -1, :]
        answers["frozen bias"] = frozen
    return answers


def _in_bounds(truth: Truth, n_iters: int, state: LongArray) -> float:
    bound = truth.bound[n_iters]
    if not np.all(np.isfinite(bound)):
        return 0.0
    distance = np.abs(state - truth.exact[n_iters]).astype(np.float64)
    return float(np.max(distance / np.maximum(bound, np.finfo(np.float64).tiny)))
