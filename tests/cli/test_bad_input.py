"""What is typed wrong: exit code 2 and one message with the fact, the cause and what to do; or a row that says so."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import code_of
from bench.errors import UsageError
from bench.exit_codes import HARNESS_FAILED
from bench.plan import Request
from bench.report.text import printable, visible
from bench.runs.layout import latest_run
from tests.runs.pasts import add_run

TARGETS = Path(__file__).parent / "targets"
ROOT = Path(__file__).parents[2]
LINE = ("-p", "line-4", "-t", "float64", "-d", "cpu")
Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Carries out a command line that must be refused, and gives the one line that it says."""

    def refused(*arguments: object) -> str:
        code = code_of([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == 2, printed.err
        assert printed.out == ""
        [line] = printed.err.splitlines()
        assert line.startswith("gdbench: ")
        return line.removeprefix("gdbench: ")

    return refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "numpy-analytc"), ("No variant matches 'numpy-analytc'", "Nearest: numpy-analytic")),
        (("verify", "-v", "nunpy-*"), ("No variant matches 'nunpy-*'", "gdbench list")),
        (
            ("verify", "numpy_analytic"),
            ("module 'numpy_analytic'", "No variant is called so", "Nearest: numpy-analytic"),
        ),
        (("list", "-v", "numpy-analytc"), ("No variant matches 'numpy-analytc'", "Nearest: numpy-analytic")),
        (("time", "-p", "line4"), ("no problem is named 'line4'", "line-4", "gdbench list")),
        (("list", "-p", "noris"), ("no problem is named 'noris'", "norris")),
        (("verify", "-p", "gausian:n=5"), ("gausian", "gaussian")),
        (("run", "-t", "float46"), ("dtype 'float46' is not known", "float64, float32, float16, bfloat16")),
        (("verify", "--backend", "pytorch", "x.py:f"), ("backend 'pytorch' is not known", "torch")),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else None,
)
def test_a_name_that_is_not_known(refused: Refused, arguments: tuple[str, ...], said: tuple[str, ...]) -> None:
    message = refused(*arguments)
    for words in said:
        assert words in message


