"""A lane: the interpreter and the source tree that a worker's variant comes from, where they are not the judge's."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bench
from bench.variants.installed import is_installed


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a variant comes from. The harness in the worker is the judge's own in every lane.

    Attributes:
        name: as a comparison shows it.
        python: the interpreter; the judge's own where ``None``.
        root: a source tree that stands in the place of ``top``; ``None`` for the judge's own.
        top: the judge's own source tree.
    """

    name: str
    python: str | None = None
    root: Path | None = None
    top: Path | None = None

    def target(self, target: str) -> str:
        """A target whose path is absolute, with the file taken from this lane's tree."""
        path, colon, function = target.rpartition(":")
        if not colon:
            return self.moved(target) if target.endswith(".py") else target
        return f"{self.moved(path)}:{function}" if path.endswith(".py") else target

    def first_on_path(self, entries: Sequence[str]) -> list[str]:
        """Of the judge's import path what lies in its own tree, as it is in this lane's."""
        moved = [self.moved(entry) for entry in entries]
        return [there for here, there in zip(entries, moved, strict=True) if here != there]

    def moved(self, path: str) -> str:
        """A path of the judge's own tree as it is in this lane's; any other path as it is."""
        if self.root is None or self.top is None:
            return path
        here = Path(path).resolve()
        return (
            path
            if is_installed(here) or not here.is_relative_to(self.top)
            else str(self.root / here.relative_to(self.top))
        )


OWN = Lane("working tree")
"""The judge's own interpreter and source tree."""


def harness_alone(folder: Path) -> str:
    """A folder that holds this gdbench and nothing else, for the import path of another interpreter.

    What else lies beside an installed gdbench was made for the judge's interpreter.
    """
    place = Path(tempfile.mkdtemp(prefix="harness-", dir=folder))
    os.symlink(Path(bench.__file__).parent, place / "bench", target_is_directory=True)
    return str(place)
