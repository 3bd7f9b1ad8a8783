"""Median and upper quantile regression, 100,000 x 20, to the same objective value as scikit-learn (HiGHS), statsmodels.

HiGHS takes minutes there, so it is timed once, by its interior-point method, which is its fastest for this problem.
statsmodels gets the loosest of its tolerances that reaches a relative gap of 1e-8 (the search for it is not timed).

    python benchmarks/quantile.py            against statsmodels and scikit-learn
    python benchmarks/quantile.py --quick    against statsmodels only
"""

from __future__ import annotations

import argparse

import numpy as np
import statsmodels.api as sm
from harness import Side, race
from sklearn.linear_model import QuantileRegressor

import torchlinear as tl

ROWS, COLUMNS = 100_000, 20
AGREED = 1e-8  # relative gap of the objective
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


def compare(q: float, quick: bool) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = X @ rng.normal(size=COLUMNS) + 1.0 + rng.standard_t(3, size=ROWS)
    best: dict[str, float] = {}

    def value(name: str, beta: np.ndarray, intercept: float) -> None:
        r = y - X @ beta - intercept
        best[name] = float(np.where(r > 0, q * r, (q - 1.0) * r).mean())

    def ours() -> None:
        fit = tl.fit(X, y, loss=tl.Quantile(q))
        assert fit.certificate <= AGREED
        value("ours", fit.coef.numpy(), fit.intercept.item())

    def highs() -> None:
        model = QuantileRegressor(quantile=q, alpha=0.0, solver="highs-ipm").fit(X, y)
        value("scikit-learn", model.coef_, model.intercept_)

    def reweighted(tolerance: float) -> None:
        found = sm.QuantReg(y, sm.add_constant(X)).fit(q, max_iter=5_000, p_tol=tolerance).params
        value("statsmodels", found[1:], found[0])

    def reaches(tolerance: float) -> bool:
        reweighted(tolerance)
        return best["statsmodels"] <= best["ours"] * (1.0 + AGREED)

    ours()
    tolerance = next(tolerance for tolerance in TOLERANCES if reaches(tolerance))
    peers = [Side(f"statsmodels QuantReg, p_tol={tolerance:g}", lambda: reweighted(tolerance), 3)]
    if not quick:
        peers.append(Side("scikit-learn QuantileRegressor(highs-ipm)", highs, 1))
    race(
        f"quantile {q:g}, {ROWS:,} x {COLUMNS}",
        Side("torchlinear tl.fit", ours, 7),
        *peers,
        goal="at least 5",
        file="quantile",
    )
    for name, reached in best.items():
        print(f"  {name}: {reached / best['ours'] - 1.0:.1e} above ours")
        assert best["ours"] * (1.0 - 1e-12) <= reached <= best["ours"] * (1.0 + AGREED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="leave scikit-learn out")
    quick = parser.parse_args().quick
    for q in (0.5, 0.9):
        compare(q, quick)
