"""What an iteration costs by the size of its problem: timings in series whose problems differ in one extent alone."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.runs.records import Record
from bench.timing.growth import Growth, Overtaking, Point, growth, overtaking

EXTENTS = {"n_samples": "N", "n_features": "D", "n_outputs": "M", "n_regressions": "B"}
"""The extents of a problem, by their columns; in lower case the symbols are the keys of a generated problem's spec."""

_PLAUSIBLE_NS = (1e-3, 1e18)
"""A file may hold any number; one outside these is no time of an iteration, and no curve goes through it."""

FEWEST_SIZES = 3
"""With fewer a series is nothing that somebody asked for."""


@dataclass(frozen=True, slots=True)
class Series:
    """Timings of one variant on problems that differ in one extent.

    Attributes:
        variant: its name.
        problem: the spec that the problems share, without the extent that differs.
        device: where it ran.
        dtype: in which format.
        extent: the column of the extent that differs.
        points: by that extent, the smallest first.
    """

    variant: str
    problem: str
    device: str
    dtype: str
    extent: str
    points: Mapping[int, Point]

    @property
    def symbol(self) -> str:
        """The letter of the extent."""
        return EXTENTS[self.extent]


@dataclass(frozen=True, slots=True)
class Cost:
    """How a series grows, or why that cannot be said."""

    series: Series
    found: Growth | str


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a variant's series on one device becomes faster than on the CPU."""

    cpu: Series
    device: Series
    found: Overtaking


def costs(every: Sequence[Series]) -> list[Cost]:
    """The growth of every series of three sizes or more."""
    return [Cost(one, growth(one.points)) for one in every if len(one.points) >= FEWEST_SIZES]


def crossings(found_series: Sequence[Series]) -> list[Crossing]:
    """Where other devices overtake the CPU."""
    every = {_key(one): one for one in found_series}
    found = []
    for one in every.values():
        on_cpu = every.get((one.variant, one.problem, "cpu", one.dtype, one.extent))
        if one.device != "cpu" and on_cpu is not None:
            where = overtaking(on_cpu.points, one.points)
            found += [Crossing(on_cpu, one, where)] if where is not None else []
    return found


def series(timings: Sequence[Record]) -> list[Series]:
    """Every series of two sizes or more; a row without a time, or whose extents are not known, is in none."""
    points: dict[tuple[str, str, str, str, str], dict[int, Point]] = defaultdict(dict)
    for row in timings:
        times = [_number(row.get(name)) for name in ("ns_per_iter", "ci_low", "ci_high")]
        if not _PLAUSIBLE_NS[0] <= min(times) <= max(times) <= _PLAUSIBLE_NS[1]:
            continue
        for extent, symbol in EXTENTS.items():
            size = _number(row.get(extent))
            if size > 0:
                names = (str(row["variant"]), _without(symbol.lower(), str(row["problem"])))
                points[*names, str(row["device"]), str(row["dtype"]), extent][int(size)] = Point(*times)
    return [Series(*key, dict(sorted(found.items()))) for key, found in points.items() if len(found) > 1]


def _number(value: object) -> float:
    """A field of a record; 0 where it is empty, as ``None`` or as what a frame makes of it."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def costs_fields(timings: Sequence[Record]) -> dict[str, object]:
    """What a document says of these timings by size: ``costs`` and ``crossings``, a list each."""
    every = series(timings)
    return {
        "costs": [_names(one.series) | _growth_fields(one.found) for one in costs(every)],
        "crossings": [
            _names(one.device) | {"overtaken": one.cpu.device} | asdict(one.found) for one in crossings(every)
        ],
    }


def _names(one: Series) -> dict[str, Any]:
    return {
        "variant": one.variant,
        "problem": one.problem,
        "device": one.device,
        "dtype": one.dtype,
        "extent": one.extent,
        "sizes": list(one.points),
    }


def _growth_fields(found: Growth | str) -> dict[str, Any]:
    if isinstance(found, str):
        return dict.fromkeys(Growth.__dataclass_fields__) | {"reason": found}
    return asdict(found) | {"reason": ""}


def _key(one: Series) -> tuple[str, str, str, str, str]:
    return one.variant, one.problem, one.device, one.dtype, one.extent


def _without(key: str, problem: str) -> str:
    """The spec of a generated problem without one key.

    >>> _without("n", "gaussian:n=1000,d=20"), _without("d", "gaussian:n=1000,d=20"), _without("n", "gaussian")
    ('gaussian:d=20', 'gaussian:n=1000', 'gaussian')
    """
    family, _, text = problem.partition(":")
    others = [item for item in text.split(",") if item and not item.startswith(f"{key}=")]
    return ":".join([family, *([",".join(others)] if others else [])])
