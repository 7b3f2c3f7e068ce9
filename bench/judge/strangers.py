"""What a lane's worker has loaded and is not the lane's own, so that the working tree would be compared with itself."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.judge.imported import imported_since
from bench.judge.loading import Loaded, LoadError
from bench.proof.contract import Trouble
from bench.variants.installed import is_installed

_OURS = "bench"
"""The harness in a worker is the judge's own in every lane."""

_PLACES = ("", "src", "*", "*/src", "*/*", "*/*/src")
"""Where in a source tree its packages are looked for."""


def refuse_strangers(loaded: Loaded, before: Iterable[str], trees: Sequence[str] | None) -> None:
    """Refuse a variant that is, or imports, what the lane has of its own and was taken from elsewhere.

    What the lane has not, such as an environment inside the working tree, is the same for both by right.

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
    if _is_within(own, top, root) and not (root / own.relative_to(top)).exists():
        raise LoadError(Trouble.RAISED, f"is not in this lane: only the working tree has {own.name}")
    name_of_own = str(getattr(loaded.function, "__module__", "") or own.stem)
    for name, file in {name_of_own: own, **imported_since(before)}.items():
        if name.partition(".")[0] == _OURS:
            continue
        if _is_within(file, top, root):
            _refuse_from_tree(name, file.relative_to(top), root)
        elif is_installed(file):
            _refuse_installed(name, root)


def _refuse_from_tree(name: str, path: Path, root: Path) -> None:
    if (root / path).exists():
        above = name.count(".") + (path.name == "__init__.py")
        # The repository itself may be the package.
        folder = f"its folder {path.parents[above]}" if above < len(path.parents) else "the folder above the repository"
        raise _same(name, f"the working tree's, set PYTHONPATH to {folder}")
    lies_in = next(place for place in (root / path).parents if place.exists())
    if lies_in != root and not any(lies_in.iterdir()):
        raise _same(name, "of a submodule, and no revision has the files of those; compare within its own repository")


def _refuse_installed(name: str, root: Path) -> None:
    path = Path(*name.split("."))
    for place in _PLACES:
        for file in (path / "__init__.py", path.with_suffix(".py")):
            found = next(root.glob(str(Path(place) / file)), None)
            if found is not None:
                raise _same(name, "the installed one, install the project with `pip install -e .`, or set PYTHONPATH")


def _same(name: str, why: str) -> LoadError:
    return LoadError(Trouble.UNAVAILABLE, f"{name} would be compared with itself: here, too, it is {why}")


def _is_within(file: Path, top: Path, root: Path) -> bool:
    return file.is_relative_to(top) and not file.is_relative_to(root) and not is_installed(file)