def test_a_verb_that_is_not_known(refused: Refused) -> None:
    message = refused("verfy")
    assert "'verfy'" in message
    assert "verify" in message
    assert message.endswith("See `gdbench --help`.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "--problm", "line-4"), ("gdbench verify has no option '--problm'", "Nearest: --problem")),
        (("run", "--zzz"), ("gdbench run has no option '--zzz'", "See `gdbench run --help`")),
        (("list", "numpy-analytic"), ("gdbench list takes no 'numpy-analytic' here", "See `gdbench list --help`")),
        (("time", "-p"), ("-p/--problem: expected one argument", "See `gdbench time --help`")),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_known(refused: Refused, arguments: tuple[str, ...], said: tuple[str, ...]) -> None:
    message = refused(*arguments)
    for words in said:
        assert words in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--iterations", "-1"), "--iterations is -1. Give a number from 1 to"),
        (("--iterations", "ten"), "--iterations: invalid int value: 'ten'"),
        (("--deadline", "0"), "--deadline is 0.0. Give a number of seconds from 0.001 to"),
        (("--deadline", "nan"), "--deadline is nan."),
        (("--deadline", "inf"), "--deadline is inf."),
        (("--memory", "-1"), "--memory is -1.0. Give a number of GiB from"),
        (("--memory", "inf"), "--memory is inf."),
        (("--threads", "0"), "--threads is 0. Give a number from 1 to"),
        (("--launches", "1"), "--launches is 1; one launch gives no interval. Give a number from 2 to"),
        (("--budget", "-1"), "--budget is -1.0. Give a number of seconds from 0 to"),
        (("--seed", "-1"), "--seed is -1. Give a number from 0 to"),
        (("--lr", "abc"), "--lr is 'abc', not a number. Give one such as 0.01, or auto."),
        (("--lr", "0.01"), "--lr can only be for a problem from a file, and none was given. Add -p path/to/table.csv."),
        (("--no-bias",), "--no-bias can only be for a problem from a file"),
        (("--features", "a"), "--features can only be for a problem from a file"),
        (("--features", "a", "--target", "b"), "--features and --target can only be for a problem from a file"),
        (("--json", "not/there/at/all.json"), "cannot be written: there is no folder not/there/at."),
        (("--json", "."), "cannot be written: it is a folder"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else None,
)
def test_a_number_or_a_file_that_makes_no_sense(refused: Refused, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("time", "numpy-analytic", *arguments)


@pytest.mark.parametrize("verb", ["verify", "run", "gate"])
def test_a_junit_file_that_cannot_be_written(refused: Refused, tmp_path: Path, verb: str) -> None:
    assert "cannot be written: it is a folder" in refused(verb, "--junit", tmp_path)
    assert "there is no folder" in refused(verb, "--junit", tmp_path / "none" / "junit.xml")
    assert "--junit is for a file" in refused(verb, "--junit", "-")


def test_a_target_that_is_not_there(refused: Refused) -> None:
    assert "There is no file" in refused("verify", TARGETS / "honets.py:first")
    assert "Nearest: honest.py" in refused("verify", TARGETS / "honets.py:first")
    assert "defines no function 'frist'. Nearest: first" in refused("verify", TARGETS / "honest.py:frist")
    assert "its folder" in refused("verify", "no/such/folder/file.py:f")
    assert "'gd_impl.numpy_analytic'" in refused("verify", "gd_impl.numpy_analytic")
    assert "registers no variant" in refused("verify", TARGETS / "honest.py")


def test_a_target_that_is_not_python(refused: Refused, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def fit(problem, n_iters)\n    return None\n")
    message = refused("verify", f"{broken}:fit")
    assert f"{broken}:1: expected ':'" in message
    assert "mend it" in message


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,c\n1,2\n3,4\n", "has no column 'b'. Near it: 'a', 'c'"),
        ("a,b\n1,2\n,4\n3,5\n", "column 'a' in row 2 (the header not counted) is missing"),
        ("a,b\n1,2\n3,nan\n3,5\n", "column 'b' in row 2 (the header not counted) is missing"),
        ("a,b\n1,2\nlots,4\n3,5\n", "column 'a' in row 2 (the header not counted) is 'lots', not a number"),
        ("a,b\n1,inf\n2,4\n3,5\n", "is inf, not finite"),
        ("a,b\n1,2\n", "has 1 row of data; a regression needs at least 2"),
        ("a,b\n", "has 0 rows of data"),
        ("", "cannot be read as csv"),
    ],
    ids=["no-column", "empty-cell", "nan", "text", "infinite", "one-row", "no-row", "empty"],
)
def test_a_table_that_is_no_problem(refused: Refused, tmp_path: Path, table: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(table)
    message = refused("verify", "numpy-analytic", "-p", path, "--features", "a", "--target", "b")
    assert said in message
    assert str(path) in message


def test_a_request_for_a_table_that_makes_no_sense(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n2,3\n3,5\n")
    of = ("verify", "numpy-analytic", "-p", path)
    assert "no feature column is named" in refused(*of)
    assert "no target column is named" in refused(*of, "--features", "a")
    assert "'a' is asked for twice" in refused(*of, "--features", "a", "--target", "a")
    chosen = (*of, "--features", "a", "--target", "b")
    for rate in ("0", "-0.1", "nan", "inf"):
        assert f"the learning rate {float(rate)!r} is not a positive finite number" in refused(*chosen, "--lr", rate)
    (tmp_path / "other").mkdir()
    again = tmp_path / "other" / "table.csv"
    again.write_text(path.read_text())
    assert "2 problems are named 'table'" in refused(*chosen, "-p", again)
    assert "does not exist" in refused("verify", "-p", tmp_path / "tabel.csv", "--features", "a", "--target", "b")


def test_a_results_folder_that_cannot_be_written(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.write_text("in the way")
    run = ("run", "numpy-analytic", "-p", "line-4", "-t", "float64", "-q")
    for place in (file, file / "inside"):
        message = refused(*run, "-o", place)
        assert f"{place} cannot be written" in message
        assert "-o/--results" in message
    assert file.read_text() == "in the way"


def test_a_run_that_cannot_be_resumed(refused: Refused, tmp_path: Path) -> None:
    assert f"{tmp_path} is no run folder" in refused("run", "--resume", tmp_path)
    assert "is not there. Give the folder of one run" in refused("run", "--resume", tmp_path / "none")
    assert "--resume takes the cells and the options from the run itself" in refused(
        "run", "--resume", tmp_path, "-v", "numpy-*"
    )


def test_a_run_of_another_making_is_not_resumed(refused: Refused, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from bench.runs.folder import RunFolder

    with RunFolder.create(
        tmp_path, datetime(2026, 1, 31, tzinfo=UTC), environment={}, command=["mine.py", "--fast"], seed=0
    ) as folder:
        pass
    message = refused("run", "--resume", folder.path)
    assert "was not made by `gdbench run`, but by `mine.py --fast`" in message
    assert "Start a new run" in message


def test_a_report_of_nothing(refused: Refused, tmp_path: Path) -> None:
    assert "holds no run. `gdbench run` makes one" in refused("report", "-o", tmp_path)
    assert "is not there. Give the folder of one run" in refused("report", tmp_path / "none")
    assert "--format markdown" in refused("report", "--output", tmp_path / "page.html")
    assert "cannot both go to standard output" in refused("report", "--format", "html", "--json", "-")


def test_a_history_of_nothing(refused: Refused, tmp_path: Path) -> None:
    assert "no cell that was timed in two runs" in refused("report", "--history", tmp_path)
    assert "is no folder" in refused("report", "--history", tmp_path / "none")
    assert "is of a folder of runs, and the run results/x is of one" in refused("report", "results/x", "--history")
    assert "--rejudge" in refused("report", "--history", tmp_path, "--rejudge")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[tool.gdbench.gate\n", "is no valid TOML"),
        ("[tool.gdbench.gait]\n", "'gait' means nothing here; there are gate"),
        ('[[tool.gdbench.gate.cells]]\nvarient = "a"\n', "cell 1: 'varient' means nothing here; there are variant"),
        ("[[tool.gdbench.gate.cells]]\nvariant = 3\n", "cell 1: variant is 3; it is a name or a list of names"),
        ('[[tool.gdbench.gate.cells]]\nwithin = "60"\n', "cell 1: within is '60'; it is a number of iterations"),
        ('[[tool.gdbench.gate.cells]]\nvariant = "numpy-anal"\n', "Nearest: numpy-analytic"),
    ],
    ids=["broken", "section", "key", "type", "number", "name"],
)
def test_a_gate_that_makes_no_sense(refused: Refused, tmp_path: Path, config: str, said: str) -> None:
    path = tmp_path / "project.toml"
    path.write_text(config)
    assert said in refused("gate", "--config", path)


def test_a_gate_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert "is not there. Name the project file with --config." in refused("gate", "--config", tmp_path / "none.toml")


def test_explain_needs_something_to_explain(refused: Refused) -> None:
    assert "explain needs a TARGET, such as numpy-dot-mean" in refused("explain")


def rows_of(tmp_path: Path, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    path = tmp_path / "verdicts.json"
    words = [*(str(argument) for argument in arguments), "-p", "line-4", "-t", "float64", "-q", "--json", str(path)]
    code = code_of(["verify", *words])
    return code, json.loads(path.read_text())["verdicts"]


def test_what_cannot_be_run_is_a_row_and_the_cell_after_it_is_right(tmp_path: Path) -> None:
    code, rows = rows_of(
        tmp_path,
        *(f"{TARGETS / 'import_error.py'}:fit", f"{TARGETS / 'honest.py'}:first"),
        *(f"{TARGETS / 'signature.py'}:fit", f"{TARGETS / 'honest.py'}:second"),
        *(f"{TARGETS / 'hangs.py'}:fit", f"{TARGETS / 'honest.py'}:third"),
        *("--deadline", "0.5"),
    )
    assert code == 1
    assert [row["status"] for row in rows] == ["broken", "proved", "broken", "proved", "timeout", "proved"]
    assert [row["as_expected"] for row in rows] == [False, True, False, True, False, True]
    does_not_import, _, signature, _, hangs, _ = rows
    assert does_not_import["cause"] == signature["cause"] == "contract.raised"
    assert does_not_import["evidence"] == (
        "does not import: ImportError: the kernel was built for another Python (import_error.py:7)"
    )
    assert signature["evidence"].startswith("fit(x: ")
    assert "cannot be called as fit(problem, n_iters)" in signature["evidence"]
    assert hangs["evidence"].startswith("no answer within 0.5 s during call of 0 iterations; killed")


def test_a_device_that_is_nowhere_is_a_row_and_red(tmp_path: Path) -> None:
    code, [tpu, cpu] = rows_of(tmp_path, "numpy-analytic", "-d", "tpu", "-d", "cpu")
    assert code == 1
    assert (tpu["status"], tpu["as_expected"]) == ("unavailable", False)
    assert tpu["evidence"] == "numpy sees no device 'tpu' here; it sees cpu"
    assert cpu["status"] == "proved"


@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="this machine has a CUDA device")
def test_a_cuda_device_that_is_not_here_is_a_row_and_red(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="a variant for torch is asked for CUDA")
    code, [numpy, torch] = rows_of(tmp_path, "numpy-analytic", "torch-manual", "-d", "cuda")
    assert code == 1
    assert (numpy["status"], numpy["evidence"]) == ("unsupported", "numpy computes on cpu only")
    assert (torch["status"], torch["as_expected"]) == ("unavailable", False)
    assert torch["evidence"] == "torch sees no device 'cuda' here; it sees cpu"


@pytest.mark.parametrize("verb", ["selftest", "doctor", "list", "report"])
def test_a_file_that_has_no_place_is_refused_before_the_work(refused: Refused, verb: str) -> None:
    assert "there is no folder none" in refused(verb, "--json", "none/records.json")


@pytest.mark.parametrize("words", [("run", "--resume", ""), ("report", "")])
def test_a_run_without_a_name(refused: Refused, words: tuple[str, ...]) -> None:
    assert "the name of a run is empty" in refused(*words)


def test_a_revision_without_a_name(refused: Refused) -> None:
    assert "--base is empty" in refused("compare", "numpy-matmul", "--base", "")


@pytest.mark.parametrize(
    ("selection", "said"),
    [({"devices": [1]}, "devices is [1]"), ({"lr": "0.001"}, "lr is '0.001'"), ({"targets": [["a"]]}, "targets is")],
)
def test_a_request_of_other_things_than_names(selection: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Request(**selection)


def test_a_column_whose_name_has_a_comma_stands_in_quotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text('a,"c,d"\n1,2\n2,4\n3,6.5\n')
    words = ["verify", "numpy-analytic", "-p", str(table), "-t", "float64", "--features", "a", "--target", '"c,d"']
    assert code_of([*words, "--json", "-", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"][0]["status"] == "proved"


def test_a_backend_that_nobody_knows_is_red_wherever_the_variant_is_named(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        "from bench import variant\n\n\n@variant('odd', backend='jaxx')\ndef odd(problem, n_iters):\n    return None\n"
    )
    assert code_of(["verify", str(file), "-p", "line-4", "-t", "float64", "-q"]) == 1


def test_the_latest_run_is_the_one_that_began_last(tmp_path: Path) -> None:
    first, last = (add_run(tmp_path, day, {"one": 1000.0}) for day in (1, 2))
    assert latest_run(tmp_path) == last
    first.rename(tmp_path / "reference")
    assert latest_run(tmp_path) == last


def test_text_of_a_variant_is_no_command_of_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "::set-output name=passed::yes ##[error]gone"
    assert printable(said) == said
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for shown in (printable(said), visible(said)):
        assert "::" not in shown
        assert "##[" not in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_no_defect_of_ours(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "bench", "list", "--json", str(tmp_path / "list.json")]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == HARNESS_FAILED
    assert "no space left for what is to be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "list.json").read_text())["variants"]


@pytest.mark.parametrize("format_", ["markdown", "html"])
def test_a_document_is_utf_8_whatever_the_terminal_shows(tmp_path: Path, format_: str) -> None:
    add_run(tmp_path, 1, {"numpy-analytic": 6000.0})
    command = [sys.executable, "-m", "bench", "report", "-o", str(tmp_path), "--format", format_]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "µs" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("target", [".", "..", ".:fit", "empty/", "./empty"])
def test_a_folder_is_no_variant(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    (tmp_path / "work" / "empty").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    assert refused("verify", target) == f"{target.removesuffix(':fit')} is a folder. It has no Python file; name one."


def test_two_functions_of_one_name_are_not_one_variant(refused: Refused, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text((ROOT / "gd_impls" / "numpy_analytic.py").read_text())
    for also in (["numpy-analytic"], ["-v", "numpy-*"]):
        assert refused("verify", copy, *also, *LINE).startswith("two variants are named 'numpy-analytic'")
    own = ROOT / "gd_impls" / "numpy_analytic.py"
    assert code_of(["verify", str(own), "numpy-analytic", *LINE, "-q"]) == 0


def test_a_gate_does_not_take_two_functions_for_one_variant(refused: Refused, tmp_path: Path) -> None:
    text = (ROOT / "gd_impls" / "numpy_analytic.py").read_text()
    cells = ""
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(text)
        cells += f'[[tool.gdbench.gate.cells]]\nvariant = "{tmp_path / name}"\n'
    (tmp_path / "gate.toml").write_text(cells)
    assert refused("gate", "--config", tmp_path / "gate.toml").startswith("two variants are named 'numpy-analytic'")


def test_a_cause_that_is_none_is_refused_before_the_proof(refused: Refused, tmp_path: Path) -> None:
    text = (ROOT / "gd_impls" / "numpy_analytic.py").read_text()
    (tmp_path / "mine.py").write_text(text.replace('family="analytic"', 'expect="scale.som"', 1))
    said = refused("verify", tmp_path / "mine.py", *LINE)
    assert re.fullmatch(r"numpy-analytic \(mine.py:\d+\) expects 'scale.som', and there is no .* scale.sum, .*", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-t", "float63"), "dtype 'float63' is not known"),
        (("--lr", "3"), "--lr can only be for a problem from a file"),
        (("-p", "houses.txt"), "houses.txt is a file and no table: its name ends with neither .csv nor .parquet"),
    ],
)
def test_a_list_of_what_makes_no_sense(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("houses.txt").write_text("area,price\n1,2\n2,3\n")
    assert said in refused("list", *arguments)


def test_a_table_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "houses.csv").write_text("area,price\n1,2\n2,3\n")
    words = ["list", "-p", str(tmp_path / "houses.csv"), "--features", "area", "--target", "price", "--json", "-", "-q"]
    assert code_of(words) == 0
    expected = {"name": "houses", "default": False, "summary": "price from area", "source": "houses.csv"}
    assert json.loads(capsys.readouterr().out)["problems"] == [expected]


def test_two_files_have_two_names(refused: Refused, tmp_path: Path) -> None:
    both = tmp_path / "both"
    assert "--json and --junit are one file" in refused("verify", "--json", both, "--junit", both)
    assert not both.exists()
    assert code_of(["verify", "numpy-analytic", *LINE, "-q", "--json", os.devnull, "--junit", os.devnull]) == 0


def test_a_file_that_may_not_be_written_is_refused_before_the_work(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever runs this may be root, whom no mode keeps from writing.
    monkeypatch.setattr("bench.arguments.os.access", lambda *_: False)
    assert "it is not permitted" in refused("verify", "--json", tmp_path / "v.json")


@pytest.mark.parametrize("words", [("run", "--results", ""), ("gate", "--config", "")])
def test_a_place_without_a_name(refused: Refused, words: tuple[str, ...]) -> None:
    assert f"{words[1]} is empty, as a variable that is not set" in refused(*words)


def test_a_gate_that_has_nothing_of_what_is_selected_says_what_it_has(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text('[[tool.gdbench.gate.cells]]\nvariant = "numpy-analytic"\nproblem = "line-4"\n')
    for narrower in (("-p", "line4"), ("-v", "nope*")):
        said = refused("gate", "--config", tmp_path / "gate.toml", *narrower)
        assert "it asks of numpy-analytic on line-4" in said


def test_a_library_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="numpy")

    monkeypatch.setattr("bench.cli.import_module", without)
    assert code_of(["doctor"]) == 2
    assert capsys.readouterr().err.startswith(f"gdbench: numpy is not installed for this Python, {sys.executable}")
