"""Cost against size, and where a device overtakes, on every face."""

import io
from base64 import b64decode
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from rich.console import Console

from bench.report import cost_charts, costs, terminal
from bench.report.html import html_report
from bench.report.markdown import markdown_report

Row = dict[str, Any]
SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
CURVE = ("numpy-analytic", "6.00 µs + 2.00 ns · N^p", "1.000 (0.997–1.003)", "<0.01 %")
OVERTAKING = "cuda overtakes cpu between N = 10,000 and 100,000, at about 83,000"
NO_POWER = "no power of N: 3 sizes are timed, and a power needs 5"


@pytest.fixture
def swept(make_timing: Callable[..., Row]) -> list[Row]:
    """One variant on the CPU, another on both devices, a third on too few sizes."""

    def row(variant: str, n: int, device: str, ns: float) -> Row:
        extents = {"n_samples": n, "n_features": 1, "n_outputs": 1, "n_regressions": 1}
        problem = "gaussian:d=1,m=1" if n == 100 else f"gaussian:n={n},d=1,m=1"
        narrow = {"ci_low": 0.99 * ns, "ci_high": 1.01 * ns}
        return make_timing(variant, problem, device, "float64", ns, **extents, **narrow)

    rows = [row("numpy-analytic", n, "cpu", 6_000.0 + 2.0 * n) for n in SIZES]
    rows += [row("torch-manual", n, "cpu", 60_000.0 + 1.1 * n) for n in SIZES]
    rows += [row("torch-manual", n, "cuda", 150_000.0 + 0.01 * n) for n in SIZES]
    return rows + [row("numpy-matmul", n, "cpu", 2_000.0 + n) for n in SIZES[:3]]


def printed(timings: list[Row], width: int) -> str:
    stream = io.StringIO()
    terminal.timing_table(Console(file=stream, width=width), timings)
    return stream.getvalue()


def test_a_row_says_the_curve(swept: list[Row]) -> None:
    [listing] = costs.told(swept).listings
    assert listing.title == "gaussian:d=1,m=1 (cpu float64), N = 10 to 1,000,000"
    assert [row[0] for row in listing.rows] == ["numpy-analytic", "torch-manual"]
    assert listing.rows[0] == CURVE


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_it(swept: list[Row], width: int) -> None:
    text = printed(swept, width)
    assert max(map(len, text.splitlines())) <= width
    for words in (costs.TITLE, *CURVE, OVERTAKING, "torch-manual on gaussian:d=1,m=1 (cuda float64)", NO_POWER):
        assert words in text


def test_a_narrow_terminal_folds_it(swept: list[Row]) -> None:
    assert max(map(len, printed(swept, 40).splitlines())) <= 40


def test_markdown_has_it(swept: list[Row]) -> None:
    text = markdown_report({}, [], swept)
    assert f"| {' | '.join(CURVE).replace('<', '&lt;')} |" in text
    assert OVERTAKING in text
    assert NO_POWER in text


@pytest.mark.skipif(find_spec("altair") is None, reason="the page needs gdbench[html]")
def test_the_page_has_it_and_draws_it(swept: list[Row]) -> None:
    page = html_report({}, [], swept, [])
    assert "6.00 µs + 2.00 ns · N^p" in page
    assert OVERTAKING in page
    assert NO_POWER in page
    (drawing,) = cost_charts.cost_drawings(costs.told(swept).found)
    assert drawing.light in page
    assert drawing.dark in page
    assert drawing.alternative in page


@pytest.mark.skipif(find_spec("altair") is None, reason="the page needs gdbench[html]")
def test_a_drawing_has_the_times_and_the_curves_of_all_devices(swept: list[Row]) -> None:
    (drawing,) = cost_charts.cost_drawings(costs.told(swept).found)
    svg = b64decode(drawing.light.partition(",")[2]).decode()
    for words in (
        "numpy-analytic, cpu",
        "torch-manual, cpu",
        "torch-manual, cuda",
        "numpy-matmul, cpu",
        "10k",
        "1M",
        "1 ms",
    ):
        assert f">{words}<" in svg
    assert "torch-manual, cuda 150 µs at N = 10 to 160 µs at N = 1,000,000" in drawing.alternative


@pytest.mark.skipif(find_spec("altair") is None, reason="the page needs gdbench[html]")
def test_a_wide_interval_leaves_a_drawing(swept: list[Row]) -> None:
    drawn = cost_charts.cost_drawings(costs.told([row | {"ci_low": 1.0, "ci_high": 1e15} for row in swept[:6]]).found)
    assert len(drawn) == 1
    assert "Infinity" not in b64decode(drawn[0].light.partition(",")[2]).decode()


def test_a_run_of_one_size_says_nothing_of_it(make_timing: Callable[..., Row]) -> None:
    single = [make_timing("numpy-analytic", "line-4", "cpu", "float64", 6_000.0)]
    text = printed(single, 100) + markdown_report({}, [], single)
    assert not any(title in text for title in (costs.TITLE, costs.OVERTAKING_TITLE, costs.UNKNOWN_TITLE))
