"""The plane of two parameters: which part of it a picture shows, and the lines of equal loss in it."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.dtypes import FloatArray
from bench.proof.story import Watched

WIDTH = 620
WIDEST_DETOUR = 0.75
"""How far outside the exact iterates a variant is followed, in their range."""

LEVELS = tuple(4.0**power for power in range(2, -8, -1))
"""Of the lines of equal loss, in the start's distance from the least loss."""

FLATTEST = 1e-9
"""Of the Hessian's largest eigenvalue: where the loss is flat, its lines have no end."""

MOVING = 1e-9
"""Of the parameters' size: a descent that stays within it is at rest."""

Row = dict[str, Any]
"""One point of a descent: ``n``, ``x``, ``y`` and ``descent``, its name."""


@dataclass(frozen=True, slots=True)
class View:
    """What part of a plane is shown, and in which size."""

    x: tuple[float, float]
    y: tuple[float, float]
    height: int

    def has(self, point: Sequence[float]) -> bool:
        """Whether a point is in the part that is shown."""
        return self.x[0] <= point[0] <= self.x[1] and self.y[0] <= point[1] <= self.y[1]


def view_of(exact: Sequence[tuple[float, ...]], seen: Watched) -> View:
    """The exact iterates and the optimum, and the variant where it is near them; both axes in the same unit."""
    points = np.array([*exact, seen.optimum.ravel()])
    low, high = points.min(axis=0), points.max(axis=0)
    reach = WIDEST_DETOUR * np.maximum(high - low, 0.1 * float(np.max(high - low)) or 1.0)
    observed = np.array([iterate.observed.ravel() for iterate in seen.path])
    near = observed[np.all((observed >= low - reach) & (observed <= high + reach), axis=1)]
    points = np.concatenate([points, near])
    low, high = points.min(axis=0), points.max(axis=0)
    extent, size = high - low, max(1.0, float(np.max(np.abs(points))))
    # Where nothing moves but by rounding, its surroundings are shown.
    widest = float(np.max(extent)) if np.max(extent) > MOVING * size else size
    middle, half = (low + high) / 2, 0.56 * np.maximum(extent, 1e-3 * widest)
    height = int(min(max(WIDTH * half[1] / half[0], 0.45 * WIDTH), 0.8 * WIDTH))
    shape = height / WIDTH
    # One unit is as long on both axes, so that steps are seen at right angles to the lines of equal loss; unless one
    # axis would then be a mere line.
    if max(half[1] / half[0] / shape, shape * half[0] / half[1]) < 5:
        half = np.maximum(half, [half[1] / shape, half[0] * shape])
    (left, bottom), (right, top) = middle - half, middle + half
    return View((float(left), float(right)), (float(bottom), float(top)), height)


def contours(seen: Watched, view: View) -> Iterable[dict[str, float]]:
    """Lines of equal loss around the optimum: ellipses, or circles where both coordinates have the same feature."""
    centre = seen.optimum.ravel()
    hessian = seen.hessian if seen.optimum.shape[0] == 2 else float(seen.hessian[0, 0]) * np.eye(2)
    start = seen.path[0].exact.ravel() - centre
    at_start = float(start @ hessian @ start) or float(hessian.trace())
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, FLATTEST * float(values[-1]))
    reach = 2 * math.hypot(view.x[1] - view.x[0], view.y[1] - view.y[0])
    far = reach + float(np.linalg.norm([np.mean(view.x), np.mean(view.y)] - centre))
    rows: list[dict[str, float]] = []
    for level in LEVELS:
        long, short = np.sqrt(level * at_start / values)
        for k, (along, across) in enumerate(_ellipse(float(long), float(short), far)):
            x, y = centre + vectors @ [along, across]
            rows.append({"level": level, "k": k, "x": float(x), "y": float(y)})
    return rows


def _ellipse(long: float, short: float, far: float) -> FloatArray:
    """Points on an ellipse about the origin, (K, 2), of which only what lies within ``far`` matters."""
    turn = min(math.pi / 2, math.asin(min(1.0, far / long)))
    # Where the ends are out of sight, the two flanks alone, joined out of sight.
    angles = np.linspace(math.pi / 2 - turn, math.pi / 2 + turn, 181)
    angles = np.concatenate([angles, angles + math.pi, angles[:1]])
    points: FloatArray = np.column_stack([long * np.cos(angles), short * np.sin(angles)])
    return points


def path_rows(name: str, path: Sequence[tuple[float, ...]], view: View) -> Iterable[Row]:
    """A descent as far as it stays in view."""
    inside = itertools.takewhile(lambda pair: view.has(pair[1]), enumerate(path))
    return [{"n": n, "x": point[0], "y": point[1], "descent": name} for n, point in inside]


def apart(rows: Iterable[Row], view: View, distance: float, descent: str | None = None) -> Iterable[Row]:
    """Those points, of one descent or of both, that are that far from all before them."""
    width, height = view.x[1] - view.x[0], view.y[1] - view.y[0]
    taken: list[tuple[float, float]] = []
    for row in rows:
        here = (row["x"] / width, row["y"] / height * view.height / WIDTH)
        if descent in (None, row["descent"]) and all(math.dist(here, other) > distance for other in taken):
            taken.append(here)
            yield row
