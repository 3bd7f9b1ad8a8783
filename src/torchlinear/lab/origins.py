"""Data sets that need no file: the tutorial's line, made ones, real ones inside scikit-learn, points of the mouse.

Each is made here and, by its `Origin`, in the program that the page shows; tests hold the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from torchlinear.lab import fields
from torchlinear.lab.data import MOST_POINTS, Column, DataSet, Origin
from torchlinear.lab.safety import Refused

__all__ = ["BUILTIN", "builtin", "made", "points", "requested", "tutorial"]


class Known(NamedTuple):
    """A data set inside scikit-learn: how to get it, its size, and the target."""

    call: str
    rows: int
    columns: int
    target: str


BUILTIN = {
    "diabetes": Known("load_diabetes(as_frame=True, scaled=False)", 442, 11, "target"),
    "iris": Known("load_iris(as_frame=True)", 150, 5, "target"),
    "breast_cancer": Known("load_breast_cancer(as_frame=True)", 569, 31, "target"),
    "wine": Known("load_wine(as_frame=True)", 178, 14, "target"),
    "linnerud": Known("load_linnerud(as_frame=True)", 20, 6, "Waist"),
}
MOST_MADE_ROWS, MOST_MADE_FEATURES = 100_000, 50
APART = 5.0  # standard deviations of the target by which an outlier is off


def requested(body: Mapping[str, Any]) -> DataSet:
    """The data set that the page asks for by its ``kind``."""
    kind = fields.choice(body, "kind", ("tutorial", "maker", "builtin", "points"))
    if kind == "tutorial":
        return tutorial()
    if kind == "builtin":
        return builtin(fields.choice(body, "name", BUILTIN))
    if kind == "maker":
        return made(body)
    count = range(2, MOST_POINTS + 1)
    x, y = (fields.numbers(body.get(name), name, count) for name in ("x", "y"))
    return points(x, y)


def tutorial() -> DataSet:
    """Fifty points on y = 3 x + 0.8, those of ``torchlinear demo``."""
    x = torch.rand(50, generator=torch.Generator().manual_seed(0)).double()
    lines = """\
