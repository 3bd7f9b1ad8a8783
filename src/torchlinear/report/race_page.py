"""The HTML report of a race: one file without requests, with a slider over time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["contour_lines", "ground", "numbers", "page"]

Array = NDArray[np.float64]

LEVELS = 14  # contour lines


def page(facts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Fill in the template.

    Parameters
    ----------
    facts : mapping
        Texts: `language`, `words` (of the page itself, by key), `title`, `about`, `standings` (name, label, within,
        final, status of each), `why`, `optimum`.
    data : mapping
        For the script, JSON: numbers in `runners`, `map` and `fit`, and the `words`.

    Returns
    -------
    str
        The page. Whatever names the data has, they are text in it.
    """
    from jinja2 import Environment

    source = files("torchlinear.report").joinpath("race.html.jinja").read_text(encoding="utf-8")
    written = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Environment(autoescape=True).from_string(source).render(**facts, data=written)


def numbers(values: Array, digits: int = 5) -> list[Any]:
    """Nested lists of so many significant digits; null for what is not finite."""
    if values.ndim > 1:
        return [numbers(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]


def ground(gap: Array, count: int) -> tuple[Array, Array]:
    """Heights to draw a gap by, its logarithm, masked where it is not finite; and levels from low to high."""
    height = np.ma.masked_invalid(np.log10(np.maximum(gap, 1e-8)))
    return height, np.linspace(max(float(height.min()), -5.0), float(height.max()), count)


def contour_lines(x: Array, y: Array, gap: Array) -> list[tuple[float, list[Any]]]:
    """Contours of the gap, (ny, nx): for each its depth, 0 the highest to 1 the lowest, and its points."""
    height, levels = ground(gap, LEVELS + 2)
    drawn = Figure().subplots().contour(x, y, height, levels=np.unique(levels[1:-1])).allsegs
    found: list[tuple[float, list[Any]]] = []
    for place, lines in enumerate(drawn):
        depth = round(1.0 - place / LEVELS, 3)
        found += [(depth, numbers(np.asarray(line), 4)) for line in lines if len(line) > 1]
    return found
