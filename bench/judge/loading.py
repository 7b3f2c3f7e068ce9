"""Importing the module of a target and finding the variant in it. Runs in workers only."""

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.backends import INSTALL, type_name
from bench.proof.contract import Trouble
from bench.variants import contract
from bench.variants.contract import Variant, VariantFunction

_NOT_THEIRS = (Path(__file__).parent, Path(importlib.__file__).parent)
_TEXT_LIMIT = 2000


class LoadError(Exception):
    """The target gives no variant.

    Attributes:
        trouble: what became of it.
        text: one line for the user.
    """

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble
        self.text = text


@dataclass(frozen=True, slots=True)
class Loaded:
    """A variant's function, and the file that it is in."""

    function: VariantFunction
    file: str


def load_function(target: str) -> Loaded:
    """Import ``package.module:function`` or ``path/to/file.py:function``.

    The function need not be registered with ``@variant``; its attribute is looked up by name.

    Raises:
        LoadError: the module does not import, or has no such function, or its signature is not a variant's.
    """
    module_name, _, attribute = target.rpartition(":")
    if not module_name:
        raise LoadError(Trouble.RAISED, f"target {target!r} names no function; write {target}:function")
    module = import_target(module_name)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    file = getattr(module, "__file__", None) or module_name
    if found is None:
        raise LoadError(Trouble.RAISED, _no_such_function(module, attribute, Path(file).name))
    if not callable(found):
        raise LoadError(Trouble.RAISED, f"{attribute} in {Path(file).name} is {type_name(found)}, not a function")
    _check_signature(found, attribute)
    return Loaded(found, file)


def registered_by(target: str) -> list[Variant]:
    """What importing a module or a file registers, each with a target that `load_function` finds again.

    Raises:
        LoadError: the module does not import.
    """
    before = len(contract.REGISTERED)
    module = import_target(target)
    return [
        replace(variant, target=f"{target}:{variant.target.rpartition(':')[2]}")
        if variant.target.rpartition(":")[0] == module.__name__
        else variant
        for variant in contract.REGISTERED[before:]
    ]


def absolute_target(target: str) -> str:
    """A file target with its path made absolute: a worker runs in a directory of its own."""
    path, colon, function = target.rpartition(":")
    if colon and path.endswith(".py"):
        return f"{os.path.abspath(path)}:{function}"
    return os.path.abspath(target) if target.endswith(".py") else target


def extend_path(entries: Sequence[str], first: Sequence[str] = ()) -> None:
    """Put the judge's import path behind the worker's own, so that both find the same modules.

    Args:
        entries: the judge's.
        first: a lane's, which go before all others; gdbench itself is imported already, and stays the judge's.
    """
    sys.path[:0] = first
    sys.path.extend(entry for entry in entries if entry not in sys.path)


def import_target(target: str) -> ModuleType:
    """Import ``package.module`` or ``path/to/file.py``.

    Raises:
        LoadError: it does not import; the text says why and in which line.
    """
    path = Path(target)
    is_file = path.suffix == ".py"
    if is_file and not path.is_file():
        raise LoadError(Trouble.RAISED, f"does not import: there is no file {target}")
    try:
        return _import_file(path) if is_file else importlib.import_module(target)
    except BaseException as error:
        # Whatever a module does on import is a row, SystemExit too.
        raise _import_failure(error, path.parent if is_file else None) from error


def described(error: BaseException) -> str:
    """An exception's type and text, also where its text cannot be had.

    >>> described(ValueError("no"))
    'ValueError: no'
    """
    try:
        text = str(error)[:_TEXT_LIMIT]
    except BaseException:  # noqa: BLE001 - the text is the variant's own code
        text = "(its text raises as well)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def last_line_in(error: BaseException, directory: Path | None) -> str:
    """``file.py:line`` of the innermost frame whose file lies in ``directory``; of the innermost of all otherwise."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in lines if directory is not None and file.parent == directory]
    # A frame of the harness or of the import system says nothing to a reader.
    theirs = [(file, line) for file, line in lines if not file.name.startswith("<") and file.parent not in _NOT_THEIRS]
    for file, line in (own or theirs)[-1:]:
        return f"{file.name}:{line}"
    return ""


def _import_file(path: Path) -> ModuleType:
    package = _package_of(path)
    root = path.parents[len(package)]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if package:
        return importlib.import_module(".".join((*package, path.stem)))
    name = path.stem if path.stem not in sys.modules else f"gdbench_target_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    # Dataclasses and pickles look their module up by name while it is still being executed.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _package_of(path: Path) -> tuple[str, ...]:
    """The packages that a file belongs to, so that its relative imports work: those folders with an __init__.py."""
    names: list[str] = []
    for parent in path.parents:
        if not (parent / "__init__.py").is_file():
            break
        names.insert(0, parent.name)
    return tuple(names)


def _import_failure(error: BaseException, directory: Path | None) -> LoadError:
    if isinstance(error, MemoryError):
        return LoadError(Trouble.OUT_OF_MEMORY, f"ran out of memory on import: {described(error)}")
    library = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if library in INSTALL:
        return LoadError(Trouble.UNAVAILABLE, f"{library} is not installed: {INSTALL[library]}")
    where = last_line_in(error, directory)
    return LoadError(Trouble.RAISED, f"does not import: {described(error)}" + (f" ({where})" if where else ""))


def _no_such_function(module: ModuleType, attribute: str, file: str) -> str:
    if "<locals>" in attribute:
        return f"{attribute} is defined inside a function; gdbench finds only functions at the top of {file}"
    functions = [name for name, value in vars(module).items() if inspect.isfunction(value) and not name.startswith("_")]
    has = ", ".join(functions[:10]) or "none"
    return f"{file} has no function {attribute!r}; it has {has}"


def _check_signature(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Compiled functions need not have one; a wrong one shows when it is called.
        return
    try:
        signature.bind(None, 0)
    except TypeError as error:
        raise LoadError(
            Trouble.RAISED, f"{name}{signature} cannot be called as {name}(problem, n_iters): {error}"
        ) from error