x = torch.rand(50, generator=torch.Generator().manual_seed(0)).double()
data = {"x": x, "y": 3 * x + 0.8}"""
    return _of("tutorial", "y = 3x + 0.8", {"x": x, "y": 3 * x + 0.8}, lines)


def points(x: list[float], y: list[float]) -> DataSet:
    """Points set by the mouse."""
    if len(x) != len(y):
        raise Refused(400, "uneven", x=str(len(x)), y=str(len(y)))
    lines = f"x = torch.tensor({x}, dtype=torch.float64)\n"
    lines += f'data = {{"x": x, "y": torch.tensor({y}, dtype=torch.float64)}}'
    values = {"x": torch.tensor(x, dtype=torch.float64), "y": torch.tensor(y, dtype=torch.float64)}
    return _of("points", "points", values, lines)


class Recipe(NamedTuple):
    """How a data set is made.

    Uniform columns between 0 and 1, any two of them correlated by `collinearity`; the target is `intercept` plus
    `slope` times their sum plus normal noise; a share of the rows lies far above it; the last column is in units
    of its own.
    """

    n: int
    features: int
    slope: float
    intercept: float
    noise: float
    outliers: float
    collinearity: float
    scale: float
    seed: int

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Recipe:
        """What the page asks for."""
        return cls(
            n=fields.whole(body, "n", 50, 2, MOST_MADE_ROWS),
            features=fields.whole(body, "features", 1, 1, MOST_MADE_FEATURES),
            slope=fields.number(body, "slope", 3.0, -1e6, 1e6),
            intercept=fields.number(body, "intercept", 0.8, -1e6, 1e6),
            noise=fields.number(body, "noise", 0.2, 0.0, 1e6),
            outliers=fields.number(body, "outliers", 0.0, 0.0, 0.5),
            collinearity=fields.number(body, "collinearity", 0.0, 0.0, 0.999),
            scale=fields.number(body, "scale", 1.0, 1e-6, 1e6),
            seed=fields.whole(body, "seed", 0),
        )

    @property
    def far(self) -> int:
        """Rows that lie far off."""
        return round(self.outliers * self.n)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return ("x",) if self.features == 1 else tuple(f"x{j}" for j in range(self.features))


def made(body: Mapping[str, Any]) -> DataSet:
    """A data set to order; see `Recipe`."""
    recipe = Recipe.of(body)
    columns = dict(zip((*recipe.names, "y"), _values(recipe)))
    return _of("maker", "made", columns, _program(recipe))


def _values(recipe: Recipe) -> list[Tensor]:
    generator = torch.Generator().manual_seed(recipe.seed)
    X = torch.rand(recipe.n, recipe.features, generator=generator, dtype=torch.float64)
    if recipe.collinearity:
        shared = torch.rand(recipe.n, 1, generator=generator, dtype=torch.float64)
        X = (1 - recipe.collinearity) ** 0.5 * X + recipe.collinearity**0.5 * shared
    noise = torch.randn(recipe.n, generator=generator, dtype=torch.float64)
    y = recipe.intercept + recipe.slope * X.sum(dim=1) + recipe.noise * noise
    if recipe.far:
        y[: recipe.far] += APART * y.std()
    X[:, -1] *= recipe.scale
    return [*X.T, y]


def _program(recipe: Recipe) -> str:
    size, noise = f"{recipe.n}, {recipe.features}", "generator=generator, dtype=torch.float64"
    lines = [
        f"generator = torch.Generator().manual_seed({recipe.seed})",
        f"X = torch.rand({size}, {noise})",
    ]
    if recipe.collinearity:
        lines += [
            f"shared = torch.rand({recipe.n}, 1, {noise})",
            f"X = (1 - {recipe.collinearity}) ** 0.5 * X + {recipe.collinearity} ** 0.5 * shared",
        ]
    lines += [
        f"noise = torch.randn({recipe.n}, {noise})",
        f"y = {recipe.intercept} + {recipe.slope} * X.sum(dim=1) + {recipe.noise} * noise",
    ]
    if recipe.far:
        lines.append(f"y[:{recipe.far}] += {APART} * y.std()")
    if recipe.scale != 1.0:
        lines.append(f"X[:, -1] *= {recipe.scale}")
    names = '"x": X[:, 0]' if recipe.features == 1 else '**{f"x{j}": column for j, column in enumerate(X.T)}'
    return "\n".join([*lines, f'data = {{{names}, "y": y}}'])


def builtin(name: str) -> DataSet:
    """A real data set that comes with scikit-learn; nothing is downloaded."""
    import sklearn.datasets

    known = BUILTIN[name]
    options = {"as_frame": True} if name != "diabetes" else {"as_frame": True, "scaled": False}
    found = getattr(sklearn.datasets, f"load_{name}")(**options)
    classes = {"iris", "breast_cancer", "wine"}
    columns = []
    for column in found.frame.columns:
        values = found.frame[column].to_numpy(dtype=np.float64)
        if column == "target" and name in classes:
            columns.append(Column(column, "label", values, tuple(map(str, found.target_names))))
        else:
            columns.append(Column(str(column), "number", values))
    function = known.call.partition("(")[0]
    origin = Origin(
        f"data = {known.call}.frame",
        frame=True,
        imports=(f"from sklearn.datasets import {function}",),
    )
    return DataSet.of("builtin", re.sub("_", " ", name), columns, origin, known.target)


def _of(kind: Any, name: str, values: Mapping[str, Tensor], lines: str) -> DataSet:
    columns = [Column(key, "number", value.numpy().astype(np.float64)) for key, value in values.items()]
    return DataSet.of(kind, name, columns, Origin(lines), "y")
