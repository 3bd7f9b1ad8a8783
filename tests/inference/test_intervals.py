"""Intervals at new rows: against statsmodels where R's cases say nothing, and by laws."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch

import torchlinear as tl
from torchlinear.errors import InvalidInput, RankWarning
from torchlinear.inference.intervals import prediction

TOLERANCE = 1e-9  # relative; statsmodels solves by a pseudo-inverse in float64


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 3)) * [1.0, 10.0, 0.1]
    return X, X @ [1.0, -0.2, 4.0] + 2.0 + rng.normal(size=60), rng.uniform(0.2, 3.0, 60)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("level", [0.8, 0.99])
def test_as_statsmodels(rows: tuple, intercept: bool, level: float) -> None:
    X, y, _ = rows
    design = sm.add_constant(X) if intercept else X
    truth = sm.OLS(y, design).fit().get_prediction(design[:7]).summary_frame(alpha=1 - level)
    solution = tl.fit(X, y, intercept=intercept).solution
    for kind, prefix in (("confidence", "mean_ci"), ("prediction", "obs_ci")):
        at = prediction(solution, X[:7], level, kind)
        np.testing.assert_allclose(at.mean, truth["mean"], rtol=TOLERANCE)
        np.testing.assert_allclose(at.low, truth[f"{prefix}_lower"], rtol=TOLERANCE)
        np.testing.assert_allclose(at.high, truth[f"{prefix}_upper"], rtol=TOLERANCE)


def test_precision_weights_as_statsmodels(rows: tuple) -> None:
    X, y, w = rows
    truth = sm.WLS(y, sm.add_constant(X), weights=w).fit()
    at = prediction(tl.fit(X, y, weights=w).solution, X[:7], kind="confidence")
    ends = truth.get_prediction(sm.add_constant(X)[:7]).conf_int()
    np.testing.assert_allclose(np.column_stack([at.low, at.high]), ends, rtol=TOLERANCE)


def test_far_from_zero_the_same_width() -> None:
    """A shift of 2**30 leaves every difference of the features exact, so nothing may change."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 1000, size=(40, 2)).astype(float)
    y = X @ [1.0, 2.0] + rng.normal(size=40)
    near, far = (prediction(tl.fit(X + s, y).solution, X[:5] + s, kind="confidence") for s in (0.0, 2.0**30))
    np.testing.assert_allclose(far.high - far.low, near.high - near.low, rtol=1e-6)


def test_several_targets_are_those_alone(rows: tuple) -> None:
    X, y, _ = rows
    both = prediction(tl.fit(X, np.column_stack([y, y**2])).solution, X[:4])
    assert both.mean.shape == (4, 2)
    for j, target in enumerate((y, y**2)):
        alone = prediction(tl.fit(X, target).solution, X[:4])
        np.testing.assert_allclose(both.low[:, j], alone.low, rtol=1e-12)
        np.testing.assert_allclose(both.high[:, j], alone.high, rtol=1e-12)


def test_dropped_columns_change_nothing(rows: tuple) -> None:
    X, y, _ = rows
    doubled = np.column_stack([X, 2 * X[:, 1]])
    with pytest.warns(RankWarning, match="x3"):
        fit = tl.fit(doubled, y)
    got, truth = prediction(fit.solution, doubled[:4]), prediction(tl.fit(X, y).solution, X[:4])
    np.testing.assert_allclose([got.mean, got.low, got.high], [truth.mean, truth.low, truth.high], rtol=1e-12)


def test_nan_where_a_row_cannot_be_predicted(rows: tuple) -> None:
    X, y, _ = rows
    new = X[:3].copy()
    new[1, 0] = np.nan
    at = prediction(tl.fit(X, y).solution, new)
    assert np.isnan([at.mean[1], at.low[1], at.high[1]]).all()
    assert np.isfinite([at.mean[[0, 2]], at.low[[0, 2]], at.high[[0, 2]]]).all()


def test_coverage_is_the_level() -> None:
    """Of 2,000 new observations, 90% prediction intervals cover 90%, give or take four standard errors."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(200):
        x = rng.normal(size=22)
        y = 2 * x + rng.normal(size=22)
        at = tl.fit(x[:12], y[:12]).predict(x[12:], interval=0.9)
        hits += int(((at.low <= y[12:]) & (y[12:] <= at.high)).sum())
    assert abs(hits / 2000 - 0.9) < 4 * np.sqrt(0.9 * 0.1 / 200)  # rows that share a fit are not independent


def test_no_degrees_of_freedom_no_interval() -> None:
    at = prediction(tl.fit(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0])).solution, np.array([[0.5]]))
    assert at.mean == pytest.approx([1.5])
    assert np.isnan([at.low, at.high]).all()


def test_refusals(rows: tuple) -> None:
    X, y, _ = rows
    with pytest.raises(InvalidInput, match=r"L2\(1\).*fit without a penalty"):
        prediction(tl.fit(X, y, penalty="l2").solution, X)
    solution = tl.fit(X, y).solution
    with pytest.raises(InvalidInput, match=r"\(60, 2\); expected \(n, 3\), the columns x0, x1, x2"):
        prediction(solution, X[:, :2])
    with pytest.raises(InvalidInput, match="Known: prediction, confidence"):
        prediction(solution, X, kind="credible")
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        prediction(solution, X, level=95)
