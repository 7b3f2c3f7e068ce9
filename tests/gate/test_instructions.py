"""Instruction counts: a fake valgrind for the logic, and one test with the real one."""

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UnavailableError, UsageError
from bench.gate.comparison import Outcome
from bench.gate.instructions import (
    Counts,
    Instructions,
    compare_counts,
    count,
    read_count,
    valgrind_here,
)
from bench.judge.lane import Lane
from bench.judge.workshop import WorkerLimits
from bench.plan import Cell, Request, plan
from bench.proof.subject import Failure
from bench.proof.verdict import NotProvedError, ProvedVerdict, Status, Verdict
from bench.timing.record import Rejected
from bench.variants.contract import Variant
from tests.proof.verdicts import a_verdict

PROFILE = (
    "# callgrind format\nversion: 1\npart: 1\n\npositions: line\nevents: Ir\nsummary: {}\n\n"
    "fn=(1) f\n0 9\n\ntotals: {}\n"
)

DESCENT = '''
import numpy as np
from bench import Descent

def descent(problem, n_iters):
    """Gradient descent, with so much extra work an iteration."""
    x, y, w = problem.x, problem.y, problem.w0.copy()
    losses, extra = np.empty(n_iters, x.dtype), np.zeros(4)
    for k in range(n_iters):
        residual = x @ w.T - y
        losses[k] = (residual * residual).mean()
        w -= problem.lr * (2 / y.size) * (residual.T @ x)
        for _ in range(EXTRA):
            np.add(extra, extra, out=extra)
    return Descent(w, None, losses)
'''

FAKE_VALGRIND = f'''#!{sys.executable}
"""Runs the program without counting: after each call the target's own `instructions` says how many there were."""
import os, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    words.pop(0)
assert "--callgrind-out-file=counts" in sys.argv and "--instr-atstart=no" in sys.argv
interpreter, p, c, program, *rest = words
assert (p, c) == ("-P", "-c")
last = "main(*sys.argv[2:])"
assert program.rstrip().endswith(last)
fake = """
import bench.judge.counted as counted
class Fake:
    parts = calls = 0
    def __call__(self, request):
        self.calls += request == counted._ZERO
        if request == counted._DUMP:
            assert self.calls > 1
            self.parts += 1
            sys.modules["steps"].dump(f"counts.{{self.parts}}")
        return {{listening}}
counted._Marker = Fake
"""
program = program.replace(last, fake.replace("{{listening}}", os.environ.get("LISTENING", "1")) + last)
os.execv(interpreter, [interpreter, "-P", "-c", program, *rest])
'''

FAKE_COUNTS = f"""
def dump(name):
    with open(name, "w") as file:
        file.write({PROFILE!r}.format(instructions(LAST), instructions(LAST)))

def counted(problem, n_iters):
    global LAST
    LAST = n_iters
    return descent(problem, n_iters)

EXTRA = 0
def instructions(n):
    return 1000 + 500 * n
"""


def cell(target: str = "steps.py:counted") -> Cell:
    request = Request(variants=("numpy-matmul",), problems=("line-4",), devices=("cpu",), dtypes=("float64",))
    (planned,) = plan(request, devices_of=lambda _: ["cpu"])
    return replace(planned, variant=Variant("mine", "numpy", "mine", target))


def verdict(status: Status = Status.PROVED, variant: str = "mine") -> Verdict:
    return a_verdict(status, variant=variant, family="mine")


PROOF = ProvedVerdict(verdict())


def counts(per_iteration: float, spread: float = 0.0) -> Instructions:
    return Instructions(verdict=PROOF, per_iteration=per_iteration, total=9, n_small=1, n_large=2, spread=spread)


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """A folder with an honest ``steps.py``, and a valgrind that runs it without counting."""
    if sys.platform != "linux":
        pytest.skip("instructions are counted on Linux only")
    (tmp_path / "steps.py").write_text(DESCENT + FAKE_COUNTS)
    fake = tmp_path / "valgrind"
    fake.write_text(FAKE_VALGRIND)
    fake.chmod(0o700)
    monkeypatch.setattr("bench.gate.instructions.valgrind_here", lambda: str(fake))
    return _lane_at(tmp_path)


def _lane_at(folder: Path) -> Lane:
    return Lane(folder.name, root=folder, top=Path.cwd().resolve())


def _root(lane: Lane) -> Path:
    assert lane.root is not None
    return lane.root


