"""What a machine can do at most: rates that were measured on it, as a value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Level:
    """A place where data sit.

    Attributes:
        name: ``L1``, ``L2``, ``L3``, ``memory``.
        capacity_bytes: what it holds for the threads of a worker together; ``None`` for memory, which holds all.
        bytes_per_ns: the fastest that was seen to be read from it, by these threads together; the same number in GB/s.
    """

    name: str
    capacity_bytes: int | None
    bytes_per_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one device of this machine can do at most. A term that was not measured limits nothing.

    Attributes:
        threads: threads of a worker, for which the rates hold.
        levels: the nearest first. The last is memory or, where that was not measured, the last cache: what no level
            holds is read at its rate at most.
        operations_per_ns: floating-point operations, by dtype.
        chain_ns: less than an operation takes that needs the result of the one before.
        dispatch_ns: what an operation on a single number costs through a backend, by the backend's name.
        launch_ns: of one launch, or one replay of a graph if that is less, on the accelerators that were asked;
            ``None`` where none was. It limits nothing: a kernel may iterate by itself.
    """

    threads: int
    levels: tuple[Level, ...]
    operations_per_ns: Mapping[str, float]
    chain_ns: float
    dispatch_ns: Mapping[str, float] = field(default_factory=dict)
    launch_ns: float | None = None

    def or_better(self, other: "Limits") -> "Limits":
        """The higher rate of each pair: what was seen once can be done, and a busy moment hid it the other time."""
        return replace(
            self,
            levels=tuple(
                replace(one, bytes_per_ns=max(one.bytes_per_ns, again.bytes_per_ns))
                for one, again in zip(self.levels, other.levels, strict=True)
            ),
            operations_per_ns={
                name: max(rate, other.operations_per_ns[name]) for name, rate in self.operations_per_ns.items()
            },
            chain_ns=min(self.chain_ns, other.chain_ns),
        )

    def record(self) -> dict[str, object]:
        """The limits in JSON's own types, to three digits."""
        return {
            "threads": self.threads,
            "capacity_bytes": {
                level.name: level.capacity_bytes for level in self.levels if level.capacity_bytes is not None
            },
            "read_bytes_per_ns": {level.name: _rounded(level.bytes_per_ns) for level in self.levels},
            "operations_per_ns": {name: _rounded(rate) for name, rate in self.operations_per_ns.items()},
            "chain_ns": _rounded(self.chain_ns),
            "dispatch_ns": {name: _rounded(each) for name, each in self.dispatch_ns.items()},
            "launch_ns": None if self.launch_ns is None else _rounded(self.launch_ns),
        }


def _rounded(value: float, digits: int = 3) -> float:
    """To so many significant digits.

    >>> _rounded(0.94756), _rounded(110.556), _rounded(0.0)
    (0.948, 111.0, 0.0)
    """
    return round(value, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0.0
