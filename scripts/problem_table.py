"""Print the catalogue as the Markdown table of docs/reference-problems.md: python scripts/problem_table.py."""

import numpy as np

from bench.problems.catalogue import CATALOGUE
from bench.problems.learning_rate import largest_stable
from bench.problems.named import Answer, NamedProblem

HEADER = ("name", "N x D -> M", "bias", "lr", "2 / lambda_max", "source", "known answer")


def table() -> str:
    """The table, one line a problem, without a newline at the end."""
    rows = [HEADER, ("---",) * len(HEADER), *(_row(entry.load()) for entry in CATALOGUE)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(named: NamedProblem) -> tuple[str, ...]:
    problem = named.problem
    *lead, n_samples, n_features = problem.x.shape
    shape = f"{n_samples} x {n_features} -> {problem.y.shape[-1]}"
    return (
        f"`{named.name}`",
        f"{lead[0]} of {shape}" if lead else shape,
        "no" if problem.b0 is None else "yes",
        f"{problem.lr:.4g}",
        f"{largest_stable(problem):.4g}",
        named.source,
        _known(named.answer),
    )


def _known(answer: Answer | None) -> str:
    if answer is None:
        return "none"
    numbers = f"w = {_numbers(answer.w)}" + ("" if answer.b is None else f", b = {_numbers(answer.b)}")
    return f"{numbers} ({answer.source})"


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.15g}" for value in values.ravel())


if __name__ == "__main__":
    print(table())
