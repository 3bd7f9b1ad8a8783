"""L1 and elastic net on generalised linear models: glmnet's problems, solved again at 50 digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.solvers.newton import SAMPLE_ROWS, SAMPLE_SHARE

FILES = sorted(Path(__file__).parents[1].joinpath("truth", "r").glob("enet_[bq]*.json"))
CASES = [(file.stem, i) for file in FILES for i in range(3)]


def penalised(name: str, which: int, **options: Any) -> tuple[tl.Fit, np.ndarray[Any, Any]]:
    case = json.loads(next(file for file in FILES if file.stem == name).read_text())
    truth = case["exact25"][which]
    penalty = tl.L1L2(float(truth["lambda_"]), case["alpha"], standardize=case["standardize"])
    X, y = np.array(case["X"], dtype=float), np.array(case["y"], dtype=float)
    fit = tl.fit(X, y, loss=case["family"], penalty=penalty, **options)
    return fit, np.array([float(c) for c in truth["coef"]])


@pytest.mark.parametrize(("name", "which"), CASES)
def test_ten_digits_of_every_coefficient_and_exact_zeros(name: str, which: int) -> None:
    fit, truth = penalised(name, which)
    found = np.append(fit.intercept.item(), fit.coef.numpy())
    assert fit.status is tl.Status.CONVERGED
    assert ((found == 0.0) == (truth == 0.0)).all()
    seen = truth != 0.0
    assert np.abs(found[seen] / truth[seen] - 1.0).max() <= 1e-10


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("mix", ["0", "0.5", "1"])
def test_softmax_is_glmnets_multinomial(mix: str, which: int) -> None:
    path = Path(__file__).parents[1] / "truth" / "r" / f"enet_iris_multinomial_a{mix}.json"
    case = json.loads(path.read_text())
    penalty = tl.L1L2(case["lambda"][which], case["alpha"], standardize=case["standardize"])
    fit = tl.fit(np.array(case["X"]), case["y"], loss="softmax", penalty=penalty, solver="proximal_newton")
    truth = np.array(case["coef"][which])  # glmnet stopped near the optimum: only it speaks here
    assert fit.status is tl.Status.CONVERGED
    np.testing.assert_allclose(fit.intercept.numpy(), truth[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.coef.numpy(), truth[1:], rtol=1e-5, atol=1e-6)
    assert ((fit.coef.numpy() == 0) == (truth[1:] == 0)).all()


def test_units_of_the_columns_do_not_matter(rng: np.random.Generator) -> None:
    X = rng.normal(size=(300, 6)) + 1.0
    y = rng.poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1]))
    units = 10.0 ** np.arange(-3, 3)
    plain, scaled = (
        tl.fit(part, y, loss="poisson", penalty=tl.L1(0.2, standardize=True)) for part in (X, X * units)
    )
    assert 0 < int((plain.coef == 0).sum()) < 6
    torch.testing.assert_close(scaled.coef * torch.from_numpy(units), plain.coef, rtol=1e-9, atol=1e-12)


def test_columns_of_weight_zero_and_the_intercept_are_free(rng: np.random.Generator) -> None:
    X = rng.normal(size=(200, 3))
    y = (rng.uniform(size=200) < 1.0 / (1.0 + np.exp(-2.0 - X[:, 1]))).astype(float)
    fit = tl.fit(X, y, loss="logistic", penalty=tl.L1(1e3, column_weights=[1, 0, 1]))
    alone = tl.fit(X[:, 1:2], y, loss="logistic")
    assert fit.coef[0] == fit.coef[2] == 0.0
    assert fit.coef[1].item() == pytest.approx(alone.coef[0].item(), rel=1e-10)
    assert fit.intercept.item() == pytest.approx(alone.intercept.item(), rel=1e-10)


def test_many_rows_and_several_targets(rng: np.random.Generator) -> None:
    n = SAMPLE_ROWS * SAMPLE_SHARE
    X = torch.from_numpy(rng.normal(size=(n, 4)).astype(np.float32))
    y = torch.from_numpy(rng.poisson(np.exp(0.3 * X.numpy()[:, :2])).astype(np.float32))
    both = tl.fit(X, y, loss="poisson", penalty=tl.L1(0.05))
    assert both.certificate < 1e-9
    for j in range(2):
        one = tl.fit(X, y[:, j], loss="poisson", penalty=tl.L1(0.05))
        torch.testing.assert_close(both.coef[:, j], one.coef, rtol=1e-8, atol=1e-10)


def test_without_intercept(rng: np.random.Generator) -> None:
    X = rng.normal(size=(100, 3)) + 2.0
    y = rng.integers(0, 2, size=100)
    fit = tl.fit(X, y, loss="logistic", penalty=tl.L1(0.05), intercept=False)
    eta = X @ fit.coef.numpy()
    slope = X.T @ (1.0 / (1.0 + np.exp(-eta)) - y) / 100
    beta = fit.coef.numpy()
    assert (np.abs(slope[beta == 0]) <= 0.05 + 1e-12).all()
    np.testing.assert_allclose(slope[beta != 0], -0.05 * np.sign(beta[beta != 0]), rtol=1e-10)
    assert fit.intercept == 0.0
