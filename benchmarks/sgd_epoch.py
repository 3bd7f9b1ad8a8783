"""One-sample SGD, one epoch of 1,000,000 x 20, against scikit-learn's SGDRegressor; constant steps."""

from __future__ import annotations

import warnings

import numpy as np
from harness import Side, race
from sklearn.linear_model import SGDRegressor

import torchlinear as tl

ROWS, COLUMNS, LR = 1_000_000, 20, 1e-4
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, COLUMNS))
Y = X @ rng.normal(size=COLUMNS) + 1.0 + rng.normal(size=ROWS)
warnings.filterwarnings("ignore", message="Maximum number of iteration")


def ours() -> np.ndarray:
    # scikit-learn steps along half the gradient of (y - eta)^2
    return tl.fit(X, Y, solver=tl.SGD(lr=LR / 2, batch_size=1, epochs=1)).coef.numpy()


def theirs() -> np.ndarray:
    model = SGDRegressor(
        learning_rate="constant", eta0=LR, penalty=None, max_iter=1, tol=None, random_state=0
    )
    return model.fit(X, Y).coef_


if __name__ == "__main__":
    np.testing.assert_allclose(ours(), theirs(), atol=0.1)
    race(
        "SGD, one row a step, one epoch of 1,000,000 x 20",
        Side("torchlinear tl.fit(solver=SGD)", ours, 7),
        Side("scikit-learn SGDRegressor", theirs, 7),
        goal="at least 3",
        file="sgd_epoch",
    )
