"""Correct digits on the certified sets of NIST, and where float32 or nearly perfect fits lose them elsewhere.

Digits are ``-log10(|value - truth| / |truth|)``, at most 16; where the truth is 0, ``-log10 |value|``.
The truth is the certificate recomputed with 60-digit arithmetic (`exact30`).
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
import torch

import torchlinear as tl

NIST = Path(__file__).parent / "truth" / "nist"
CERTIFIED = json.loads((NIST / "certified.json").read_text())["datasets"]

# Worst coefficient and worst standard error, in correct digits, that a default fit must reach. Coefficients reach
# what float64 data can say: the exact solution of the rounded data has no more (Norris 13.98, Wampler2 13.20, ...).
LEAST = {
    "Norris": (13.95, 14.0),
    "Pontius": (13.5, 13.8),
    "NoInt1": (15.9, 15.3),
    "NoInt2": (15.9, 15.3),
    "Filip": (14.2, 15.0),
    "Longley": (14.7, 15.0),
    "Wampler1": (15.9, 15.9),
    "Wampler2": (13.2, 15.1),
    "Wampler3": (15.9, 15.5),
    "Wampler4": (15.9, 15.5),
    "Wampler5": (15.9, 15.5),
}


def digits(value: float, truth: str) -> float:
    with mpmath.workdps(40):
        exact = mpmath.mpf(truth)
        error = abs(mpmath.mpf(float(value)) - exact)
        if exact != 0:
            error /= abs(exact)
        return 16.0 if error == 0 else min(16.0, float(-mpmath.log10(error)))


def _fit(name: str) -> tl.Fit:
    frame = pd.read_csv(NIST / f"{name}.csv")
    known = CERTIFIED[name]
    degree = known["poly_degree"] or 0
    features = f"poly(x, {degree}, raw=True)" if degree > 1 else " + ".join(c for c in frame if c != "y")
    return tl.fit(frame, formula=f"y ~ {features}" + ("" if known["intercept"] else " - 1"))


@pytest.mark.parametrize("name", LEAST)
def test_nist(name: str) -> None:
    truth = CERTIFIED[name]["exact30"]
    table = _fit(name).summary().to_frame()
    least_coef, least_se = LEAST[name]
    assert min(map(digits, table["coef"], truth["coef"])) >= least_coef
    assert min(map(digits, table["se"], truth["se"])) >= least_se


def test_a_ready_made_power_matrix_gives_what_it_contains() -> None:
    frame = pd.read_csv(NIST / "Filip.csv")
    powers = np.column_stack([frame["x"].to_numpy() ** k for k in range(1, 11)])
    fit = tl.fit(powers, frame["y"].to_numpy())
    truth = CERTIFIED["Filip"]["exact30"]["coef"]
    got = [float(fit.intercept), *fit.coef.tolist()]
    assert min(map(digits, got, truth)) >= 7.5


@pytest.mark.parametrize("rows", [1_000, 200_000])
def test_float32_rows_far_from_zero(rows: int) -> None:
    generator = torch.Generator().manual_seed(1)
    X = (torch.randn(rows, 3, generator=generator) + 1e4).float()
    y = X.double() @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) - 5.0
    fit = tl.fit(X, y)
    # y is exact to 1e-12; slopes of columns with a standard deviation of 1 follow to that.
    torch.testing.assert_close(
        fit.coef, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("rows", [200, 300_000])
@pytest.mark.parametrize("noise", [1e-3, 1e-6, 1e-9])
def test_residual_sums_of_squares_do_not_cancel(rows: int, noise: float) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(rows, 3)) + 5.0
    y = X @ [1.0, -2.0, 0.5] + 1.0 + noise * rng.normal(size=rows)
    best = np.linalg.lstsq(np.column_stack([X, np.ones(rows)]), y, rcond=None)[0]
    residuals = y - np.column_stack([X, np.ones(rows)]) @ best
    rss = tl.fit(X, y).solution.evidence.rss[0]  # type: ignore[union-attr]
    # The rounding of y itself, eps |y| a row, bounds what any method can know of the residuals.
    assert rss == pytest.approx(float(residuals @ residuals), rel=1e-6)


def test_order_and_threads_do_not_change_a_bit() -> None:
    from torchlinear.engines.local import Local

    generator = torch.Generator().manual_seed(2)
    from torchlinear.losses.squared import Squared
    from torchlinear.quadratic import QuadraticObjective
    from torchlinear.rows import SHARD_ROWS, TensorRows

    X = torch.randn(5 * SHARD_ROWS + 17, 4, generator=generator, dtype=torch.float64)
    y = X.sum(dim=1, keepdim=True) + torch.randn(X.shape[0], 1, generator=generator, dtype=torch.float64)
    solved = [
        QuadraticObjective(Squared(), None, Local(workers).load(TensorRows(X, y)))
        .least_squares("cholesky")
        .coef
        for workers in (1, 2, 3)
    ]
    assert np.array_equal(solved[0], solved[1])
    assert np.array_equal(solved[0], solved[2])
