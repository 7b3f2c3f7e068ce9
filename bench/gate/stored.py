"""Two stored runs side by side: advice, never a verdict to gate on."""

import math
from collections.abc import Sequence

from bench.gate.comparison import Outcome
from bench.gate.row import Row
from bench.runs.records import Record, cell_of

RUNS_APART = 1.061
"""Unchanged code in two runs that are minutes apart differs by 5.5 to 6.1 % on a noisy machine."""

_DECIDE = "compare the code itself to decide"


def stored_rows(base: str, base_timings: Sequence[Record], head: str, head_timings: Sequence[Record]) -> list[Record]:
    """A row for each cell that both runs have timed.

    Args:
        base: the name of one run.
        base_timings: its timing rows.
        head: the name of the other.
        head_timings: its rows.
    """
    before = {cell_of(row): row for row in base_timings if row["ns_per_iter"] is not None}
    pairs = ((before[cell_of(row)], row) for row in head_timings if cell_of(row) in before)
    return [_row(base, one, head, other) for one, other in pairs if other["ns_per_iter"] is not None]


def _row(base: str, before: Record, head: str, after: Record) -> Record:
    base_ns, low_ns, high_ns = (_number(before, name) for name in ("ns_per_iter", "ci_low", "ci_high"))
    head_ns, head_low_ns, head_high_ns = (_number(after, name) for name in ("ns_per_iter", "ci_low", "ci_high"))
    ratio, low, high = head_ns / base_ns, head_low_ns / high_ns, head_high_ns / low_ns
    beyond = abs(math.log(ratio)) > math.log(RUNS_APART) and not low <= 1 <= high
    outcome = Outcome.INCONCLUSIVE if not beyond else Outcome.SLOWER if ratio > 1 else Outcome.FASTER
    said = "more" if beyond else "no more"
    doubts = [
        f"{name} is doubtful: {row['doubt']}" for name, row in ((base, before), (head, after)) if row.get("doubt")
    ]
    outcome = Outcome.INCONCLUSIVE if doubts else outcome
    variant, problem, device, dtype = map(str, cell_of(after))
    return Row(
        base=base,
        head=head,
        variant=variant,
        problem=problem,
        device=device,
        dtype=dtype,
        verdict=outcome,
        ratio=ratio,
        ci_low=low,
        ci_high=high,
        reason="; ".join((f"advisory: {said} than two runs of unchanged code may differ", *doubts, _DECIDE)),
        base_ns_per_iter=base_ns,
        head_ns_per_iter=head_ns,
        as_expected=True,
    ).record()


def _number(row: Record, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float)
    return float(value)
