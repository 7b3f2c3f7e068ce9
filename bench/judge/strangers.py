"""What a lane's worker has loaded and is not the lane's own, so that the working tree would be compared with itself."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.judge.loading import Loaded, LoadError
from bench.proof.contract import Trouble
from bench.variants.installed import is_installed

_OURS = "bench"
"""The harness in a worker is the judge's own in every lane."""

_ADVICE = (
    "and would be compared with itself. Install the project with `pip install -e .`, or set PYTHONPATH to the folder "
    "that it is imported from; the files of a submodule are in no revision"
)


def refuse_strangers(loaded: Loaded, before: Iterable[str], trees: Sequence[str] | None) -> None:
    """Refuse a variant that is, or imports, what both lanes have from the same place.

    Args:
        loaded: the variant.
        before: the names of the modules that were there before it was loaded.
        trees: the working tree, and the lane's in its place; ``None`` where the lane has none of its own.

    Raises:
        LoadError: the lane has no such variant; or it cannot be told apart from the working tree's, which is no fault
            of the variant's.
    """
    if trees is None:
        return
    top, root = map(Path, trees)
    own = Path(loaded.file).resolve()
    if _is_within(own, top) and not (root / own.relative_to(top)).exists():
        raise LoadError(Trouble.RAISED, f"is not in this lane: only the working tree has {own.name}")
    found = {name: getattr(sys.modules.get(name), "__file__", None) for name in sys.modules.keys() - set(before)}
    files = {name: Path(file).resolve() for name, file in sorted(found.items()) if isinstance(file, str)}
    for name, file in {loaded.function.__module__: own, **files}.items():
        package = name.partition(".")[0]
        if package == _OURS:
            continue
        if _is_within(file, top):
            raise LoadError(Trouble.UNAVAILABLE, f"{name} is the working tree's here as well, {_ADVICE}")
        if is_installed(file) and _has_package(top, package):
            raise LoadError(Trouble.UNAVAILABLE, f"{name} is the installed one here as well, {_ADVICE}")


def _is_within(file: Path, top: Path) -> bool:
    return file.is_relative_to(top) and not is_installed(file)


def _has_package(top: Path, name: str) -> bool:
    """Whether a source tree has a package or module of its own by that name, where projects have theirs."""
    return any(
        file.is_file() for place in (top, top / "src") for file in (place / name / "__init__.py", place / f"{name}.py")
    )
