"""Finding variants without importing them: those that packages register, and those that a target names.

The judge imports no variant. It finds the source files and reads the literal arguments of ``@variant`` in them; a
module that computes what it registers is handed to ``ask``, which has a worker import it. What a module registers only
by calling another module's helper is not seen: a file that never mentions ``variant`` is not asked about.
"""

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import bench
from bench.errors import GdbenchError, UsageError
from bench.variants.contract import Variant
from bench.variants.selection import nearest_names
from bench.variants.source import Source, SourceError, read_source, usable_name

ENTRY_POINT_GROUP = "gdbench.variants"

Ask = Callable[[str], list[Variant]]
"""Has a worker import a module (a dotted name, or a file's absolute path) and answers with what that registers.

The targets of the answer start with the same text: ``package.module:function``, ``/absolute/file.py:function``.
"""


@dataclass(frozen=True, slots=True)
class Scan:
    """What the sources tell.

    Attributes:
        variants: those registered with literal arguments.
        ask: modules that may register more, which only importing them can tell.
        broken: one line for each module that could not be found or read.
    """

    variants: tuple[Variant, ...]
    ask: tuple[str, ...]
    broken: tuple[str, ...]


def registering_modules() -> list[str]:
    """The modules and packages that register variants: ``gd_impls``, then those of the entry-point group by name."""
    named = {entry.value.partition(":")[0].strip() for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return ["gd_impls", *sorted(named - {"gd_impls"})]


def scan(modules: Iterable[str] | None = None) -> Scan:
    """Read the sources of modules and of all modules inside packages.

    Args:
        modules: full names; those of `registering_modules` where left out.

    Raises:
        UsageError: a function that is registered is shadowed by a later one; the message has both places.
    """
    files: dict[str, Path] = {}
    broken: list[str] = []
    for module in registering_modules() if modules is None else modules:
        try:
            files |= {name: path for name, path in module_files(module) if name not in files}
        except UsageError as error:
            broken.append(str(error))
    variants: list[Variant] = []
    ask: list[str] = []
    for name, path in files.items():
        try:
            if b"variant" not in path.read_bytes():
                continue  # parsing is nine tenths of the cost, and most modules of a package register nothing
            source = read_source(path, name)
        except (SourceError, OSError) as error:
            broken.append(str(error))
            continue
        variants += source.variants
        if not source.complete:
            ask.append(name)
    return Scan(tuple(variants), tuple(ask), tuple(broken))


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


def discover(ask: Ask | None = None, complain: Callable[[str], None] = _warn) -> list[Variant]:
    """Every variant that is registered on this machine, module by module, as they stand in the source.

    Args:
        ask: asks a worker about one module; without it, what such modules compute is left out, with a complaint.
        complain: is given one line for each module that could not be read or asked.

    Raises:
        UsageError: two variants have the same name; the message has both places.
    """
    found = scan()
    for message in found.broken:
        complain(message)
    variants = list(found.variants)
    for module in found.ask:
        if ask is None:
            complain(f"{module} computes what it registers; only a worker can tell, and none was asked.")
            continue
        try:
            variants = _merged(variants, ask(module))
        except GdbenchError as error:
            complain(f"{module} could not be asked what it registers: {error}")
    _refuse_duplicates(variants)
    return variants


def resolve(target: str, backend: str | None = None, ask: Ask | None = None) -> list[Variant]:
    """The variants that a target names.

    Args:
        target: ``file.py:function``, ``package.module:function``, or ``file.py``, ``package.module`` or ``package`` for
            every variant that it registers.
        backend: what an unregistered function is written for; where left out, guessed from what its file imports.
        ask: asks a worker about a module, or about a file by its absolute path, that computes what it registers.

    Returns:
        Registered variants as they are registered; any other function as one of family ``ad-hoc``, named
        ``file.py:function`` or ``package.module:function``.

    Raises:
        UsageError: there is no such file, module or function, it registers nothing, two variants share a name, or
            ``backend`` contradicts a registration.
    """
    place, function = _place_and_function(target)
    sources = _sources(place, function)
    registered: list[Variant] = []
    for source in sources:
        registered = _merged(registered, _registrations(source, function, ask))
    _refuse_duplicates(registered)
    if function is not None:
        matching = [variant for variant in registered if variant.target == f"{sources[0].module}:{function}"]
        registered = matching or [_ad_hoc(function, sources[0], backend)]
    if not registered:
        raise UsageError(_nothing_registered(target, sources))
    for variant in registered:
        if backend is not None and variant.backend != backend:
            raise UsageError(
                f"{variant.name} ({variant.origin}) is registered for {variant.backend}, not for {backend!r}. "
                "Leave the backend out: it is for functions that are not registered."
            )
    return registered


def module_files(module: str) -> list[tuple[str, Path]]:
    """The source files of a module, or of a package and all modules inside it, found without importing any.

    Returns:
        Full module names and their files: a package, its modules, then those of the packages inside it, each in
        alphabetical order.

    Raises:
        UsageError: there is no such module here, or it has no Python source.
    """
    top, *inside = module.split(".")
    candidates = [base.joinpath(*inside) for base in top_level_places(top)]
    found: dict[str, Path] = {}
    for candidate in candidates:
        file = candidate if candidate.suffix == ".py" else candidate.with_name(candidate.name + ".py")
        if candidate.is_dir():
            for path in candidate.rglob("*.py"):
                parts = path.relative_to(candidate).with_suffix("").parts
                if all(part.isidentifier() for part in parts) and parts[-1] != "__main__":
                    found.setdefault(".".join((module, *parts)).removesuffix(".__init__"), path)
        elif file.is_file():
            found.setdefault(module, file)
    if not found:
        as_file = Path(*module.split(".")).with_suffix(".py")
        advice = f"Name its file: {as_file}." if as_file.is_file() else "Check its spelling, and that it is installed."
        raise UsageError(f"No Python source of a module {module!r} was found. {advice}")
    return sorted(found.items(), key=lambda item: (item[0].count("."), item[0]))


def refuse_namesake(known: Variant, variant: Variant) -> None:
    """Do nothing where two variants of one name are the same function.

    Raises:
        UsageError: they are not; no table could tell them apart.
    """
    if known.target != variant.target and _function_of(known) != _function_of(variant):
        raise UsageError(
            f"two variants are named {variant.name!r}: {known.target} ({known.origin}) and {variant.target} "
            f"({variant.origin}). Rename one of them, or ask for them one at a time."
        )


def _function_of(variant: Variant) -> tuple[Path, str]:
    place, _, function = variant.target.rpartition(":")
    return (file_of(variant.target) or Path(place)).resolve(), function


def is_path(place: str) -> bool:
    """Whether a place is one in the file system, rather than a module.

    >>> [is_path(place) for place in ("descent.py", "folder/", "..", "package.module", "numpy-analytic")]
    [True, True, True, False, False]
    """
    return place.endswith(".py") or os.sep in place or not place.strip(".")


def file_of(target: str) -> Path | None:
    """The file of a target, found without importing it; ``None`` where there is none."""
    place, _, _ = target.rpartition(":")
    if place.endswith(".py"):
        return Path(place)
    top, *inside = place.split(".")
    return next((file for base in top_level_places(top) for file in files_at(base.joinpath(*inside))), None)


def import_root(target: str) -> Path | None:
    """The folder that the module of a target is imported from; ``None`` for a file, and where there is none."""
    place, _, _ = target.rpartition(":")
    file = None if place.endswith(".py") or target.endswith(".py") else file_of(target)
    if file is None:
        return None
    depth = len(place.split(".")) + (file.name == "__init__.py")
    return file.resolve().parents[depth - 1]


def files_at(module: Path) -> Iterator[Path]:
    """The files that a module may have where its place is this, as Python would look for them: a package first."""
    return filter(Path.is_file, (module, module / "__init__.py", module.with_name(f"{module.name}.py")))


def top_level_places(top: str) -> list[Path]:
    """Where a top-level package or module is, found without importing it: its folders, or its file."""
    try:
        spec = importlib.util.find_spec(top) if top.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    if spec is not None and spec.origin is not None:
        return [Path(spec.origin)]
    # In a checkout that was never installed, started from elsewhere, gd_impls lies beside bench.
    return [Path(bench.__file__).parents[1] / top] if top == "gd_impls" else []


def _place_and_function(target: str) -> tuple[str, str | None]:
    if target.endswith(".py") or ":" not in target:
        return target, None
    place, _, function = target.rpartition(":")
    if not place or not all(part.isidentifier() for part in function.split(".")):
        raise UsageError(f"{target!r} is not a target. Write path/to/file.py:function or package.module:function.")
    return place, function


def _existing_file(place: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(place)))
    if path.is_dir():
        files = _python_files(path)
        advice = f"Name a file in it. {nearest_names('', files)}" if files else "It has no Python file; name one."
        raise UsageError(f"{place} is a folder. {advice}")
    if not path.is_file():
        folder = path.parent
        if not folder.is_dir():
            raise UsageError(f"There is no file {place}: its folder {folder} does not exist either.")
        raise UsageError(f"There is no file {place}. {nearest_names(path.name, _python_files(folder))}")
    if path.suffix != ".py":
        raise UsageError(f"{place} is not a Python source file (.py).")
    return path


