"""Timings for the services that follow a project's numbers from commit to commit, each in its own JSON."""

from collections.abc import Sequence

from bench.errors import UsageError
from bench.report.figures import duration_with_margin, is_absent, margin
from bench.report.tables import Record, key
from bench.report.text import printable
from bench.report.times import timed
from bench.runs.strict_json import to_json

_LONGEST_NAME = 500
"""Characters; Bencher takes names of 1024."""


def github_action_benchmark(timings: Sequence[Record]) -> str:
    """The entries of github-action-benchmark's tool ``customSmallerIsBetter``: nanoseconds an iteration, by cell.

    Args:
        timings: rows of the timings; those without a time are left out.

    Raises:
        UsageError: none has a time.

    https://github.com/benchmark-action/github-action-benchmark
    """
    return to_json([_entry(row) for row in _those_with_a_time(timings)], indent=1)


def bencher_metric_format(timings: Sequence[Record]) -> str:
    """Bencher's own format: the measure ``latency``, in nanoseconds an iteration, with its interval, by cell.

    Args:
        timings: rows of the timings; those without a time are left out.

    Raises:
        UsageError: none has a time.

    https://bencher.dev/docs/reference/bencher-metric-format/
    """
    return to_json({_name(row): {"latency": _metric(row)} for row in _those_with_a_time(timings)}, indent=1)


def _those_with_a_time(timings: Sequence[Record]) -> list[Record]:
    rows = timed(timings)
    if not rows:
        raise UsageError(
            "the run has no timings, and this format holds nothing else. `gdbench run` times what it proves; "
            "`gdbench report` says what became of the cells."
        )
    return rows


def _entry(row: Record) -> dict[str, object]:
    entry: dict[str, object] = {"name": _name(row), "unit": "ns", "value": row["ns_per_iter"]}
    low, high = row["ci_low"], row["ci_high"]
    said = []
    farther = margin(row["ns_per_iter"], low, high)
    if farther is not None:
        entry["range"] = f"± {float(f'{farther:.3g}'):.12g}"
        words = duration_with_margin(row["ns_per_iter"], low, high)
        said.append(f"{words} an iteration, 95 % over {row['launches']} launches")
    said += [printable(row[name]) for name in ("doubt", "note") if row.get(name) and not is_absent(row[name])]
    return entry | ({"extra": "\n".join(said)} if said else {})


def _metric(row: Record) -> dict[str, object]:
    ends = {"lower_value": row["ci_low"], "upper_value": row["ci_high"]}
    return {"value": row["ns_per_iter"]} | {name: end for name, end in ends.items() if not is_absent(end)}


def _name(row: Record) -> str:
    return printable("/".join(key(row)), _LONGEST_NAME)
