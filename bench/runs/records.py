"""Records: verdicts and timings as flat rows, the columns of the three frames, and the JSON documents."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.proof.verdict import Finding, Status, Verdict
from bench.runs.strict_json import to_json

if TYPE_CHECKING:
    from bench.timing.limits.work import Shape
    from bench.timing.record import Timing
    from bench.variants.contract import Variant

__all__ = [
    "CELL_FIELDS",
    "COMPARISONS_SCHEMA",
    "EXTENT_COLUMNS",
    "ITERATE_COLUMNS",
    "RUN_COLUMN",
    "RUN_SCHEMA",
    "TIMINGS_SCHEMA",
    "TIMING_COLUMNS",
    "VERDICTS_SCHEMA",
    "VERDICT_COLUMNS",
    "Column",
    "Record",
    "a_row_for_every_cell",
    "cell_of",
    "comparisons_document",
    "extent_fields",
    "fault_in",
    "finding_fields",
    "run_document",
    "timing_record",
    "timings_document",
    "to_json",
    "untimed_record",
    "verdict_record",
    "verdicts_document",
]

Record = Mapping[str, object]
Column = tuple[str, str, str]
"""Name, pandas dtype, meaning."""

VERDICTS_SCHEMA = "gdbench/verdicts/1"
TIMINGS_SCHEMA = "gdbench/timings/1"
RUN_SCHEMA = "gdbench/run/1"
COMPARISONS_SCHEMA = "gdbench/comparisons/1"

CELL_FIELDS = ("variant", "problem", "device", "dtype")
"""The fields that identify a cell; present, and text, in every record."""

RUN_COLUMN: Column = ("run", "string", "The run that the row comes from: the name of its folder or file")

_VARIANT: Column = ("variant", "string", "The implementation")
_BACKEND: Column = ("backend", "string", "The array library that the variant is written for")
_FAMILY: Column = ("family", "string", "The word that variants working alike share")
_PROBLEM: Column = ("problem", "string", "The least-squares problem")
_DEVICE: Column = ("device", "string", "Where the variant ran: cpu, cuda, cuda:1, mps")
_DTYPE: Column = ("dtype", "string", "The floating-point format of the data and the answer")

EXTENT_COLUMNS: tuple[Column, ...] = (
    ("n_samples", "Int64", "Samples of the problem, N; of each regression of a batch"),
    ("n_features", "Int64", "Features, D"),
    ("n_outputs", "Int64", "Outputs, M"),
    ("n_regressions", "Int64", "Independent regressions, B; 1 where the problem is no batch"),
)

VERDICT_COLUMNS: tuple[Column, ...] = (
    _VARIANT,
    _BACKEND,
    _FAMILY,
    _PROBLEM,
    _DEVICE,
    _DTYPE,
    ("status", "category", f"What became of the cell: {', '.join(Status)}"),
    ("cause", "string", "The code of the fault; missing where there is none"),
    ("factor", "Float64", "The number that goes with the cause, such as the gain of the gradient"),
    ("alternatives", "string", "Causes that fit as well, joined by `;`; a list in JSON"),
    ("evidence", "string", "One sentence with the numbers"),
    ("iterate", "Int64", "The iterate that decided"),
    ("error", "Float64", "Distance of that iterate from the exact one, in its worst component"),
    ("bound", "Float64", "The rounding bound of that component"),
    ("power", "Float64", "How many bounds away the nearest known wrong answer lies"),
    ("power_problem", "Float64", "The same, on the cell's own problem alone"),
    (
        "converges_in",
        "Int64",
        "Iterations that theory needs to bring the start within 0.05 % of its distance from the optimum",
    ),
    ("checked_to", "Int64", "The largest iterate found exact on the cell's own problem"),
    ("expected", "string", "What a gate expects: `proved`, or the cause of a known-wrong variant"),
    ("as_expected", "boolean", "Whether it came so"),
    ("seconds", "Float64", "Wall time of the proof, in seconds"),
    ("isolation", "string", "How the variant was kept apart from the judge"),
    ("peak_memory_bytes", "Int64", "The most memory that the proof's worker had at once, its libraries included"),
    ("peak_device_bytes", "Int64", "The most memory of the device that its tensors took; missing on a CPU"),
)

TIMING_COLUMNS: tuple[Column, ...] = (
    _VARIANT,
    _BACKEND,
    _FAMILY,
    _PROBLEM,
    _DEVICE,
    _DTYPE,
    *EXTENT_COLUMNS,
    ("ns_per_iter", "Float64", "Nanoseconds an iteration: the slope of time against iterations"),
    (
        "ci_low",
        "Float64",
        "Lower end of its 95 % interval over launches, in nanoseconds; lower where none met a processor at full speed",
    ),
    ("ci_high", "Float64", "Upper end of its 95 % interval over launches, in nanoseconds"),
    ("setup_ns", "Float64", "What a call costs beside its iterations, in nanoseconds"),
    (
        "first_call_ns",
        "Float64",
        "The first call in a fresh worker, compiling included, in nanoseconds: the median over launches",
    ),
    ("launches", "Int64", "Launches that the interval is over"),
    (
        "stopped_by",
        "string",
        "Why there were no more launches: `the interval is narrow enough`, `all launches are made`, `the time is over`",
    ),
    ("samples", "Int64", "Timed calls, in all launches"),
    ("discarded", "Int64", "Those of them that were left out, each for a cause"),
    ("limit_ns", "Float64", "The fastest this machine could do the same iteration, in nanoseconds"),
    ("share_of_limit", "Float64", "`limit_ns` over `ns_per_iter`, at most 1"),
    ("bytes_per_iter", "Int64", "Bytes that an iteration of `work_class` reads at least"),
    ("operations_per_iter", "Int64", "Floating-point operations that it needs at least"),
    (
        "work_class",
        "string",
        "How an iteration so fast may come to its update: `pass over the data`, `sufficient statistics`, "
        "`one dependent update`",
    ),
    ("limited_by", "string", "What binds: `memory`, `arithmetic`, `latency`, `launch`, `dispatch`"),
    ("limit_note", "string", "The same in words; empty where nothing is known to bind it"),
    ("queue_share", "Float64", "Share of the timed wall time that the worker waited for a processor, 0 to 1"),
    ("dispersion", "Float64", "Interquartile range over median of the slopes of all launches"),
    ("setup_share", "Float64", "Share of set-up in the largest timed call, 0 to 1"),
    ("n_small", "Int64", "Iterations of the short timed calls"),
    ("n_large", "Int64", "Iterations of the long timed calls"),
    ("threads", "Int64", "Threads that the worker's array library may use"),
    (
        "cold_ns_per_iter",
        "Float64",
        "Device time of an iteration after the L2 cache was flushed, in nanoseconds; missing on a CPU",
    ),
    ("hot_ns_per_iter", "Float64", "Device time of an iteration with all launches queued, in nanoseconds"),
    ("host_ns_per_iter", "Float64", "Host time to start an iteration, before anything is waited for, in nanoseconds"),
    ("sm_clock_mhz", "Float64", "Median clock of the device around the timed calls, by NVML, in MHz"),
    ("cycles_per_iter", "Float64", "`ns_per_iter` in cycles of `sm_clock_mhz`"),
    ("peak_device_bytes", "Int64", "The most memory of the device that the timed calls took; missing on a CPU"),
    ("note", "string", "The noise, named in words; empty when the machine was quiet"),
    ("doubt", "string", "Why the number may not be the cost of iterating, in words; empty where nothing is doubtful"),
    ("failed", "boolean", "Whether the variant failed while it was timed; a machine too busy to say is no failure"),
)

ITERATE_COLUMNS: tuple[Column, ...] = (
    _VARIANT,
    _PROBLEM,
    _DEVICE,
    _DTYPE,
    ("probe", "string", "What the variant was run on: `problem`, or the name of a diagnosing probe"),
    ("n", "Int64", "Updates done"),
    ("component", "string", "The number looked at, such as `w[0,2]` or `b[1]`; `w[3,0,2]` in a batch"),
    ("observed", "Float64", "What the variant answered"),
    ("exact", "Float64", "What gradient descent gives"),
    ("bound", "Float64", "How far the two may lie apart by rounding alone"),
)


def verdict_record(verdict: Verdict) -> dict[str, object]:
    """The verdict and its finding as one flat row, in the order of `VERDICT_COLUMNS`."""
    return {
        "variant": verdict.variant,
        "backend": verdict.backend,
        "family": verdict.family,
        "problem": verdict.problem,
        "device": verdict.device,
        "dtype": verdict.dtype,
        **finding_fields(verdict.finding),
        "expected": verdict.expected,
        "as_expected": verdict.as_expected,
        "seconds": verdict.seconds,
        "isolation": verdict.isolation,
        "peak_memory_bytes": verdict.peak_memory_bytes,
        "peak_device_bytes": verdict.peak_device_bytes,
    }


def finding_fields(finding: Finding) -> dict[str, object]:
    """The fields of a verdict row that the proof found, in their order."""
    return {
        "status": finding.status.value,
        "cause": finding.cause,
        "factor": finding.factor,
        "alternatives": list(finding.alternatives),
        "evidence": finding.evidence,
        "iterate": finding.iterate,
        "error": finding.error,
        "bound": finding.bound,
        "power": finding.power,
        "power_problem": finding.power_problem,
        "converges_in": finding.converges_in,
        "checked_to": finding.checked_to,
    }


def extent_fields(shape: "Shape | None") -> dict[str, object]:
    """The extents of a problem, each missing where they are not known."""
    if shape is None:
        return dict.fromkeys(name for name, _, _ in EXTENT_COLUMNS)
    return {
        "n_samples": shape.samples,
        "n_features": shape.features,
        "n_outputs": shape.outputs,
        "n_regressions": shape.regressions,
    }


def timing_record(timing: "Timing", shape: "Shape | None" = None) -> dict[str, object]:
    """The timing and the names of its cell as one flat row, in the order of `TIMING_COLUMNS`."""
    verdict = timing.verdict.verdict
    return {
        "variant": verdict.variant,
        "backend": verdict.backend,
        "family": verdict.family,
        "problem": verdict.problem,
        "device": verdict.device,
        "dtype": verdict.dtype,
        **extent_fields(shape),
        "ns_per_iter": timing.ns_per_iter,
        "ci_low": timing.ci_low,
        "ci_high": timing.ci_high,
        "setup_ns": timing.setup_ns,
        "first_call_ns": timing.first_call_ns,
        "launches": timing.launches,
        "stopped_by": str(timing.stopped_by),
        "samples": timing.samples,
        "discarded": timing.discarded,
        "limit_ns": timing.limit_ns,
        "share_of_limit": timing.share_of_limit,
        "bytes_per_iter": timing.bytes_per_iter,
        "operations_per_iter": timing.operations_per_iter,
        "work_class": timing.work_class,
        "limited_by": timing.limited_by,
        "limit_note": timing.limit_note,
        "queue_share": timing.queue_share,
        "dispersion": timing.dispersion,
        "setup_share": timing.setup_share,
        "n_small": timing.n_small,
        "n_large": timing.n_large,
        "threads": timing.threads,
        "cold_ns_per_iter": timing.cold_ns_per_iter,
        "hot_ns_per_iter": timing.hot_ns_per_iter,
        "host_ns_per_iter": timing.host_ns_per_iter,
        "sm_clock_mhz": timing.sm_clock_mhz,
        "cycles_per_iter": timing.cycles_per_iter,
        "peak_device_bytes": timing.peak_device_bytes,
        "note": timing.note,
        "doubt": timing.doubt,
        "failed": False,
    }


def untimed_record(
    variant: "Variant",
    cell: tuple[str, str, str, str],
    reason: str,
    shape: "Shape | None" = None,
    *,
    failed: bool = False,
) -> dict[str, object]:
    """The row of a proved cell that could not be timed: no numbers, and a note that says why."""
    name, problem, device, dtype = cell
    known = {"variant": name, "backend": variant.backend, "family": variant.family, "problem": problem}
    return (
        dict.fromkeys(column for column, _, _ in TIMING_COLUMNS)
        | known
        | extent_fields(shape)
        | {
            "device": device,
            "dtype": dtype,
            "note": reason,
            "doubt": "",
            "failed": failed,
        }
    )


def cell_of(record: Record) -> tuple[object, ...]:
    """The four names that identify the cell of a record."""
    return tuple(record[name] for name in CELL_FIELDS)


def a_row_for_every_cell(
    verdicts: Sequence[Record], timings: Sequence[Record], *, interrupted: bool = False
) -> list[Record]:
    """A timing row for every verdict, with its status; one without numbers where the cell was not timed."""
    why = {"proved": "interrupted" if interrupted else "it is timed only where it is named"}
    timed = {cell_of(row): row for row in timings}
    empty = dict.fromkeys(name for name, _, _ in TIMING_COLUMNS)
    rows: list[Record] = []
    for verdict in verdicts:
        names = {name: verdict[name] for name in ("variant", "backend", "family", "problem", "device", "dtype")}
        status = str(verdict["status"])
        row = timed.get(cell_of(verdict)) or empty | names | {"note": f"not timed: {why.get(status, status)}"}
        rows.append({**row, "status": verdict["status"]})
    return rows


def verdicts_document(environment: Mapping[str, Any], records: Sequence[Record]) -> dict[str, object]:
    """The document of ``gdbench verify --json``."""
    return {"schema": VERDICTS_SCHEMA, "environment": environment, "verdicts": list(records)}


def timings_document(environment: Mapping[str, Any], records: Sequence[Record]) -> dict[str, object]:
    """The document of ``gdbench time --json``."""
    return {"schema": TIMINGS_SCHEMA, "environment": environment, "timings": list(records)}


def comparisons_document(environment: Mapping[str, Any], records: Sequence[Record]) -> dict[str, object]:
    """The document of ``gdbench compare --json``."""
    return {"schema": COMPARISONS_SCHEMA, "environment": environment, "comparisons": list(records)}


def run_document(
    environment: Mapping[str, Any], verdicts: Sequence[Record], timings: Sequence[Record]
) -> dict[str, object]:
    """The document of ``gdbench run --json``; a run folder's ``run.json`` has its fields, and more."""
    return {
        "schema": RUN_SCHEMA,
        "environment": environment,
        "verdicts": list(verdicts),
        "timings": list(timings),
    }