def counted(lane: Lane, more: str = "", **limits: float) -> Instructions | Rejected | Failure:
    with (_root(lane) / "steps.py").open("a") as file:
        file.write(more)
    return count(replace(cell(), lane=lane), PROOF, limits=WorkerLimits(**limits))  # type: ignore[arg-type]


def test_a_count_is_a_slope_between_two_checked_calls(lane: Lane) -> None:
    found = counted(lane)
    assert found == Instructions(verdict=PROOF, per_iteration=500.0, total=65_000, n_small=32, n_large=128, spread=0.0)


def test_dear_iterations_get_short_calls(lane: Lane) -> None:
    found = counted(lane, "\ndef instructions(n): return 7 + 30_000_000 * n\n")
    assert isinstance(found, Instructions)
    assert (found.per_iteration, found.n_small, found.n_large) == (30e6, 1, 2)


def test_two_counts_that_differ_are_said_to(lane: Lane) -> None:
    found = counted(
        lane, "\ncalls = 0\ndef instructions(n):\n    global calls; calls += 1\n    return n * (500 + calls // 12)\n"
    )
    assert isinstance(found, Instructions)
    assert found.spread > 0
    other = replace(found, spread=0.02)
    assert compare_counts(found, other, "numpy").verdict is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ("\ndef instructions(n): return 1000\n", Rejected, "128 iterations took 1000 .* it does not iterate"),
        (
            "\nright = descent\ndef descent(problem, n):\n    found = right(problem, n)\n"
            "    return Descent(found.w + (n > 100), None, found.losses)\n",
            Rejected,
            "after 128 iterations it is .* off",
        ),
        ("\ndef dump(name): pass\n", Failure, "no count of a call of 1 iterations: counts.1 cannot be read"),
        ("\ndef dump(name): os.mkfifo(name)\nimport os\n", Failure, "counts.1 is no file"),
        ("\ndef descent(problem, n): raise ValueError('no luck')\n", Failure, "no luck"),
        ("\ndef descent(problem, n): import os; os._exit(3)\n", Failure, "exited with code 3"),
        ("\nimport nothing_like_this\n", Failure, "does not import"),
    ],
)
def test_no_count_without_a_right_answer(lane: Lane, more: str, kind: type, says: str) -> None:
    found = counted(lane, more)
    assert isinstance(found, kind)
    assert re.search(says, str(getattr(found, "message", None) or getattr(found, "reason", "")))


def test_a_counted_call_has_a_deadline(lane: Lane) -> None:
    found = counted(lane, "\ndef descent(problem, n):\n    while True: pass\n", call_seconds=0.5)
    assert isinstance(found, Failure)
    assert found.status is Status.TIMEOUT


