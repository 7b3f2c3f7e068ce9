"""The data caches of a processor, as the kernel tells them."""

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
        shared: whether several processors have it together.
    """

    name: str
    capacity_bytes: int
    shared: bool


SENSIBLE = (Cache("L1", 32 * KIB, shared=False), Cache("L2", KIB**2, shared=False))
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
        found[int(level)] = Cache(f"L{level}", capacity_bytes, shared=not shared_by.isdecimal())
    levels = [found[level] for level in sorted(found)]
    growing = all(near.capacity_bytes < far.capacity_bytes for near, far in pairwise(levels))
    return tuple(levels) if levels and growing else SENSIBLE
