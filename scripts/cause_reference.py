"""Print docs/reference-causes.md from the causes themselves: python scripts/cause_reference.py."""

import ast
from itertools import pairwise
from pathlib import Path

from bench.proof import verdict
from bench.proof.causes import CAUSES, UNKNOWN, cause_named
from bench.proof.causes.cause import Cause

INTRODUCTION = """\
# Reference: statuses and causes

What `gdbench` says of a cell, in every table and in the columns `status` and `cause` of
[the frames](reference-frames.md). `gdbench explain TARGET` tells the story of one, with numbers.

## Statuses

The list is closed.

| status | meaning |
|---|---|
"""
CAUSES_BEGIN = f"""\

## Causes

A cell that is `wrong` or `broken` has a cause, a code `family.member`. It is printed only when its own positive test
holds on the probe; how, is told in [what a proof proves](explanation-proof.md). The causes are tried in this order, and
the first that fits is the cause. Others that fit as well, and those which no trajectory can tell from it, stand in
`alternatives`; some of these have no test of their own yet.

Where none fits the cause is `{UNKNOWN}`: it is not gradient descent, and the evidence says where it departs from it.
"""
ENDING = (
    "`python scripts/cause_reference.py > docs/reference-causes.md` writes this page anew; a test compares the two."
)


def page() -> str:
    """The whole page."""
    statuses = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in _statuses())
    return "\n".join([INTRODUCTION + statuses + CAUSES_BEGIN, *(_section(cause) for cause in CAUSES), ENDING]) + "\n"


def _statuses() -> list[tuple[str, str]]:
    """Each status with the docstring below it, which Python does not keep."""
    tree = ast.parse(Path(verdict.__file__).read_text(encoding="utf-8"))
    (members,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Status")
    return [
        (str(verdict.Status[assigned.targets[0].id]), str(ast.literal_eval(said.value)).replace("``", "`"))
        for assigned, said in pairwise(members)
        if isinstance(assigned, ast.Assign) and isinstance(assigned.targets[0], ast.Name) and isinstance(said, ast.Expr)
    ]


def _section(cause: Cause) -> str:
    lines = [
        f"### `{cause.code}`",
        f"{_sentence(cause.title)}",
        f"- Looks like: {cause.looks_like}",
        f"- Write instead: {cause.fix}",
        f"- Example: `{cause.example}`",
    ]
    if cause.same_as:
        lines.append(f"- Not to be told from: {', '.join(_named(code) for code in cause.same_as)}")
    return "\n".join(lines) + "\n"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def _named(code: str) -> str:
    return f"`{code}`" if cause_named(code) else f"`{code}` (no test of its own)"


if __name__ == "__main__":
    print(page(), end="")
