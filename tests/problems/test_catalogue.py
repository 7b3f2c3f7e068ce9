"""The catalogue: every entry loads and keeps the contract, names and globs resolve, listing is light."""

import subprocess
import sys

import numpy as np
import pytest

from bench.errors import UsageError
from bench.problems.catalogue import CATALOGUE, find, select
from bench.problems.learning_rate import largest_stable
from bench.problems.named import Entry
from bench.problems.synthetic import described, parse

NAMES = [entry.name for entry in CATALOGUE]


def names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def test_names_are_unique_and_the_defaults_are_few() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [entry.name for entry in CATALOGUE if entry.default] == [
        "line-4",
        "crop-yield",
        "norris",
        "gaussian",
        "batch",
    ]


@pytest.mark.parametrize("entry", CATALOGUE, ids=NAMES)
def test_every_entry_loads_and_keeps_the_contract(entry: Entry) -> None:
    if entry.name in ("diabetes", "linnerud"):
        pytest.importorskip("sklearn")
    named = entry.load()
    problem, answer = named.problem, named.answer
    assert (named.name, named.summary, named.source) == (entry.name, entry.summary, entry.source)
    *lead, _, n_features = problem.x.shape
    n_outputs = problem.y.shape[-1]
    assert problem.y.shape[:-1] == problem.x.shape[:-1]
    assert problem.w0.shape == (*lead, n_outputs, n_features)
    arrays = [problem.x, problem.y, problem.w0]
    if problem.b0 is not None:
        assert problem.b0.shape == (*lead, n_outputs)
        arrays.append(problem.b0)
    if answer is not None:
        assert answer.w.shape == problem.w0.shape
        assert (answer.b is None) == (problem.b0 is None)
        arrays.append(answer.w)
    for array in arrays:
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert np.isfinite(array).all()
    assert type(problem.lr) is float
    assert 0 < problem.lr < largest_stable(problem)


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE if entry.name in ("gaussian", "batch")], ids=str)
def test_the_generated_entries_are_described_as_their_recipes(entry: Entry) -> None:
    assert entry.summary == described(parse(entry.name))


def test_each_load_gives_arrays_of_its_own() -> None:
    first = find("line-4").problem
    first.x[:] = 0
    assert find("line-4").problem.x.all()


def test_find_takes_exact_names_and_specs() -> None:
    assert find("norris").name == "norris"
    found = find("gaussian:seed=1,n=20")
    assert (found.name, found.problem.x.shape) == ("gaussian:n=20,seed=1", (20, 5))


def test_select_follows_the_catalogue_without_duplicates() -> None:
    assert names(select(["norris", "line*", "line-4"])) == [name for name in NAMES if name.startswith("line")] + [
        "norris"
    ]
    assert names(select(["*"])) == NAMES
    assert select([]) == []


def test_select_takes_specs_in_the_order_given_and_knows_the_default_by_its_values() -> None:
    chosen = select(["batch:b=2", "gaussian:n=100", "gaussian:d=9", "batch:b=2,seed=0", "crop-yield"])
    assert names(chosen) == ["crop-yield", "gaussian", "batch:b=2", "gaussian:d=9"]
    assert chosen[2].load().problem.x.shape == (2, 32, 3)
    assert not chosen[2].default


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("line4", r"no problem is named 'line4'\. The nearest names are line-4, line-6"),
        ("Norris", r"no problem is named 'Norris'\. The nearest names are norris"),
        ("zzz*", r"no problem is named 'zzz\*'\. There are line-4, line-6, .*gdbench list"),
        ("gaussian:rows=3", r"there is no key 'rows'"),
        ("gaussian:*", r"'\*' is not of the form key=value"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select([name])
    with pytest.raises(UsageError, match=message):
        find(name)


def test_find_wants_one_name_not_a_glob() -> None:
    with pytest.raises(UsageError, match=r"no problem is named 'line-\*'"):
        find("line-*")


def test_listing_reads_nothing_and_imports_no_data_library() -> None:
    code = (
        "import sys, bench.plan, bench.problems.catalogue as c; c.select(['*']); "
        "light = {'pandas', 'sklearn', 'scipy', 'torch', 'pyarrow', 'bench.problems.nist', 'bench.problems.datasets'}; "
        "print(sorted(light & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
