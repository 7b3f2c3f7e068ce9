"""The gate without a worker: what its file may say, and which verdicts pass it."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.gate.check import asked_for, held_against
from bench.gate.config import Requirement, read_gate
from bench.plan import Cell, Request, plan
from bench.proof.verdict import Finding, Status, Verdict
from bench.variants.contract import Variant
from tests.proof.verdicts import a_verdict


def verdict(status: Status = Status.PROVED, *, expect: str | None = None, **finding: object) -> Verdict:
    cause = finding.get("cause")
    return a_verdict(
        finding=Finding(status=status, evidence="19 iterates", **finding),  # type: ignore[arg-type]
        expected=expect or "proved",
        as_expected=cause == expect if status in (Status.WRONG, Status.BROKEN) else status is Status.PROVED,
    )


@pytest.mark.parametrize(
    ("found", "requirement", "expected", "passes"),
    [
        (verdict(), Requirement(), "proved", True),
        (verdict(), Requirement(status="proved"), "proved", True),
        (verdict(), Requirement(status="wrong"), "wrong", False),
        (verdict(), Requirement(cause="scale.sum"), "scale.sum", False),
        (verdict(Status.WRONG, cause="scale.sum", expect="scale.sum"), Requirement(), "scale.sum", True),
        (verdict(Status.WRONG, cause="scale.half", expect="scale.sum"), Requirement(), "scale.sum", False),
        (verdict(Status.WRONG, cause="scale.sum"), Requirement(), "proved", False),
        (verdict(Status.WRONG, cause="scale.sum"), Requirement(status="wrong"), "wrong", True),
        (verdict(Status.WRONG, cause="scale.sum"), Requirement(status="wrong", cause="scale.sum"), "scale.sum", True),
        (verdict(Status.WRONG, cause="scale.sum"), Requirement(status="broken", cause="scale.sum"), "scale.sum", False),
        (verdict(Status.WRONG, cause="scale.half"), Requirement(cause="scale.sum"), "scale.sum", False),
        (verdict(Status.WRONG, cause="scale.sum", expect="scale.sum"), Requirement(status="proved"), "proved", False),
        (verdict(Status.TIMEOUT), Requirement(status="timeout"), "timeout", True),
        (verdict(Status.UNSUPPORTED), Requirement(status="proved"), "proved", False),
        (verdict(Status.UNAVAILABLE), Requirement(), "proved", False),
        (verdict(Status.UNAVAILABLE), Requirement(status="unavailable"), "unavailable", True),
        (verdict(Status.UNAVAILABLE), Requirement(cause="scale.sum"), "scale.sum", False),
    ],
)
def test_a_verdict_against_what_is_asked(found: Verdict, requirement: Requirement, expected: str, passes: bool) -> None:
    held = held_against(found, requirement)
    assert (held.expected, held.as_expected) == (expected, passes)
    assert held.finding == found.finding


@pytest.mark.parametrize(
    ("converges_in", "checked_to", "reason"),
    [
        (47, 60, None),
        (60, 60, None),
        (61, 61, "it converges in 61 iterations, and 60 are allowed"),
        (None, 60, "this learning rate does not converge, and 60 iterations are allowed"),
        (47, 46, "it was watched for 46 iterations of the 47 that it takes"),
    ],
)
def test_convergence_within_so_many_iterations(converges_in: int | None, checked_to: int, reason: str | None) -> None:
    found = verdict(converges_in=converges_in, checked_to=checked_to)
    held = held_against(found, Requirement(within=60))
    assert held.as_expected is (reason is None)
    if reason is None:
        assert held == found
    else:
        assert held.expected == "proved within 60"
        assert held.finding.evidence == f"{reason}; 19 iterates"


def test_convergence_is_no_excuse_for_a_wrong_descent() -> None:
    held = held_against(verdict(Status.WRONG, cause="scale.sum", converges_in=1, checked_to=60), Requirement(within=60))
    assert (held.expected, held.as_expected, held.finding.evidence) == ("proved", False, "19 iterates")


def test_the_command_line_narrows_a_gate() -> None:
    mine = Variant("numpy-mine", "numpy", "mine", "mine:fit")
    cell = Cell(mine, "line-4", None, "cpu", "float64")
    for fits in (Request(), Request(variants=("numpy-*",)), Request(problems=("norris", "line-?"))):
        assert asked_for(cell, fits)
    for misses in (Request(variants=("torch-*",)), Request(variants=("numpy-*",), problems=("norris",))):
        assert not asked_for(cell, misses)


def gate(folder: Path, text: str) -> list[Requirement]:
    path = folder / "project.toml"
    path.write_text(text)
    return read_gate(path)


def test_a_file_says_what_is_asked_of_which_cells(tmp_path: Path) -> None:
    everything, some = gate(
        tmp_path,
        """
        [[tool.gdbench.gate.cells]]

        [[tool.gdbench.gate.cells]]
        variant = "numpy-*"
        problem = ["line-4", "norris"]
        device = ["cpu", "cuda"]
        dtype = "float32"
        status = "proved"
        within = 60
        """,
    )
    assert everything == Requirement(device=("cpu",))
    assert some == Requirement(
        variant=("numpy-*",),
        problem=("line-4", "norris"),
        device=("cpu", "cuda"),
        dtype=("float32",),
        status="proved",
        within=60,
    )


@pytest.mark.parametrize("text", ["", "[tool.ruff]\nline-length = 120\n", "[tool.gdbench.gate]\ncells = []\n"])
def test_a_file_that_asks_nothing_asks_for_every_default_cell(tmp_path: Path, text: str) -> None:
    assert gate(tmp_path, text) == [Requirement()]


CELL = "[[tool.gdbench.gate.cells]]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool", "is no valid TOML: "),
        ("[tool]\ngdbench = 1\n", "[tool.gdbench] is no table"),
        ("[tool.gdbench]\ngates = 1\n", "'gates' means nothing here; there are gate"),
        ("[tool.gdbench.gate.cells]\nvariant = 'a'\n", "Write [[tool.gdbench.gate.cells]]"),
        ("[tool.gdbench.gate]\ncells = [1]\n", "cell 1 is no table"),
        (f"{CELL}{CELL}problems = 'a'\n", "cell 2: 'problems' means nothing here; there are variant, problem"),
        (f"{CELL}variant = 3\n", "variant is 3; it is a name or a list of names"),
        (f"{CELL}variant = ['a', 3]\n", "variant is ['a', 3]"),
        (f"{CELL}problem = ''\n", "problem is ''"),
        (f"{CELL}status = 'right'\n", "status 'right' is not one of proved, wrong"),
        (f"{CELL}status = ['proved']\n", "status ['proved'] is not one of"),
        (f"{CELL}cause = 1\n", "cause is 1; it is a code such as 'scale.sum'"),
        (f"{CELL}within = 0\n", "within is 0; it is a number of iterations, 1 or more"),
        (f"{CELL}within = 2.5\n", "within is 2.5"),
        (f"{CELL}within = true\n", "within is True"),
        (f"{CELL}status = 'proved'\ncause = 'scale.sum'\n", "a cell that is proved has no cause 'scale.sum'"),
        (f"{CELL}status = 'wrong'\nwithin = 60\n", "within is for cells that are proved, and wrong is asked for"),
        (f"{CELL}cause = 'scale.sum'\nwithin = 60\n", "and scale.sum is asked for"),
    ],
)
def test_a_file_that_makes_no_sense(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        gate(tmp_path, text)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "project.toml"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not there\. Name the project file with --config"):
        read_gate(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="is a folder"):
        read_gate(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(UsageError, match=r"latin\.toml is no valid TOML"):
        read_gate(tmp_path / "latin.toml")


def test_the_gate_of_this_checkout_means_cells() -> None:
    requirements = read_gate(Path(__file__).parents[2] / "pyproject.toml")
    for requirement in requirements:
        request = Request(variants=requirement.variant, problems=requirement.problem, devices=requirement.device)
        cells = plan(request, devices_of=lambda backend: ("cpu",))
        assert {cell.device for cell in cells} == {"cpu"}
        assert all(cell.required for cell in cells)
    assert {"scale.sum"} == {requirement.cause for requirement in requirements} - {None}
    assert [requirement.within for requirement in requirements if requirement.problem == ("line-4",)] == [60, None]
