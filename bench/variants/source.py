"""What a source file registers and defines, read from its syntax alone: nothing is imported, nothing runs."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.variants.contract import Variant

_DECORATORS = frozenset({"bench.variant", "bench.variants.contract.variant"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SourceError(UsageError):
    """A source file that cannot be read as Python, or that registers a variant under an impossible name."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One function at the top level of a module.

    Attributes:
        line: where it starts, its decorators included.
        summary: the first line of its docstring.
    """

    line: int
    summary: str


@dataclass(frozen=True, slots=True)
class Source:
    """What the syntax of one module tells.

    Attributes:
        module: what its variants' targets start with: the module's full name, or the file's absolute path.
        path: the file.
        variants: those registered by a decorator with literal arguments, in the order of registration.
        complete: false where the module may register more, which only running it can tell.
        functions: the functions defined at its top level.
        names: every name bound at its top level.
        open_ended: whether a star import or a module ``__getattr__`` binds names that the syntax does not show.
        imports: the top-level packages that it imports anywhere.
    """

    module: str
    path: Path
    variants: tuple[Variant, ...]
    complete: bool
    functions: dict[str, Definition]
    names: frozenset[str]
    open_ended: bool
    imports: frozenset[str]


def read_source(path: Path, module: str) -> Source:
    """Read one source file.

    Args:
        path: the file.
        module: what its variants' targets start with: the module's full name, or the file's absolute path.

    Raises:
        SourceError: the file is not Python, or a name is not one that tables and files can carry.
        UsageError: a variant's function is shadowed by a later one of the same name.
    """
    tree = _parse(path)
    nodes = list(ast.walk(tree))
    full_names = _imported_names(nodes)
    variants: list[Variant] = []
    read: set[int] = set()
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in reversed(function.decorator_list):
            if isinstance(decorator, ast.Call) and _full_name(decorator.func, full_names) in _DECORATORS:
                arguments = _literal_arguments(decorator)
                if arguments is not None:
                    read.add(id(decorator.func))
                    variants.append(_variant(arguments, function, path, module))
    bound = list(_bound_names(tree.body))
    source = Source(
        module=module,
        path=path,
        variants=tuple(variants),
        complete=not any(id(node) not in read for node in _registering_nodes(nodes, full_names)),
        functions={
            node.name: Definition(_first_line(node), _summary(node))
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
        },
        names=frozenset(bound),
        open_ended="*" in bound or "__getattr__" in bound,
        imports=frozenset(name.partition(".")[0] for name in full_names.values() if not name.startswith(".")),
    )
    _refuse_shadowed(source)
    return source


def names_bound_in(path: Path) -> frozenset[str]:
    """The names that a module has at its top by its source; ``*`` where it imports names that it does not spell.

    Raises:
        SourceError: the file cannot be read as Python source.
    """
    return frozenset(_bound_names(_parse(path).body))


def _parse(path: Path) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in a string is not ours to report
            return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise SourceError(f"{where}: {error.msg}. The file is not Python that can be read; mend it there.") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"{path}: {error}. The file cannot be read as Python source.") from error


def _imported_names(nodes: list[ast.AST]) -> dict[str, str]:
    """What each imported name stands for: ``{"v": "bench.variant"}`` after ``from bench import variant as v``."""
    full_names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    full_names[alias.asname] = alias.name
                else:
                    top = alias.name.partition(".")[0]
                    full_names[top] = top
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            for alias in node.names:
                if alias.name == "*" and origin == "bench":
                    full_names["variant"] = "bench.variant"
                else:
                    full_names[alias.asname or alias.name] = f"{origin}.{alias.name}"
    return full_names


def _full_name(node: ast.expr, full_names: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in full_names:
        return None
    return ".".join([full_names[node.id], *reversed(parts)])


def _registering_nodes(nodes: list[ast.AST], full_names: dict[str, str]) -> Iterator[ast.expr]:
    # A `variant` imported from elsewhere may be bench's own, handed on: it counts as one that is to be asked about.
    suspects = _DECORATORS | {name for name in full_names.values() if name.endswith(".variant")}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and _full_name(node, full_names) in suspects:
            yield node


def _literal_arguments(call: ast.Call) -> dict[str, str | None] | None:
    """The arguments of ``variant(...)`` where every one is a literal of its right type, else ``None``."""
    given = [("name", node) for node in call.args] + [(keyword.arg, keyword.value) for keyword in call.keywords]
    arguments: dict[str, str | None] = {}
    for key, node in given:
        if key not in {"name", "backend", "family", "expect"} or key in arguments or not isinstance(node, ast.Constant):
            return None
        value = node.value
        if not isinstance(value, str) and not (value is None and key == "expect"):
            return None
        arguments[key] = value
    return arguments if {"name", "backend"} <= arguments.keys() else None


def _variant(arguments: dict[str, str | None], function: ast.FunctionDef, path: Path, module: str) -> Variant:
    name, backend = str(arguments["name"]), str(arguments["backend"])
    origin = f"{path.name}:{_first_line(function)}"
    if not usable_name(name):
        raise SourceError(
            f"{origin}: the variant's name {name!r} cannot be used in tables and file names. "
            "Use up to 64 letters, digits, '-', '_' and '.', a letter or digit first."
        )
    return Variant(
        name=name,
        backend=backend,
        family=arguments.get("family") or backend,
        target=f"{module}:{function.name}",
        expect=arguments.get("expect"),
        summary=_summary(function),
        origin=origin,
    )


def usable_name(name: str) -> bool:
    """Whether a registered variant may be called so: results, tables and file names carry the name as it is."""
    return _NAME.fullmatch(name) is not None


def _first_line(function: ast.FunctionDef) -> int:
    return function.decorator_list[0].lineno if function.decorator_list else function.lineno


def _summary(function: ast.FunctionDef) -> str:
    return (ast.get_docstring(function) or "").strip().partition("\n")[0]


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    yield from _bound_names([child])
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    yield from _bound_names(child.body)
                else:
                    for name in ast.walk(child):
                        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                            yield name.id


def _refuse_shadowed(source: Source) -> None:
    for variant in source.variants:
        function = variant.target.rpartition(":")[2]
        last = f"{source.path.name}:{source.functions[function].line}"
        if variant.origin != last:
            raise UsageError(
                f"{variant.origin} and {last} both define {function!r}: variant {variant.name!r} is ambiguous, since "
                f"the later function replaces it. Give one of the two in {source.path} another name."
            )
