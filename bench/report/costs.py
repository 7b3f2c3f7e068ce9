"""What an iteration costs by the size of its problem, in words, before one of the faces shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import figures
from bench.report.tables import Group, Record
from bench.runs.costs import Cost, Crossing, Series, costs, crossings, series
from bench.timing.growth import POWERS, Growth

TITLE = "Cost against size"
OVERTAKING_TITLE = "Where a device overtakes"
UNKNOWN_TITLE = "No curve"
HEADINGS = ("variant", "an iteration takes", "p, 95 %", "off by")
LEGEND = (
    "The curve through the times on problems that differ in N samples, D features, M outputs or B regressions alone, "
    "by least squares of the relative distances, and the largest of these"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """The variants on problems that differ in one extent, a row each, in the order of `HEADINGS`."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What the faces say of timings by size.

    Attributes:
        found: the series of three sizes or more, for the drawings.
        listings: those whose growth is known.
        unknown: those of whose growth nothing can be said.
        overtakings: where other devices become faster than the CPU.
    """

    found: list[Cost]
    listings: list[Listing]
    unknown: list[Group]
    overtakings: list[Group]


def told(timings: Sequence[Record]) -> Told:
    """All of it, with each curve fitted once."""
    every = series(timings)
    found = costs(every)
    return Told(found, _listings(found), _unknown(found), _overtakings(crossings(every)))


def _listings(found_costs: Sequence[Cost]) -> list[Listing]:
    """Every series whose growth is known; those on the same problems, device and dtype in one listing."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for cost in found_costs:
        if isinstance(cost.found, Growth):
            found.setdefault(_title(cost.series), []).append(_row(cost.series, cost.found))
    return [Listing(title, tuple(rows)) for title, rows in found.items()]


def _unknown(found_costs: Sequence[Cost]) -> list[Group]:
    """The series of whose growth nothing can be said; the same reason once."""
    found: dict[str, list[str]] = {}
    for cost in found_costs:
        if isinstance(cost.found, str):
            found.setdefault(f"no power of {cost.series.symbol}: {cost.found}", []).append(_where(cost.series))
    return [Group("", reason, "", tuple(where)) for reason, where in found.items()]


def _overtakings(found_crossings: Sequence[Crossing]) -> list[Group]:
    """Where other devices become faster than the CPU, a group for each."""
    groups = []
    for one in found_crossings:
        symbol, found = one.device.symbol, one.found
        reason = (
            f"{one.device.device} overtakes {one.cpu.device} between {symbol} = {found.before:,} and {found.after:,}, "
            f"at about {figures.size(found.size)}"
        )
        groups.append(Group("", reason, "", (_where(one.device),)))
    return groups


def _row(one: Series, found: Growth) -> tuple[str, ...]:
    fixed = f"{figures.duration(found.fixed_ns)} + " if found.fixed_ns > 0 else ""
    return (
        one.variant,
        f"{fixed}{figures.duration(found.factor_ns)} · {one.symbol}^p",
        figures.power(found.power, found.power_low, found.power_high, POWERS),
        figures.percent(found.misfit),
    )


def _title(one: Series) -> str:
    sizes = list(one.points)
    return f"{one.problem} ({one.device} {one.dtype}), {one.symbol} = {sizes[0]:,} to {sizes[-1]:,}"


def _where(one: Series) -> str:
    return f"{one.variant} on {one.problem} ({one.device} {one.dtype})"