def test_an_interpreter_that_valgrind_does_not_see(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTENING", "0")
    found = counted(lane)
    assert isinstance(found, Failure)
    assert "name the interpreter itself" in found.message


def test_each_lane_has_its_own_modules_and_the_judges_harness(lane: Lane) -> None:
    package = _root(lane) / "gd_impls"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text("from steps import counted\n")
    (_root(lane) / "bench").mkdir()
    (_root(lane) / "bench" / "__init__.py").write_text("raise ImportError('the lane has a harness of its own')")
    found = count(replace(cell("gd_impls.mine:counted"), lane=lane), PROOF)
    assert isinstance(found, Instructions), found


@pytest.mark.parametrize("target", ["{}/src/steps.py:counted", "steps:counted"])
def test_a_whole_path_and_a_module_below_src_are_the_lanes_own(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    source = (_root(lane) / "steps.py").read_text()
    top, base = _root(lane) / "tree", _root(lane) / "base"
    for root, each in ((top, 700), (base, 500)):
        (root / "src").mkdir(parents=True)
        (root / "src" / "steps.py").write_text(f"{source}\ndef instructions(n): return 9 + {each} * n\n")
    monkeypatch.chdir(top)
    monkeypatch.syspath_prepend(str(top / "src"))
    monkeypatch.setenv("PYTHONPATH", str(top / "src"))
    lanes = (Lane("tree"), Lane("base", root=base, top=top))
    found = [count(replace(cell(target.format(top)), lane=each), PROOF) for each in lanes]
    assert [getattr(each, "per_iteration", each) for each in found] == [700, 500]


@pytest.mark.parametrize(
    ("proof", "changes", "says"),
    [
        (ProvedVerdict(verdict(variant="another")), {}, "the proof is of another on line-4"),
        (PROOF, {"data": None}, "needs data"),
    ],
)
def test_only_the_cell_that_was_proved_is_counted(
    lane: Lane, proof: ProvedVerdict, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        count(replace(cell(), lane=lane, **changes), proof)  # type: ignore[arg-type]


def test_a_count_needs_a_proof() -> None:
    with pytest.raises(NotProvedError):
        replace(counts(1.0), verdict=verdict(Status.WRONG))  # type: ignore[arg-type]
    with pytest.raises(NotProvedError):
        ProvedVerdict(verdict(Status.WRONG))


@pytest.mark.parametrize(
    ("base", "head", "backend", "expected"),
    [
        (1000, 1009.9, "numpy", Outcome.SAME),
        (1000, 1010.1, "numpy", Outcome.SLOWER),
        (1010.1, 1000, "numpy", Outcome.FASTER),
        (1000, 1019.9, "torch", Outcome.SAME),
        (1000, 1020.1, "torch", Outcome.SLOWER),
        (1000, 2000, "jax", Outcome.INCONCLUSIVE),
    ],
)
def test_thresholds(base: float, head: float, backend: str, expected: Outcome) -> None:
    found = compare_counts(counts(base), counts(head), backend)
    assert (found.ratio, found.verdict) == (head / base, expected)


def test_a_comparison_says_its_numbers() -> None:
    assert compare_counts(counts(70_000), counts(73_500), "numpy") == Counts(
        1.05,
        Outcome.SLOWER,
        "73,500 instructions an iteration where the base takes 70,000 (+5.00%; 1% is the threshold)",
    )


def test_reading_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "counts.1"
    path.write_text(PROFILE.format(1234, 1300))
    assert read_count(path) == 1234
    path.write_text(PROFILE.format(1234, 1300).replace("fn=", "fl=(1) /a/b.c\n" * 100_000 + "fn="))
    assert read_count(path) == 1234


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROFILE.format(5, 5)[2:],
        PROFILE.format(-5, 5),
        PROFILE.format("9" * 19, "9" * 19),
        PROFILE.format(6, 5),
        PROFILE.format(5, 5).replace("Ir", "Ir Dr"),
        PROFILE.format(5, 5).replace("summary", "summaries"),
        PROFILE.format(5, 5).replace("totals: 5\n", ""),
        PROFILE.format(5, 5) + "more\n",
        PROFILE.format(5, 5).replace("part: 1", "events: Ir\nsummary: 4"),
        "# callgrind format\n" + "x" * 70_000 + PROFILE.format(5, 5),
    ],
)
def test_what_is_no_profile(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counts.1"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^counts\.1 "):
        read_count(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text(PROFILE.format(5, 5))
    (tmp_path / "counts.1").symlink_to("profile")
    with pytest.raises(ValueError, match="cannot be read"):
        read_count(tmp_path / "counts.1")


def test_without_valgrind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"valgrind is not installed.*apt-get install valgrind"):
        valgrind_here()
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(UnavailableError, match="on Linux on x86_64 only, and this is linux on riscv64"):
        valgrind_here()


def _lane_with(folder: Path, extra: int) -> Lane:
    folder.mkdir()
    (folder / "steps.py").write_text(f"{DESCENT}\nEXTRA = {extra}\n")
    return _lane_at(folder)


@pytest.mark.slow
def test_counts_repeat_and_extra_work_is_seen(tmp_path: Path) -> None:
    if shutil.which("valgrind") is None or os.uname().machine != "x86_64":
        pytest.skip("valgrind is not installed, or not for this machine")
    lanes = [_lane_with(tmp_path / name, extra) for name, extra in (("base", 80), ("again", 80), ("head", 85))]
    base, again, head = (count(replace(cell("steps.py:descent"), lane=lane), PROOF) for lane in lanes)
    assert isinstance(base, Instructions), base
    assert isinstance(again, Instructions), again
    assert isinstance(head, Instructions), head
    unchanged, planted = compare_counts(base, again, "numpy"), compare_counts(base, head, "numpy")
    assert unchanged.verdict is Outcome.SAME, unchanged.reason
    assert abs(unchanged.ratio - 1) < 0.001, unchanged.reason
    assert planted.verdict is Outcome.SLOWER, planted.reason
    assert 1.03 < planted.ratio < 1.0625, planted.reason
