"""Five-fold cross-validation of an elastic net, 1,000,000 x 100, 100 penalties, against scikit-learn's ElasticNetCV."""

from __future__ import annotations

import numpy as np
import sklearn.linear_model as reference
from harness import Side, race
from numpy.typing import NDArray

import torchlinear as tl

ROWS, COLUMNS, FOLDS = 1_000_000, 100, 5
GAP = 1e-8  # relative duality gap at which scikit-learn ends; ours is exact


def data() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns that correlate, of which a third matters."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    X += 0.7 * rng.normal(size=(ROWS, 1))
    truth = rng.normal(size=COLUMNS) * (rng.uniform(size=COLUMNS) < 1 / 3)
    return X, X @ truth + 10.0 * rng.normal(size=ROWS) + 1.0


def objective(model: object, X: NDArray[np.float64], y: NDArray[np.float64], alpha: float) -> float:
    """What both minimise on all rows, at an l1_ratio of 0.5."""
    coef, residual = model.coef_, y - model.predict(X)  # type: ignore[attr-defined]
    penalty = alpha * (0.5 * np.abs(coef).sum() + 0.25 * np.square(coef).sum())
    return float(residual @ residual / (2 * len(y)) + penalty)


def main() -> None:
    X, y = data()
    ours = tl.ElasticNetCV(cv=FOLDS)
    peers = {
        f"scikit-learn ElasticNetCV(tol={GAP:g}{', n_jobs=-1' if jobs else ''})": reference.ElasticNetCV(
            cv=FOLDS, tol=GAP, max_iter=100_000, n_jobs=jobs
        )
        for jobs in (None, -1)
    }
    race(
        f"{FOLDS}-fold elastic-net cross-validation, {ROWS:,} x {COLUMNS}, 100 penalties",
        Side("torchlinear ElasticNetCV", lambda: ours.fit(X, y), 5),
        *(Side(name, lambda peer=peer: peer.fit(X, y), 1) for name, peer in peers.items()),
        goal="at least 15",
        file="elastic_net_cv",
    )
    theirs = next(iter(peers.values()))
    assert ours.alpha_ == theirs.alpha_ or abs(ours.alpha_ / theirs.alpha_ - 1) < 1e-12
    print(
        f"largest relative difference of held-out errors: {np.abs(ours.mse_path_ / theirs.mse_path_ - 1).max():.1e}"
    )
    excess = objective(theirs, X, y, ours.alpha_) / objective(ours, X, y, ours.alpha_) - 1
    print(f"scikit-learn's objective is above ours by a share of {excess:.1e}")
    assert abs(excess) < GAP


if __name__ == "__main__":
    main()
