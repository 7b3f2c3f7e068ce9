"""The plan: which cells a request means, and which of them cannot be done before anything is run."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.backends import BACKENDS, KNOWN, backend_named, canonical_device
from bench.dtypes import dtype_named
from bench.errors import UnavailableError, UsageError
from bench.judge.lane import OWN, Lane
from bench.problems.catalogue import CATALOGUE, select
from bench.problems.files import load_file
from bench.problems.learning_rate import LearningRate
from bench.problems.named import Entry, NamedProblem
from bench.problems.problem import Problem
from bench.proof.causes import CODES
from bench.proof.verdict import Finding, Status, Verdict
from bench.variants.contract import Variant
from bench.variants.discovery import discover, is_path, refuse_namesake, resolve
from bench.variants.selection import nearest_names, select_variants

DEFAULT_DTYPES = ("float64", "float32")
TABLE_SUFFIXES = (".csv", ".parquet")
ACCELERATORS = ("cuda", "mps", "xpu")
"""Devices beside the CPU that some backend may have; asked for any other, NumPy too says that it is not here."""

NOT_LAUNCHED = "not launched"
"""The isolation of a cell that no worker was started for."""

TIMED_WHEN_NAMED = frozenset({"as-published"})
"""Families that are there to be judged: a request that names no variant proves them and does not time them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for.

    Attributes:
        targets: variants by file, module, name or glob, given as arguments.
        variants: names and globs; every registered variant where both are empty.
        problems: names, globs, spec strings, and paths of CSV or Parquet files; the default ones where empty.
        devices: every device there is where empty.
        dtypes: float64 and float32 where empty.
        backend: what unregistered functions are written for; guessed where ``None``.
        features: the feature columns of a file.
        outputs: its target columns.
        lr: its learning rate, or ``auto``.
        bias: whether its model has one.
    """

    targets: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    backend: str | None = None
    features: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    lr: LearningRate = "auto"
    bias: bool = True

    def __post_init__(self) -> None:
        """Take one name for a tuple of it, and a path for its text.

        Raises:
            UsageError: a name is none.

        >>> Request(problems="line-4", targets=(Path("mine.py"),))  # doctest: +ELLIPSIS
        Request(targets=('mine.py',), variants=(), problems=('line-4',), ...
        """
        for name in ("targets", "variants", "problems", "devices", "dtypes", "features", "outputs"):
            given = getattr(self, name)
            names = (given,) if isinstance(given, str | os.PathLike) else tuple(given)
            if not all(isinstance(each, str | os.PathLike) for each in names):
                raise UsageError(f"{name} is {given!r:.100}; it is a name or several, each a string.")
            object.__setattr__(self, name, tuple(os.fspath(each) for each in names))
        if self.lr != "auto" and (isinstance(self.lr, bool) or not isinstance(self.lr, int | float)):
            raise UsageError(f"lr is {self.lr!r:.100}; it is a number such as 0.01, or 'auto'.")


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant on one problem, on one device, in one dtype.

    Attributes:
        problem: the problem's name.
        data: its data, in float64; ``None`` where it is not on this machine.
        obstacle: what is known of the cell before it is run, when that settles it.
        required: the user named what the cell may lack (its data, its device, or a variant whose backend is not),
            so that its being unavailable is not as expected.
        timed: whether a timing follows the proof.
        lane: the interpreter and the source tree that the variant comes from.
    """

    variant: Variant
    problem: str
    data: Problem | None
    device: str
    dtype: str
    obstacle: Finding | None = None
    required: bool = False
    timed: bool = True
    lane: Lane = OWN

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The four names that identify the cell in every table."""
        return (self.variant.name, self.problem, self.device, self.dtype)

    def verdict(self, finding: Finding, *, expected: str, as_expected: bool) -> Verdict:
        """A verdict on this cell, which nothing was launched for yet."""
        return Verdict(
            variant=self.variant.name,
            backend=self.variant.backend,
            family=self.variant.family,
            problem=self.problem,
            device=self.device,
            dtype=self.dtype,
            finding=finding,
            expected=expected,
            as_expected=as_expected,
            seconds=0.0,
            isolation=NOT_LAUNCHED,
        )

    def __str__(self) -> str:
        return " · ".join(self.key)


@dataclass(frozen=True, slots=True)
class _Data:
    name: str
    problem: Problem | None
    required: bool
    missing: str = ""


def plan(
    request: Request,
    *,
    devices_of: Callable[[str], Sequence[str]],
    why_no_more: Callable[[str], str] = lambda _: "",
    ask: Callable[[str], list[Variant]] | None = None,
    complain: Callable[[str], None] | None = None,
) -> list[Cell]:
    """The cells of a request, variant by variant within each problem.

    Args:
        request: what the user asked for.
        devices_of: the devices that a backend has here; asked only for backends that are in the plan.
        why_no_more: what a backend says of devices that it could not use; asked where one is missing.
        ask: asks a worker what a module registers that computes its registrations.
        complain: is given one line for each module that could not be read.

    Raises:
        UsageError: a name matches nothing, a file cannot be read, or nothing is selected.
    """
    dtypes = [dtype_named(name).name for name in dict.fromkeys(request.dtypes or DEFAULT_DTYPES)]
    chosen = _Chosen(request, ask, complain)
    variants = chosen.all()
    for variant in variants:
        _refuse_unknown_cause(variant)
    data = _chosen_problems(request)
    available = {backend: _available(backend, devices_of) for backend in dict.fromkeys(v.backend for v in variants)}
    all_are_timed = bool(request.targets or request.variants)
    cells = [
        _cell(
            variant,
            one,
            device,
            dtype,
            available[variant.backend],
            why_no_more=why_no_more,
            # No installation brings a backend that nobody knows.
            named=bool(request.devices) or variant.name in chosen.by_name or variant.backend not in KNOWN,
            timed=all_are_timed or variant.family not in TIMED_WHEN_NAMED,
        )
        for one in data
        for dtype in dtypes
        for variant in variants
        for device in _devices(request, available[variant.backend])
    ]
    if not cells:
        raise UsageError("nothing is selected: no device of this machine can run the variants. Name one with --device.")
    return cells


def _refuse_unknown_cause(variant: Variant) -> None:
    if variant.expect is not None and variant.expect not in CODES:
        raise UsageError(
            f"{variant.name} ({variant.origin}) expects {variant.expect!r}, and there is no such cause. "
            f"{nearest_names(variant.expect, CODES)}"
        )


def chosen_variants(
    request: Request,
    *,
    ask: Callable[[str], list[Variant]] | None = None,
    complain: Callable[[str], None] | None = None,
) -> list[Variant]:
    """The variants that a request's targets and names mean, each once.

    Raises:
        UsageError: a target or a name means no variant, or two variants have the same name.
    """
    return _Chosen(request, ask, complain).all()


class _Chosen:
    """The variants of a request, and those among them that the user named one by one."""

    def __init__(
        self,
        request: Request,
        ask: Callable[[str], list[Variant]] | None,
        complain: Callable[[str], None] | None,
    ) -> None:
        self._request, self._ask, self._complain = request, ask, complain
        self.by_name: set[str] = set()

    def all(self) -> list[Variant]:
        """Those of files and modules first, then the registered ones in their own order."""
        request, chosen = self._request, dict[str, Variant]()
        patterns = list(request.variants)
        for target in request.targets:
            if not is_place(target) or (":" not in target and target in self._registered_names):
                patterns.append(target)
                continue
            for variant in self._at(target):
                refuse_namesake(chosen.setdefault(variant.name, variant), variant)
                # A file is named for what it registers; of a package one part may be for a library that is not here.
                if ":" in target or target.endswith(".py"):
                    self.by_name.add(variant.name)
        if patterns or not chosen:
            for variant in select_variants(self._registered, patterns):
                refuse_namesake(chosen.setdefault(variant.name, variant), variant)
            self.by_name.update(set(patterns) & set(self._registered_names))
        return list(chosen.values())

    def _at(self, target: str) -> list[Variant]:
        try:
            return resolve(target, self._request.backend, self._ask)
        except UsageError as error:
            if ":" in target or is_path(target):
                raise
            # One word may be a module or a variant, and is neither.
            near = nearest_names(target, self._registered_names)
            raise UsageError(f"{error} No variant is called so either. {near}") from error

    @cached_property
    def _registered(self) -> list[Variant]:
        return discover(self._ask, self._complain) if self._complain is not None else discover(self._ask)

    @property
    def _registered_names(self) -> list[str]:
        return [variant.name for variant in self._registered]


def is_place(target: str) -> bool:
    """Whether a target is a file or a module rather than the name of a variant.

    >>> [is_place(t) for t in ("descent.py:step", "package.module:step", "package.module", "numpy-*", "gd_impls", ".")]
    [True, True, True, False, True, True]
    """
    if ":" in target or is_path(target):
        return True
    return "." in target or target.isidentifier()


def named_problems(request: Request) -> tuple[list[NamedProblem], list[Entry]]:
    """The problems that a request names: those of its tables, and those of the catalogue.

    Raises:
        UsageError: a name means none, a table cannot be read, or what is for tables stands without one.
    """
    files = [name for name in request.problems if name.lower().endswith(TABLE_SUFFIXES)]
    entries = _entries([name for name in request.problems if name not in files])
    given = {
        "--features": request.features,
        "--target": request.outputs,
        "--lr": request.lr != "auto",
        "--no-bias": not request.bias,
    }
    unused = [option for option, value in given.items() if value]
    if unused and not files:
        raise UsageError(
            f"{' and '.join(unused)} can only be for a problem from a file, and none was given. "
            "Add -p path/to/table.csv."
        )
    tables = [
        load_file(Path(name), request.features, request.outputs, lr=request.lr, bias=request.bias) for name in files
    ]
    return tables, entries


def _chosen_problems(request: Request) -> list[_Data]:
    tables, entries = named_problems(request)
    if not request.problems:
        entries = [entry for entry in CATALOGUE if entry.default]
    data = [_Data(named.name, named.problem, required=True) for named in tables]
    for entry in entries:
        required = entry.name in request.problems
        try:
            named = entry.load()
            data.append(_Data(named.name, named.problem, required))
        except UnavailableError as error:
            data.append(_Data(entry.name, None, required, str(error)))
    for name, times in Counter(one.name for one in data).items():
        if times > 1:
            raise UsageError(f"{times} problems are named {name!r}. A file's name is its problem's: rename the file.")
    return data


def _entries(patterns: Sequence[str]) -> list[Entry]:
    try:
        return select(patterns)
    except UsageError:
        for name in filter(os.path.isfile, patterns):
            raise UsageError(
                f"{name} is a file and no table: its name ends with neither .csv nor .parquet. Convert it."
            ) from None
        raise


def _available(backend: str, devices_of: Callable[[str], Sequence[str]]) -> "Sequence[str] | UnavailableError":
    try:
        backend_named(backend)
        return devices_of(backend)
    except UnavailableError as error:
        return error


def _devices(request: Request, available: "Sequence[str] | UnavailableError") -> list[str]:
    if request.devices:
        return list(dict.fromkeys(canonical_device(device) for device in request.devices))
    return ["cpu"] if isinstance(available, UnavailableError) else list(available)


def _cell(
    variant: Variant,
    data: _Data,
    device: str,
    dtype: str,
    available: "Sequence[str] | UnavailableError",
    *,
    why_no_more: Callable[[str], str],
    named: bool,
    timed: bool,
) -> Cell:
    obstacle: Finding | None = None
    if data.problem is None:
        obstacle = Finding(status=Status.UNAVAILABLE, evidence=data.missing)
    elif isinstance(available, UnavailableError):
        obstacle = Finding(status=Status.UNAVAILABLE, evidence=str(available))
    elif device not in available:
        if variant.backend == "numpy" and device.partition(":")[0] in ACCELERATORS:
            obstacle = Finding(status=Status.UNSUPPORTED, evidence="numpy computes on cpu only")
        else:
            why = why_no_more(variant.backend)
            sees = f"{variant.backend} sees no device {device!r} here; it sees {', '.join(available)}"
            obstacle = Finding(status=Status.UNAVAILABLE, evidence=f"{sees}; {why}" if why else sees)
    elif dtype not in BACKENDS[variant.backend].computes_in(device):
        computes = ", ".join(BACKENDS[variant.backend].computes_in(device))
        where = "" if dtype not in BACKENDS[variant.backend].dtypes else f" on {device}"
        obstacle = Finding(
            status=Status.UNSUPPORTED,
            evidence=f"{variant.backend} does not compute in {dtype}{where}, only in {computes}",
        )
    # What is missing was asked for: the data by the problem's name, the backend or device by the variant's or its own.
    required = data.required if data.problem is None else named
    return Cell(variant, data.name, data.problem, device, dtype, obstacle, required=required, timed=timed)


def known_backend(name: str) -> str:
    """The name, when there is such a backend.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in KNOWN:
        raise UsageError(f"backend {name!r} is not known. {nearest_names(name, KNOWN)}")
    return name
