"""Exact fits in memory, large (1,000,000 x 20, 200,000 x 100) and small, against the usual peers."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm
from harness import Side, race
from sklearn.linear_model import LinearRegression, Ridge

import torchlinear as tl


def compare(rows: int, columns: int, goal: str, repeats: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    truth = rng.normal(size=columns)
    y = X @ truth + 1.0 + rng.normal(size=rows)

    def lstsq() -> np.ndarray:
        return np.linalg.lstsq(np.column_stack([X, np.ones(rows)]), y, rcond=None)[0]

    best = lstsq()[:-1]
    error = np.abs(tl.fit(X, y).coef.numpy() - best).max()
    print(f"largest difference from numpy.linalg.lstsq: {error:.1e}")
    assert error < 1e-12
    race(
        f"exact fit, {rows:,} x {columns}",
        Side("torchlinear tl.fit", lambda: tl.fit(X, y), repeats),
        Side("scikit-learn LinearRegression(tol=0)", lambda: LinearRegression(tol=0).fit(X, y), repeats),
        Side("scikit-learn Ridge(alpha=1e-9)", lambda: Ridge(alpha=1e-9).fit(X, y), repeats),
        Side("numpy.linalg.lstsq", lstsq, repeats),
        Side("statsmodels OLS", lambda: sm.OLS(y, sm.add_constant(X)).fit(), repeats),
        goal=goal,
        file="exact_in_memory",
    )


def small(rows: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    y = X @ rng.normal(size=columns) + rng.normal(size=rows)
    race(
        f"warm LinearRegression().fit, {rows:,} x {columns}",
        Side("torchlinear LinearRegression", lambda: tl.LinearRegression().fit(X, y), 21, 20),
        Side("scikit-learn LinearRegression(tol=0)", lambda: LinearRegression(tol=0).fit(X, y), 21, 20),
        goal="at least 1",
        file="small_fit",
    )


if __name__ == "__main__":
    compare(1_000_000, 20, "at least 4", 7)
    compare(200_000, 100, "at least 1.5", 5)
    small(10_000, 10)
    small(100, 3)
