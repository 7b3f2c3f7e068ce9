"""The data caches of a processor, as the kernel tells them."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

KERNEL = Path("/sys/devices/system/cpu/cpu0/cache")
KIB = 1024
_UNITS = {"": 1, "K": KIB, "M": KIB**2, "G": KIB**3}


@dataclass(frozen=True, slots=True)
class Cache:
    """One level.

    Attributes:
        name: ``L1``, ``L2``, ``L3``.
        capacity_bytes: of one instance of it.
        sharers: how many processors have one together.
    """

    name: str
    capacity_bytes: int
    sharers: int = 1

    def total_bytes(self, threads: int, processors: int) -> int:
        """What so many threads have of it together, where these processors are all that they may use.

        >>> core, chip = Cache("L2", 2 * KIB**2, sharers=2), Cache("L3", 32 * KIB**2, sharers=16)
        >>> [[cache.total_bytes(threads, 16) // KIB**2 for threads in (1, 4, 16)] for cache in (core, chip)]
        [[2, 8, 16], [32, 32, 32]]
        """
        return self.capacity_bytes * min(threads, math.ceil(processors / self.sharers))


SENSIBLE = (Cache("L1", 32 * KIB), Cache("L2", KIB**2))
"""What is taken where the kernel tells nothing: whatever lies beyond counts as memory."""


def caches(folder: Path = KERNEL) -> tuple[Cache, ...]:
    """The levels that hold data, the nearest first; `SENSIBLE` where the kernel tells nothing usable.

    Args:
        folder: where it tells it: a folder for each cache, with the files ``level``, ``type`` and ``size``.
    """
    found: dict[int, Cache] = {}
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size, shared_by = (
                (index / name).read_text(encoding="ascii").strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            )
        except (OSError, UnicodeDecodeError):
            continue
        written = re.fullmatch(r"(\d+)([KMG]?)", size)
        if kind == "Instruction" or not level.isdecimal() or written is None or int(written[1]) == 0:
            continue
        capacity_bytes = int(written[1]) * _UNITS[written[2]]
        found[int(level)] = Cache(f"L{level}", capacity_bytes, _count(shared_by))
    levels = [found[level] for level in sorted(found)]
    growing = all(near.capacity_bytes < far.capacity_bytes for near, far in pairwise(levels))
    return tuple(levels) if levels and growing else SENSIBLE


def _count(listed: str) -> int:
    """How many processors a list of the kernel's names; one where it names none.

    >>> [_count(listed) for listed in ("0", "0-7", "0,64", "0-3,8-11", "")]
    [1, 8, 2, 8, 1]
    """
    ends = [part.split("-") for part in listed.split(",") if part.replace("-", "").isdecimal()]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in ends) or 1
