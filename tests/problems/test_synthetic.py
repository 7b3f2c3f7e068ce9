"""Generated problems: specs, names, and what the numbers are like."""

import numpy as np
import pytest

from bench.errors import UsageError
from bench.problems.catalogue import find
from bench.problems.synthetic import FAMILIES, generate, parse


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("gaussian", "gaussian"),
        ("batch", "batch"),
        ("gaussian:n=100,d=5,m=3,condition=10,noise=0.1,bias=yes,lr=auto,seed=0", "gaussian"),
        ("batch:b=16,n=32,d=3,m=2", "batch"),
        ("gaussian:seed=3,n=50", "gaussian:n=50,seed=3"),
        ("gaussian: d = 7 , bias = no", "gaussian:d=7,bias=no"),
        ("gaussian:condition=1e3,lr=0.010", "gaussian:condition=1000,lr=0.01"),
        ("batch:noise=0,b=2", "batch:b=2,noise=0"),
    ],
)
def test_the_canonical_name_holds_what_is_not_default_in_order(spec: str, name: str) -> None:
    assert parse(spec).name == name
    assert parse(name) == parse(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gausian:n=5", r"'gausian:n=5' names no family .* gaussian, batch"),
        ("gaussian:", r"'' is not of the form key=value"),
        ("gaussian:n", r"'n' is not of the form key=value"),
        ("gaussian:rows=5", r"no key 'rows'\. The keys of gaussian, .*: n \(a whole number from 2 to 1e\+07; 100\)"),
        ("gaussian:b=3", r"no key 'b'"),
        ("gaussian:n=5,n=6", r"the key 'n' is given twice"),
        ("gaussian:n=1", r"n=1 is out of range\. The keys"),
        ("gaussian:n=2.5", r"n=2\.5 is out of range"),
        ("gaussian:d=0", r"d=0 is out of range"),
        ("gaussian:m=", r"m= is out of range"),
        ("gaussian:condition=0.5", r"condition=0\.5 is out of range"),
        ("gaussian:condition=nan", r"condition=nan is out of range"),
        ("gaussian:noise=inf", r"noise=inf is out of range"),
        ("gaussian:bias=maybe", r"bias=maybe is out of range.*bias \(yes or no; yes\)"),
        ("gaussian:lr=fast", r"lr=fast is out of range.*lr \(auto or a positive number; auto\)"),
        ("gaussian:lr=-1", r"lr=-1 is out of range"),
        ("gaussian:seed=-1", r"seed=-1 is out of range"),
        ("batch:b=0", r"b=0 is out of range.*b \(a whole number from 1"),
        ("gaussian:d=1,condition=4", r"one feature has one singular value"),
        ("gaussian:n=10000000,d=100", r"1,000,000,000 numbers is more than the 50,000,000"),
        ("gaussian:n=2,d=100000,m=1000", r"100,000,000 numbers"),
    ],
)
def test_a_wrong_spec_is_refused_with_what_is_valid(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(spec)


@pytest.mark.parametrize(
    ("spec", "condition"),
    [("gaussian", 10), ("gaussian:condition=1", 1), ("gaussian:n=6,d=9,condition=1e6", 1e6), ("gaussian:d=1", 1)],
)
def test_x_has_the_asked_condition_number_and_entries_of_mean_square_one(spec: str, condition: float) -> None:
    x = find(spec).problem.x
    singular = np.linalg.svd(x, compute_uv=False)
    assert singular[0] / singular[-1] == pytest.approx(condition, rel=1e-8)
    assert np.mean(x**2) == pytest.approx(1.0, rel=1e-12)


def test_every_regression_of_a_batch_has_the_condition_and_its_own_data() -> None:
    problem = find("batch:b=4,condition=100").problem
    assert (problem.x.shape, problem.y.shape, problem.w0.shape) == ((4, 32, 3), (4, 32, 2), (4, 2, 3))
    assert problem.b0 is not None
    assert problem.b0.shape == (4, 2)
    assert np.linalg.cond(problem.x) == pytest.approx(np.full(4, 100.0), rel=1e-8)
    assert not np.isclose(problem.x[0], problem.x[1]).any()


@pytest.mark.parametrize("spec", ["gaussian:noise=0", "gaussian:noise=0,bias=no", "batch:noise=0"])
def test_without_noise_the_planted_weights_are_the_answer(spec: str) -> None:
    named = find(spec)
    problem, answer = named.problem, named.answer
    assert answer is not None
    predicted = problem.x @ np.swapaxes(answer.w, -1, -2)
    if answer.b is not None:
        predicted = predicted + answer.b[..., np.newaxis, :]
    np.testing.assert_allclose(predicted, problem.y, rtol=1e-12, atol=1e-12)


def test_there_is_no_answer_where_noise_moves_it_or_the_data_leave_it_open() -> None:
    assert find("gaussian").answer is None
    assert find("gaussian:noise=0,n=5,d=5").answer is None
    assert find("gaussian:noise=0,n=5,d=5,bias=no").answer is not None


def test_noise_is_added_to_the_targets_alone() -> None:
    quiet, loud = find("gaussian:n=2000,noise=0").problem, find("gaussian:n=2000,noise=3").problem
    np.testing.assert_array_equal(quiet.x, loud.x)
    assert np.std(loud.y - quiet.y) == pytest.approx(3.0, rel=0.05)


def test_the_start_is_not_zero_and_not_the_answer() -> None:
    named = find("gaussian:noise=0")
    assert named.answer is not None
    assert named.problem.w0.all()
    assert not np.isclose(named.problem.w0, named.answer.w).any()


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    first, again, other = (generate(parse(spec))[0] for spec in ("gaussian", "gaussian", "gaussian:seed=1"))
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.isclose(first.y, other.y).any()


def test_a_given_learning_rate_is_used() -> None:
    assert find("gaussian:lr=0.25").problem.lr == 0.25


def test_the_families_defaults_are_named_by_the_family_alone() -> None:
    assert [recipe.name for recipe in FAMILIES.values()] == list(FAMILIES)
