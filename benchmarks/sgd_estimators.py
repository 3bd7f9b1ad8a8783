"""Logistic regression by one-sample descent, 200,000 x 50, one epoch and ten: our SGDClassifier and scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
import sklearn.linear_model as reference
from harness import Side, race

import torchlinear as tl

ROWS, COLUMNS = 200_000, 50
GOAL = "none: the steps are the same, term by term"


def main() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = (X @ rng.normal(size=COLUMNS) + rng.logistic(size=ROWS) > 0.0).astype(int)
    for epochs, tol in ((1, None), (10, None), (10, 1e-3)):
        options = {
            "loss": "log_loss",
            "max_iter": epochs,
            "tol": tol,
            "n_iter_no_change": 11,
            "random_state": 0,
        }
        ours, theirs = tl.SGDClassifier(**options), reference.SGDClassifier(**options)
        watched = "" if tol is None else ", objective watched"
        race(
            f"SGDClassifier(loss='log_loss'), {ROWS:,} x {COLUMNS}, epochs: {epochs}{watched}",
            Side("torchlinear SGDClassifier", lambda ours=ours: ours.fit(X, y), 9),
            Side("scikit-learn SGDClassifier", lambda theirs=theirs: theirs.fit(X, y), 9),
            goal=GOAL,
            file="sgd_estimators",
        )
        np.testing.assert_array_equal(ours.coef_, theirs.coef_)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Maximum number of iteration")
    main()
