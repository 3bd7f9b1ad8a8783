"""Linear support vector machines, 200,000 x 50, hinge and squared hinge, to the same objective as scikit-learn.

Both sides minimise ``C sum(loss) + |coef|^2 / 2``, of centred columns and without an intercept, because liblinear would
penalise it. Squared hinge is liblinear's Newton method (dual=False), at the loosest of its tolerances that reaches a
relative gap of 1e-8. Hinge is its coordinate descent for the dual, which does not come that near in minutes: it gets
the iterations that reach 1e-3 (the search for them is not timed), while our side ends at the exact optimum.

    python benchmarks/svm.py
    python benchmarks/svm.py --rows 20000        as small as a test
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from harness import Side, race
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

import torchlinear as tl

COLUMNS, C = 50, 1.0
AGREED = {"squared_hinge": 1e-8, "hinge": 1e-3}  # relative gap of the objective
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ITERATIONS = (10, 20, 50, 100, 200, 500, 1_000, 2_000)


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes that overlap as those of real data do."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, COLUMNS))
    X -= X.mean(axis=0)
    return X, X @ rng.normal(size=COLUMNS) * 0.3 + rng.normal(size=n) > 0.0


def candidates(loss: str) -> Iterator[dict[str, Any]]:
    """Settings of liblinear from the fastest on."""
    if loss == "hinge":
        yield from ({"dual": True, "tol": 1e-12, "max_iter": count} for count in ITERATIONS)
    else:
        yield from ({"dual": False, "tol": tolerance, "max_iter": 10_000} for tolerance in TOLERANCES)


def compare(loss: str, n: int) -> None:
    X, y = rows(n)
    sign, best = np.where(y, 1.0, -1.0), {}

    def value(name: str, coef: np.ndarray) -> None:
        lacks = np.maximum(0.0, 1.0 - sign * (X @ coef.ravel()))
        size = float((coef * coef).sum())
        best[name] = C * float((lacks if loss == "hinge" else lacks * lacks).sum()) + size / 2.0

    def ours() -> None:
        value("ours", tl.LinearSVC(loss=loss, C=C, fit_intercept=False).fit(X, y).coef_)

    def theirs(settings: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LinearSVC(loss=loss, C=C, fit_intercept=False, random_state=0, **settings).fit(X, y)
        value("scikit-learn", model.coef_)

    def reaches(settings: dict[str, Any]) -> bool:
        theirs(settings)
        return best["scikit-learn"] <= best["ours"] * (1.0 + AGREED[loss])

    ours()
    settings = next(settings for settings in candidates(loss) if reaches(settings))
    shown = f"max_iter={settings['max_iter']}" if settings["dual"] else f"tol={settings['tol']:g}"
    race(
        f"LinearSVC, {loss}, {n:,} x {COLUMNS}",
        Side("torchlinear LinearSVC", ours, 5),
        Side(f"scikit-learn LinearSVC({shown})", lambda: theirs(settings), 3),
        goal="at least 1",
        file="svm",
    )
    for name, reached in best.items():
        print(f"  {name}: {reached / best['ours'] - 1.0:.1e} above ours")
        assert best["ours"] * (1.0 - 1e-12) <= reached <= best["ours"] * (1.0 + AGREED[loss])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    n = parser.parse_args().rows
    for loss in ("hinge", "squared_hinge"):
        compare(loss, n)
