"""The plan: which cells a request means."""

from dataclasses import dataclass

from bench.problems.catalogue import NamedProblem
from bench.variants.contract import Variant


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant on one problem, on one device, in one dtype.

    Attributes:
        required: the user named this variant and device, so that its being unavailable is not as expected.
    """

    variant: Variant
    problem: NamedProblem
    device: str
    dtype: str
    required: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The four names that identify the cell in every table."""
        return (self.variant.name, self.problem.name, self.device, self.dtype)
