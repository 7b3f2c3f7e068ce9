"""Problems from a user's own files, and everything that can be wrong with one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.errors import UsageError
from bench.problems.files import load_file
from bench.problems.learning_rate import AUTO_FRACTION, largest_stable

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def load(path: str | Path, **changes: Any) -> Any:
    request: dict[str, Any] = {"features": ["a", "b"], "targets": ["c"], "lr": 0.1, "bias": True}
    return load_file(path, **(request | changes))


def test_a_csv_file_becomes_a_problem(write: Write) -> None:
    named = load(write("my sales.csv", "c,a,note,b\n1,2,x,0.1\n3,4,y,-1e-3\n5,6,z,7\n"))
    assert (named.name, named.summary, named.source) == ("my-sales", "c from a, b", "my sales.csv")
    problem = named.problem
    assert problem.x.tolist() == [[2.0, 0.1], [4.0, -0.001], [6.0, 7.0]]
    assert problem.y.tolist() == [[1.0], [3.0], [5.0]]
    assert (problem.w0.tolist(), problem.b0.tolist(), problem.lr) == ([[0.0, 0.0]], [0.0], 0.1)
    assert named.answer is None


def test_a_parquet_file_gives_the_same_problem(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": np.array([4, 5, 6], np.float32), "c": [0.1, 0.2, 0.3]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    from_parquet, from_csv = load(tmp_path / "t.parquet").problem, load(tmp_path / "t.csv").problem
    np.testing.assert_array_equal(from_parquet.x, from_csv.x)
    np.testing.assert_array_equal(from_parquet.y, from_csv.y)
    assert from_parquet.x.flags.c_contiguous
    assert from_parquet.x.dtype == np.float64


def test_categories_of_numbers_are_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": pd.Categorical([3, 1]), "b": [3, 4], "c": [5, 6]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").problem.x.tolist() == [[3.0, 3.0], [1.0, 4.0]]


def test_a_column_that_pandas_stored_as_the_index_is_a_column(tmp_path: Path) -> None:
    pd.DataFrame({"a": [7, 2, 5], "b": [3, 4, 1], "c": [5, 6, 1]}).set_index("a").to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").problem.x.tolist() == [[7.0, 3.0], [2.0, 4.0], [5.0, 1.0]]


def test_numbers_are_read_to_the_last_bit(write: Write) -> None:
    text = "0.1234567890123456789"
    assert load(write("t.csv", f"a,b,c\n{text},1,1\n2,2,2\n")).problem.x[0, 0] == float(text)


def test_without_bias_and_with_the_automatic_rate(write: Write) -> None:
    problem = load(write("t.csv", "a,b,c\n1,2,3\n4,5,7\n"), bias=False, lr="auto").problem
    assert problem.b0 is None
    assert problem.lr == AUTO_FRACTION * largest_stable(problem)


@pytest.mark.parametrize(
    ("stem", "name"), [("a.b-c_d", "a.b-c_d"), ("_x (1)", "x-1"), ("продажи", "file"), ("n" * 70, "n" * 64)]
)
def test_the_name_is_made_of_safe_characters(write: Write, stem: str, name: str) -> None:
    assert load(write(f"{stem}.csv", "a,b,c\n1,2,3\n4,5,7\n")).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv cannot be read as csv: No columns"),
        ("a,b,c\n", r"t\.csv has 0 rows of data"),
        ("a,b,c\n1,2,3\n", r"t\.csv has 1 row of data; a regression needs at least 2"),
        ("a,beta,c\n1,2,3\n4,5,6\n", r"no column 'b'\. Near it: 'beta'"),
        ("p,q,c\n1,2,3\n4,5,6\n", r"no column 'a'\. Near it: 'p', 'q', 'c'"),
        ("a,b,b,c\n1,2,3,4\n4,5,6,7\n", r"has 2 columns named 'b'"),
        ("a,b,c\n1,2,3\n4,five,6\n7,eight,9\n", r"column 'b' in row 2 .* is 'five', not a number, and 1 more"),
        ("a,b,c\n1,2,3\n4,,6\n", r"column 'b' in row 2 .* is missing"),
        ("a,b,c\n1,2,3\n4,NaN,6\n", r"column 'b' in row 2 .* is missing"),
        ("a,b,c\n1,2,3\n4,5\n", r"column 'c' in row 2 .* is missing"),
        ("a,b,c\n1,2,3\n4,5,6\n7,8,-inf\n", r"column 'c' in row 3 .* is -inf, not finite"),
        ("a,b,c\nTrue,2,3\nFalse,5,6\n", r"column 'a' holds bool values, not numbers"),
        ("a,b,c\n1,2,3\n4,5,6,7\n", r"cannot be read as csv: .*Expected 3 fields in line 3, saw 4"),
        ("a,b,c\n1,2,3,4\n5,6,7,8\n", r"cannot be read as csv: Length of header"),
    ],
)
def test_a_bad_csv_file_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write("t.csv", text))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Series([1, None], dtype="Int64"), r"column 'a' in row 2 .* is missing"),
        (["1", "x"], r"column 'a' in row 2 .* is 'x', not a number"),
        ([[1], [2]], r"column 'a' in row 1 .* is array\(\[1\]\), not a number"),
        (["1", "word " * 30], r"column 'a' in row 2 .* is 'word word .* \[\.\.\.\], not a number"),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), r"column 'a' holds datetime64.* values, not numbers"),
        ([np.inf, 1.0], r"column 'a' in row 1 .* is inf, not finite"),
    ],
)
def test_a_bad_parquet_column_is_refused(tmp_path: Path, values: Any, message: str) -> None:
    pd.DataFrame({"a": values, "b": [1, 2], "c": [3, 4]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=message):
        load(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": []}, "no feature column is named"),
        ({"targets": []}, "no target column is named"),
        ({"features": ["a", "a"]}, "the column 'a' is asked for twice"),
        ({"targets": ["a"]}, "the column 'a' is asked for twice"),
        ({"lr": 0.0}, r"the learning rate 0\.0 is not a positive finite number"),
        ({"lr": -1.0}, r"the learning rate -1\.0 "),
        ({"lr": float("nan")}, "the learning rate nan "),
        ({"lr": float("inf")}, "the learning rate inf "),
    ],
)
def test_a_bad_request_is_refused(write: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write("t.csv", "a,b,c\n1,2,3\n4,5,6\n"), **changes)


def test_a_missing_file_an_unknown_suffix_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.csv does not exist"):
        load(tmp_path / "gone.csv")
    with pytest.raises(UsageError, match=r"t\.xlsx has the suffix '\.xlsx'; gdbench reads \.csv and \.parquet"):
        load(tmp_path / "t.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=r"folder\.csv is not a file"):
        load(tmp_path / "folder.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_bytes_that_are_no_table_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"\xff\xfe\x00a,b,c\n\x80\x81")
    with pytest.raises(UsageError, match=rf"t\.{suffix} cannot be read as {suffix}"):
        load(path)


def test_the_automatic_rate_needs_features(write: Write) -> None:
    with pytest.raises(UsageError, match="no automatic learning rate exists"):
        load(write("t.csv", "a,b,c\n0,0,1\n0,0,2\n"), lr="auto", bias=False)