def fault_in(records: Sequence[object], columns: Sequence[Column]) -> str | None:
    """What keeps records in JSON's own types from being rows of these columns; ``None`` when nothing does.

    Fields beyond the columns are let through: a later gdbench may have added them.

    >>> fault_in([{"n": 3}, {"n": "3"}], (("n", "Int64", "Updates done"),))
    "'n' is '3', not a whole number"
    """
    rows = [record for record in records if isinstance(record, dict)]
    if len(rows) < len(records):
        return "a record is not an object"
    for name, dtype, _ in columns:
        fits, kind = _ALTERNATIVES if name == "alternatives" else _KINDS[dtype]
        may_be_missing = name not in _ALWAYS_THERE
        for row in rows:
            if name not in row and name in ADDED_LATER:
                continue
            if name not in row:
                return f"the field {name!r} is missing"
            value = row[name]
            if not (fits(value) or (value is None and may_be_missing)):
                return f"{name!r} is {value!r:.80}, not {kind}"
    return None


ADDED_LATER = {
    "peak_memory_bytes", "peak_device_bytes", "bytes_per_iter", "operations_per_iter", "work_class", "limited_by",
    "limit_note", "cold_ns_per_iter", "hot_ns_per_iter", "host_ns_per_iter", "sm_clock_mhz", "cycles_per_iter",
    "stopped_by", "doubt", "failed", *(name for name, _, _ in EXTENT_COLUMNS),
}  # fmt: skip
"""Columns that runs of an earlier gdbench lack; there they are missing in every row."""

_ALWAYS_THERE = {*CELL_FIELDS, "status", "alternatives"}

# Exact types, since JSON gives no others, and a run has millions of values.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda value: type(value) is str, "text"),
    "category": (lambda value: value in list(Status), f"one of {', '.join(Status)}"),
    "boolean": (lambda value: type(value) is bool, "true or false"),
    "Int64": (lambda value: type(value) is int and -(2**63) <= value < 2**63, "a whole number"),
    "Float64": (lambda value: type(value) is float or (type(value) is int and abs(value) < 2**1023), "a number"),
}
_ALTERNATIVES: tuple[Callable[[Any], bool], str] = (
    lambda value: type(value) is list and all(type(item) is str for item in value),
    "a list of text",
)