def _python_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.py"))


def _sources(place: str, function: str | None) -> list[Source]:
    if is_path(place):
        path = _existing_file(place)
        return [read_source(path, str(path))]
    files = module_files(place)
    if function is not None:
        files = [(name, path) for name, path in files if name == place]
        if not files:
            raise UsageError(f"{place} is a folder of modules without code of its own. Name a module inside it.")
    return [read_source(path, name) for name, path in files]


def _registrations(source: Source, function: str | None, ask: Ask | None) -> Sequence[Variant]:
    if source.complete:
        return source.variants
    if ask is not None:
        return ask(source.module)
    matching = [variant for variant in source.variants if variant.target == f"{source.module}:{function}"]
    if not matching:
        raise UsageError(f"{source.path} computes what it registers; only a worker can tell, and none was asked.")
    return matching


def _ad_hoc(function: str, source: Source, backend: str | None) -> Variant:
    if function.partition(".")[0] not in source.names and not source.open_ended:
        raise UsageError(f"{source.path} defines no function {function!r}. {nearest_names(function, source.functions)}")
    definition = source.functions.get(function)
    return Variant(
        name=f"{Path(source.module).name}:{function}",
        backend=backend or _guessed_backend(source),
        family="ad-hoc",
        target=f"{source.module}:{function}",
        summary=definition.summary if definition else "",
        origin=f"{source.path.name}:{definition.line}" if definition else source.path.name,
    )


