"""What the corpora are made of: a planted fault with the names that it may be given, and an honest control."""

from dataclasses import dataclass
from pathlib import Path

from bench.plan import Cell
from bench.problems.catalogue import find
from bench.proof.verdict import Finding
from bench.variants.contract import Variant

TARGETS = Path(__file__).parent / "targets"
UNNAMED = ("unknown",)
"""What is expected of a fault for which CAUSES.md has no name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One loop with a mistake in it.

    Attributes:
        name: unique in all corpora: the backend, and the function.
        function: ``file.py:function`` under ``targets``.
        backend: ``numpy`` or ``torch``.
        expect: the codes that name it rightly; several where no trajectory can tell them apart, or where two codes
            describe the same trajectory; for a pair, the codes of its two faults.
        separable: whether one code alone is right, so that a diagnoser can be asked for it.
        note: why the codes are these, where the table of causes does not say so at once.
    """

    name: str
    function: str
    backend: str
    expect: tuple[str, ...]
    separable: bool
    note: str

    def judge(self, found: str) -> str:
        """What a verdict is worth: ``right``, ``unknown``, ``misnamed`` or ``undetected``.

        Args:
            found: as `found_name` gives it.

        >>> fault("torch_scale.py:reduction_sum", "scale.sum").judge("scale.half")
        'misnamed'
        """
        if found == "proved":
            return "undetected"
        if found in self.expect:
            return "right"
        return "unknown" if found == "unknown" else "misnamed"


@dataclass(frozen=True, slots=True)
class Control:
    """One loop without a mistake."""

    name: str
    function: str
    backend: str


def fault(function: str, *expect: str, separable: bool | None = None, note: str = "") -> Fault:
    """A fault; separable where a single code is expected and it is not ``unknown``, unless said otherwise.

    >>> fault("torch_scale.py:reduction_sum", "scale.sum").name
    'torch-reduction-sum'
    """
    backend, name = _backend_and_name(function)
    single = len(expect) == 1 and expect != UNNAMED
    return Fault(name, function, backend, expect, single if separable is None else separable, note)


def pair(function: str, *expect: str) -> Fault:
    """Two faults in one loop; either name is right, and neither can be asked for."""
    backend, name = _backend_and_name(function)
    return Fault(f"pair-{name}", function, backend, expect, separable=False, note="")


def control(function: str) -> Control:
    """An honest loop."""
    backend, name = _backend_and_name(function)
    return Control(f"honest-{name}", function, backend)


def _backend_and_name(function: str) -> tuple[str, str]:
    file, _, name = function.partition(":")
    backend = "torch" if "torch" in file else "numpy"
    return backend, f"{backend}-{name.replace('_', '-')}"


def found_name(finding: Finding) -> str:
    """The cause that was found; the status where there is none."""
    return finding.cause or finding.status.value


def cell_of(one: Fault | Control, problem: str, dtype: str) -> Cell:
    """The cell that holds a fault or a control on a problem of the catalogue."""
    variant = Variant(one.name, one.backend, "corpus", str(TARGETS / one.function))
    return Cell(variant, problem, find(problem).problem, "cpu", dtype)
