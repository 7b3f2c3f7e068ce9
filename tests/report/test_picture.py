"""The picture of `gdbench explain`: what it shows is what was seen, and it can be written twice alike."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cli import code_of
from bench.dtypes import DTYPES
from bench.errors import UsageError
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.story import Story, tell, untold
from bench.proof.verdict import Finding, Status, Verdict
from bench.report.picture import require_kind, write_picture
from bench.report.plane import View, contours, view_of
from bench.variants.contract import Descent
from tests.proof.subjects import Direct, gradient
from tests.proof.verdicts import a_verdict

FLOAT64 = DTYPES["float64"]


def descending(gain: float) -> Callable[[Problem, int], Descent]:
    def descend(problem: Problem, n_iters: int) -> Descent:
        w, b = problem.w0, problem.b0
        for _ in range(n_iters):
            dw, db, _ = gradient(problem, w, b)
            w = w - gain * problem.lr * dw
            b = None if b is None or db is None else b - gain * problem.lr * db
        return Descent(w, b)

    return descend


def verdict(problem: str, finding: Finding) -> Verdict:
    return a_verdict(variant="mine<&>", problem=problem, finding=finding, as_expected=False)


def story(problem: str | Problem, gain: float, cause: str | None) -> Story:
    name = problem if isinstance(problem, str) else "given"
    data = find(problem).problem if isinstance(problem, str) else problem
    status = Status.PROVED if cause is None else Status.WRONG
    finding = Finding(status=status, cause=cause, factor=None if cause is None else gain)
    return tell(Direct(descending(gain)), data, FLOAT64, verdict(name, finding))


def drawn(told: Story, folder: Path) -> str:
    file = folder / "picture.svg"
    assert write_picture(told, file)
    return file.read_text(encoding="utf-8")


def texts(svg: str) -> list[str]:
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", svg)


@pytest.mark.parametrize(
    ("problem", "axis"),
    [
        ("line-4", "weight"),
        ("linear-4-lr0.01", "bias"),
        ("crop-yield", "distance from the optimum"),
        ("batch", "distance from the optimum"),
    ],
)
def test_one_parameter_is_drawn_over_time_two_in_their_plane_and_more_as_a_distance(
    tmp_path: Path, problem: str, axis: str
) -> None:
    told = story(problem, 1.0, None) if problem != "batch" else story_of_two_regressions()
    svg = drawn(told, tmp_path)
    found = texts(svg)
    assert axis in found
    assert "learning rate of the step" in found
    assert "mine&lt;&amp;&gt; is proved" in found
    assert "gradient descent, exactly" in found
    assert "mine&lt;&amp;&gt;, as it runs" in found
    assert svg == drawn(told, tmp_path)


def story_of_two_regressions() -> Story:
    def both(problem: Problem, n_iters: int) -> Descent:
        parts = [
            descending(1.0)(Problem(problem.x[i], problem.y[i], problem.w0[i], None, problem.lr), n_iters)
            for i in range(2)
        ]
        return Descent(np.stack([part.w for part in parts]))

    one = find("line-4").problem
    x, y, w0 = (np.stack([array, 2 * array]) for array in (one.x, one.y, one.w0))
    finding = Finding(status=Status.PROVED)
    return tell(Direct(both), Problem(x, y, w0, None, one.lr), FLOAT64, verdict("batch", finding))


def test_a_wrong_variant_is_named_with_its_cause_and_its_real_learning_rate(tmp_path: Path) -> None:
    found = texts(drawn(story("line-4", 4.0, "scale.sum"), tmp_path))
    assert "mine&lt;&amp;&gt; is wrong: scale.sum" in found
    assert "the gradient is the sum over the residuals, not their mean" in found
    assert "its learning rate is in effect 0.04, not 0.01" in found
    assert "asked for: 0.01" in found
    assert "stable below 0.1333" in found


def test_the_effective_learning_rate_is_the_one_that_each_step_had() -> None:
    for problem in ("line-4", "linear-4-lr0.01"):
        seen = story(problem, 2.0, "scale.double").watched
        assert seen is not None
        assert seen.effective[:5] == pytest.approx([0.02] * 5)
    seen = story("line-4", -1.0, "sign.ascent").watched
    assert seen is not None
    assert seen.effective == pytest.approx([-0.01] * len(seen.effective))


def test_it_ends_where_the_gradient_no_longer_tells() -> None:
    seen = story("line-4", 4.0, "scale.sum").watched
    assert seen is not None
    # Each step leaves 0.4 of the gradient, and the path is followed until the right gradient has arrived as well.
    assert 10 <= len(seen.effective) <= 12 < len(seen.path)
    assert seen.path[-1].n_iters == seen.right_in == 47


def test_lines_of_equal_loss_have_equal_loss() -> None:
    told = story("linear-4-lr0.01", 1.0, None)
    seen = told.watched
    assert seen is not None
    view = View((-1.0, 3.0), (-2.0, 2.0), 400)
    problem = find("linear-4-lr0.01").problem
    at_start = float(np.mean((problem.x * problem.w0 + problem.b0 - problem.y) ** 2))
    losses: dict[float, list[float]] = {}
    for row in contours(seen, view):
        losses.setdefault(row["level"], []).append(float(np.mean((problem.x * row["x"] + row["y"] - problem.y) ** 2)))
    assert len(losses) == 10
    for level, found in losses.items():
        assert found == pytest.approx([level * at_start] * len(found), rel=1e-6)


def test_a_flat_valley_and_a_start_at_the_optimum_can_be_drawn(tmp_path: Path) -> None:
    flat = Problem(np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[2.0], [4.0]]), np.zeros((1, 2)), None, 0.05)
    assert "second weight" in texts(drawn(story(flat, 1.0, None), tmp_path))
    at_rest = replace(find("linear-4-lr0.01").problem, w0=np.array([[2.0]]), b0=np.array([0.0]))
    assert "optimum" in texts(drawn(story(at_rest, 1.0, None), tmp_path))
    two_outputs = Problem(np.array([[1.0], [2.0]]), np.array([[1.0, 2.0], [2.0, 4.0]]), np.zeros((2, 1)), None, 0.1)
    assert "second weight" in texts(drawn(story(two_outputs, 1.0, None), tmp_path))


def test_both_axes_have_the_same_unit_and_a_variant_that_runs_away_does_not_shrink_the_rest() -> None:
    honest, runaway = story("linear-4-lr0.01", 1.0, None).watched, story("linear-4-lr0.01", -20.0, "unknown").watched
    assert honest is not None
    assert runaway is not None
    view, crowded = (view_of([tuple(one.exact.ravel()) for one in seen.path], seen) for seen in (honest, runaway))
    unit_x, unit_y = 620 / (view.x[1] - view.x[0]), view.height / (view.y[1] - view.y[0])
    assert unit_x == pytest.approx(unit_y)
    assert crowded.x[1] - crowded.x[0] <= 2.5 * (view.x[1] - view.x[0])


def test_nothing_is_drawn_of_a_variant_that_does_not_answer(tmp_path: Path) -> None:
    told = untold(verdict("line-4", Finding(status=Status.CRASHED)))
    assert not write_picture(told, tmp_path / "picture.svg")
    assert not (tmp_path / "picture.svg").exists()


def test_only_an_svg_or_a_png_in_a_folder_that_is_there(tmp_path: Path) -> None:
    require_kind(tmp_path / "picture.PNG")
    with pytest.raises(UsageError, match=r"FILE\.svg or FILE\.png"):
        require_kind(tmp_path / "picture.pdf")
    with pytest.raises(UsageError, match="folder that is there"):
        require_kind(tmp_path / "nowhere" / "picture.svg")


def test_the_command_writes_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "picture.png"
    assert code_of(["explain", "numpy-dot-mean", "-p", "line-4", "-t", "float64", "--picture", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert f"The picture is in {file}" in capsys.readouterr().out


def test_the_command_says_that_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments: list[Any] = ["explain", "numpy-dot-mean", "-p", "batch", "--picture", tmp_path / "picture.svg"]
    assert code_of([str(argument) for argument in arguments]) == 0
    assert "there is no picture" in capsys.readouterr().err