def _guessed_backend(source: Source) -> str:
    imported = [library for library in ("torch", "jax", "cupy") if library in source.imports]
    if len(imported) > 1:
        raise UsageError(
            f"{source.path} imports {' and '.join(imported)}: its backend cannot be guessed. "
            f"Name it: --backend {imported[0]}."
        )
    return imported[0] if imported else "numpy"


def _nothing_registered(target: str, sources: Sequence[Source]) -> str:
    functions = [name for source in sources for name in source.functions]
    if len(sources) == 1 and functions:
        return (
            f"{target} registers no variant. To check one of its functions, name it: {target}:{functions[0]}. "
            f"{nearest_names('', functions)}"
        )
    return f"{target} registers no variant. Decorate a function with @variant, or name one: {target}:function."


def _merged(known: Sequence[Variant], more: Iterable[Variant]) -> list[Variant]:
    seen = {(variant.name, variant.target) for variant in known}
    added = [variant for variant in more if (variant.name, variant.target) not in seen]
    for variant in added:
        if not usable_name(variant.name):
            raise UsageError(
                f"{variant.origin}: the variant's name {variant.name!r} cannot be used in tables and files."
            )
    return [*known, *added]


def _refuse_duplicates(variants: Iterable[Variant]) -> None:
    first: dict[str, Variant] = {}
    for variant in variants:
        other = first.setdefault(variant.name, variant)
        if other is not variant:
            raise UsageError(
                f"Two variants are called {variant.name!r}: {other.target} ({other.origin}) and "
                f"{variant.target} ({variant.origin}). A name selects one variant; rename one of the two."
            )
