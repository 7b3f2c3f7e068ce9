"""Linear-regression problems of the NIST Statistical Reference Datasets, with their certified answers."""

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from bench.problems import learning_rate
from bench.problems.named import Answer, Loaded
from bench.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Certified:
    """What NIST certifies, as printed, to 15 significant digits.

    Attributes:
        slope: B1.
        intercept: B0; ``None`` where the model has none.
        residual_deviation: the residual standard deviation.
    """

    slope: str
    intercept: str | None
    residual_deviation: str


CERTIFIED = {
    "noint1": Certified("2.07438016528926", None, "3.56753034006338"),
    "noint2": Certified("0.727272727272727", None, "0.369274472937998"),
    "norris": Certified("1.00211681802045", "-0.262323073774029", "0.884796396144373"),
}


def load(name: str) -> Loaded:
    """One data set, from a start at zero, with the automatic learning rate.

    Args:
        name: ``noint1``, ``noint2`` or ``norris``.
    """
    certified = CERTIFIED[name]
    rows = [(float(y), float(x)) for y, x in observations(name)]
    x = np.array([[x] for _, x in rows])
    y = np.array([[y] for y, _ in rows])
    bias = certified.intercept is not None
    lr = learning_rate.resolved("auto", x, n_outputs=1, bias=bias)
    problem = Problem(x, y, np.zeros((1, 1)), np.zeros(1) if bias else None, lr)
    b = None if certified.intercept is None else np.array([float(certified.intercept)])
    return problem, Answer(np.array([[float(certified.slope)]]), b, "certified by NIST")


def observations(name: str) -> list[tuple[str, str]]:
    """The (y, x) pairs of a shipped data set, as the decimal numbers that NIST publishes."""
    text = files("bench.problems").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [(row["y"], row["x"]) for row in csv.DictReader(lines)]
