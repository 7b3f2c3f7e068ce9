"""Every row of the corpus: what it is, and that its proof comes to what the table says."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import bench.selftest.attacks
from bench.harness import Harness
from bench.proof.verdict import Status
from bench.selftest import controls
from bench.selftest.corpus import ATTACKS, CONTROLS, Attack, Outcome, control
from bench.selftest.picture import left_behind, marked, picture
from bench.selftest.run import OPTIONS, attack_cell, clean, control_cell, harm


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Home, temporary folder and working directory of this module alone: when all are proved, nothing has changed."""
    place = tmp_path_factory.mktemp("outside")
    for name in ("home", "temporary", "here"):
        (place / name).mkdir()
    with pytest.MonkeyPatch.context() as patch, marked():
        patch.setenv("HOME", str(place / "home"))
        patch.setattr("tempfile.tempdir", str(place / "temporary"))
        patch.chdir(place / "here")
        files = sorted(place.rglob("*"))
        before = picture()
        yield
        clean()
        # pytest says there which test it is at.
        assert [left for left in left_behind(before, picture()) if "PYTEST_CURRENT_TEST" not in left] == []
        assert sorted(place.rglob("*")) == files


@pytest.fixture(scope="module")
def harness(outside: None) -> Iterator[Harness]:
    with Harness(OPTIONS) as one:
        yield one


@pytest.fixture(scope="module")
def presence(harness: Harness) -> dict[str, str]:
    return harness.presence()


def variants_in(module: Any) -> set[str]:
    return {
        name
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and list(inspect.signature(function).parameters) == ["problem", "n_iters"]
    }


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(ATTACKS) >= 60
    assert len(CONTROLS) >= 24
    assert len({one.name for one in ATTACKS}) == len(ATTACKS)
    assert {one.outcome for one in ATTACKS} == set(Outcome)


def test_every_attack_that_is_written_is_in_the_table_and_says_what_it_tries() -> None:
    for module in iter_modules(bench.selftest.attacks.__path__):
        written = variants_in(import_module(f"bench.selftest.attacks.{module.name}"))
        assert written == {one.function for one in ATTACKS if one.module == module.name}
    assert variants_in(controls) == set(CONTROLS)
    assert all(len(one.tries) > 10 for one in ATTACKS)
    assert {one.twin for one in ATTACKS} <= set(CONTROLS)


@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.name)
def test_an_attack(harness: Harness, presence: dict[str, str], one: Attack) -> None:
    if one.function.startswith("torch"):
        pytest.importorskip("torch")
    lacking = presence.get(one.caught_by.value, "present").partition("absent: ")[2]
    if lacking:
        pytest.skip(f"this machine cannot stop it: {lacking}")
    finding = harness.prove(attack_cell(one)).verdict.finding
    assert finding.status in one.verdicts, finding.evidence
    assert harm() == ""


@pytest.mark.parametrize("function", CONTROLS)
def test_an_honest_control(harness: Harness, function: str) -> None:
    if function.startswith("torch"):
        pytest.importorskip("torch")
    finding = harness.prove(control_cell(control(function))).verdict.finding
    assert finding.status is Status.PROVED, finding.evidence
