"""What a run is made from: the source of its variants and of gdbench, and the data of its problems, by checksum."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench
from bench.variants.discovery import files_at, module_files, top_level_places
from bench.variants.installed import is_installed

if TYPE_CHECKING:
    from bench.plan import Cell
    from bench.problems.problem import Problem
    from bench.variants.contract import Variant

MUST_STAY = (
    "gdbench", "python", "python_implementation", "machine", "cpu", "gpus", "threads", "numpy", "torch", "jax",
    "jaxlib", "numba", "triton", "cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x",
)  # fmt: skip
"""Facts of the environment that every row of a run depends on: a run has one environment, and its rows share it."""

MAY_CHANGE = ("scipy", "pandas", "pyarrow", "platform", "affinity", "logical_cores", "memory_bytes")
"""Facts whose change is worth a note."""


MOST_FILES = 5_000
"""Of one variant: what imports more of them is not followed further."""


def inputs_of(cells: "Sequence[Cell]") -> dict[str, Any]:
    """The checksums of everything that a run's rows follow from, the machine apart.

    Returns:
        ``gdbench``: of its own source; ``variants``: by name, of each file that the variant's code is in, and of all
        that it imports of its package, from beside it and from the project, as far as import statements tell;
        ``problems``: by name, of the data, the start and the learning rate.
    """
    variants = {cell.variant.name: cell.variant for cell in cells}
    problems = {cell.problem: cell.data for cell in cells}
    own = Path(bench.__file__).parent
    return {
        "gdbench": _of_files(sorted(own.rglob("*.py"))),
        "variants": {name: _sources(variant) for name, variant in variants.items()},
        "problems": {name: _of_problem(problem) for name, problem in problems.items()},
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the inputs of a run as it was started and as it would go on, in words.

    >>> changes({"problems": {"line-4": "a"}}, {"problems": {"line-4": "b", "norris": "c"}})
    ['the data of the problem line-4', 'the problem norris, which the run did not have']
    """
    found = ["the source of gdbench itself"] if before.get("gdbench") != now.get("gdbench") else []
    for kind, plural in (("variant", "variants"), ("problem", "problems")):
        was, there = _table(before, plural), _table(now, plural)
        for name in {**was, **there}:
            if name not in there:
                found.append(f"the {kind} {name}, which is no longer there")
            elif name not in was:
                found.append(f"the {kind} {name}, which the run did not have")
            elif was[name] != there[name]:
                found.append(
                    f"the data of the problem {name}"
                    if kind == "problem"
                    else f"the source of the variant {name} ({', '.join(_differing(was[name], there[name]))})"
                )
    return found


def environment_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], names: Sequence[str] = MUST_STAY
) -> list[str]:
    """Which of these facts differ, with both values.

    >>> environment_changes({"numpy": "2.3.0"}, {"numpy": "2.4.1", "jax": None})
    ['numpy (2.3.0 then, 2.4.1 now)']
    """
    differing = (name for name in names if before.get(name) != now.get(name))
    return [f"{name} ({before.get(name)} then, {now.get(name)} now)" for name in differing]


def _table(inputs: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = inputs.get(name)
    return table if isinstance(table, Mapping) else {}


def _differing(was: Any, there: Any) -> list[str]:
    if not (isinstance(was, Mapping) and isinstance(there, Mapping)):
        return ["unknown"]
    return [name for name in {**was, **there} if was.get(name) != there.get(name)]


def _of_files(files: Sequence[Path]) -> str:
    found = sha256()
    for file in files:
        found.update(sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _of_problem(problem: "Problem | None") -> str | None:
    if problem is None:
        return None
    found = sha256(repr(float(problem.lr)).encode())
    for array in (problem.x, problem.y, problem.w0, problem.b0):
        if array is None:
            found.update(b"none")
        else:
            found.update(repr((array.shape, str(array.dtype))).encode())
            found.update(array.tobytes())
    return found.hexdigest()


def _sources(variant: "Variant") -> dict[str, str]:
    """The checksum of each file that the variant's code is in, by the name of its module or file.

    Its own package or the files beside it first; what these import from elsewhere counts as well unless it is
    installed, or Python's own: of these the versions are recorded with the environment.
    """
    place = variant.target.rpartition(":")[0]
    if place.endswith(".py"):
        first = Path(place)
        known = {file.stem: file for file in sorted(first.parent.glob("*.py"))}
        start, name_of = first.stem, {stem: file.name for stem, file in known.items()}
    else:
        known = dict(module_files(place.partition(".")[0]))
        start, name_of = place, {module: module for module in known}
    found: dict[str, str] = {}
    waiting, seen = [start], {start}
    while waiting and len(found) < MOST_FILES:
        module = waiting.pop()
        # Importing a module runs the packages that it is in.
        packages = {module[:at] for at, letter in enumerate(module) if letter == "."}
        file, name = (known[module], name_of[module]) if module in known else _of_project(module)
        if file is not None:
            source = file.read_bytes()
            found[name] = sha256(source).hexdigest()
            packages.update(_imported(source, module, is_package=file.name == "__init__.py"))
        waiting += packages - seen
        seen |= packages
    return dict(sorted(found.items()))


def _of_project(module: str) -> tuple[Path | None, str]:
    """The file of a module that a worker would find and that nobody installed, and its name below where it is found.

    A worker looks where the judge does, and then in the working directory. Nothing is imported to find it.
    """
    top, *inside = module.split(".")
    if not all(part.isidentifier() for part in (top, *inside)) or top == "bench":
        return None, ""
    here = Path.cwd() / top
    for place in (*top_level_places(top), here, here.with_suffix(".py")):
        for file in files_at(place.joinpath(*inside)):
            if not is_installed(file):
                return file, file.relative_to(place.parent).as_posix()
    return None, ""


def _imported(source: bytes, module: str, *, is_package: bool) -> Iterator[str]:
    """Every module that an import statement anywhere in the source may mean, by its full name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    parts = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
