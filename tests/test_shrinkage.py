"""L1 and elastic net against R (glmnet's objective, re-solved at 50 digits), their conditions and the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows

TRUTH = Path(__file__).parent / "truth" / "r"
DIGITS = 10  # correct ones, of every coefficient; a zero counts by its absolute error
CASES = [f"enet_swiss_gaussian_a{a}_{units}" for a in ("0", "0.5", "1") for units in ("raw", "std")]

Array = np.ndarray[Any, Any]


def correct(found: float, exact: str) -> float:
    truth = float(exact)
    error = abs(found - truth) / (abs(truth) or 1.0)
    return 16.0 if error == 0.0 else min(-np.log10(error), 16.0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("precision", ["auto", "double"])
def test_swiss(case: str, precision: str) -> None:
    given = json.loads((TRUTH / f"{case}.json").read_text())
    X, y = torch.tensor(given["X"], dtype=torch.float64), torch.tensor(given["y"], dtype=torch.float64)
    for exact in given["exact25"]:
        l1, l2 = 2.0 * float(exact["l1"]), 2.0 * float(exact["l2"])  # R's squared loss is halved
        penalty = tl.L1L2(l1 + l2, l1 / (l1 + l2), standardize=given["standardize"])
        fit = tl.fit(X, y, penalty=penalty, precision=precision)
        assert fit.status is tl.Status.CONVERGED
        assert fit.certificate < 1e-14
        found = [float(fit.intercept), *fit.coef.tolist()]
        digits = [correct(a, b) for a, b in zip(found, exact["coef"], strict=True)]
        assert min(digits) >= DIGITS, digits
        assert [a == 0.0 for a in found] == [float(b) == 0.0 for b in exact["coef"]]


class Rows:
    """Random rows: correlated columns in different units, away from zero, two targets, weights."""

    def __init__(self, rng: np.random.Generator, n: int = 120, p: int = 8) -> None:
        common = rng.normal(size=(n, 1))
        self.X = (rng.normal(size=(n, p)) + common) * 10.0 ** rng.uniform(-2, 2, size=p) + 3.0
        share = rng.normal(size=(p, 2)) / self.X.std(axis=0)[:, None] * (rng.uniform(size=(p, 2)) < 0.5)
        self.Y = self.X @ share + rng.normal(size=(n, 2)) + 5.0
        self.w = rng.gamma(2.0, size=n)


def slopes(rows: Rows, coef: Array, intercept: bool) -> tuple[Array, Array]:
    """Slope of the mean squared error by each coefficient and by the intercept, from the rows."""
    left = rows.w[:, None] * (rows.X @ coef[:-1] + coef[-1] - rows.Y) * 2.0 / rows.w.sum()
    return rows.X.T @ left, left.sum(axis=0) if intercept else np.zeros(2)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("mix", [1.0, 0.5])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_conditions_of_an_optimum(
    rng: np.random.Generator, intercept: bool, mix: float, standardize: bool
) -> None:
    rows = Rows(rng)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0])
    scale = np.sqrt(np.cov(rows.X.T, aweights=rows.w, ddof=0).diagonal())
    zero = np.zeros((9, 2))
    zero[-1] = np.average(rows.Y, axis=0, weights=rows.w) if intercept else 0.0
    top = np.abs(slopes(rows, zero, intercept)[0] / (scale[:, None] if standardize else 1.0)).max()
    penalty = tl.L1L2(0.1 * top, mix, column_weights=weights, standardize=standardize)
    fit = tl.fit(rows.X, rows.Y, weights=rows.w, penalty=penalty, intercept=intercept)
    coef = fit.solution.coef.numpy()
    slope, offset = slopes(rows, coef, intercept)
    units = scale if standardize else np.ones(8)
    l1 = (mix * 0.1 * top * weights * units)[:, None]
    slope = slope + ((1 - mix) * 0.1 * top * weights * units**2)[:, None] * coef[:-1]
    rounding = 1e-10 * np.abs(slopes(rows, zero, intercept)[0]).max(axis=1, keepdims=True)
    at = np.where(coef[:-1] != 0, np.abs(slope + l1 * np.sign(coef[:-1])), np.abs(slope) - l1)
    assert (at <= rounding).all()
    assert (np.abs(offset) <= 1e-10).all()
    assert (coef[1] != 0).all()
    assert (coef[:-1] == 0).any()


def objective(rows: Rows, penalty: Any, **options: Any) -> QuadraticObjective:
    tensors = TensorRows(*(torch.from_numpy(a) for a in (rows.X, rows.Y, rows.w)))
    return QuadraticObjective(Squared(), penalty, Local(1).load(tensors), **options)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1.0]])
@pytest.mark.parametrize("solution", ["drop", "nonnegative"])
def test_the_certificate_bounds_the_distance_to_the_least_value(
    rng: np.random.Generator, intercept: bool, weights: list[float] | None, solution: str
) -> None:
    rows = Rows(rng)
    for penalty in (tl.L1(0.3, weights, standardize=True), tl.L1L2(0.5, 0.4, weights, standardize=True)):
        problem = objective(rows, penalty, intercept=intercept, solution=solution)
        solver = tl.Coordinate()
        best = solver.step(problem, solver.init(problem, problem.start), None).coef  # type: ignore[arg-type]
        assert problem.certificate(best) < 1e-12  # rounding: 5e-14 at most of 60 seeds, without an intercept
        center = rows.Y - (np.average(rows.Y, axis=0, weights=rows.w) if intercept else 0.0)
        half = (rows.w[:, None] * center**2).sum(axis=0) / rows.w.sum()
        for size in (1.0, 1e-3):
            coef = best * (1.0 + size * torch.from_numpy(rng.normal(size=best.shape)))
            coef[:-1] = coef[:-1].clamp(min=0.0) if solution == "nonnegative" else coef[:-1]
            means = np.average(rows.X, axis=0, weights=rows.w), np.average(rows.Y, axis=0, weights=rows.w)
            coef[-1] = torch.from_numpy(means[1] - means[0] @ coef[:-1].numpy()) if intercept else 0.0
            above = problem.value(coef) - problem.value(best)
            assert 0.0 <= above <= problem.certificate(coef) * half.sum() * (1 + 1e-9)


def test_ill_conditioned_columns_keep_their_digits(rng: np.random.Generator) -> None:
    """Rounding of float64 sums is a millionth of these coefficients, until residuals of the rows bring it back."""
    x = np.linspace(1.0, 2.0, 400)
    X = np.column_stack([x**d for d in range(1, 6)])
    y = X.sum(axis=1) + rng.normal(size=400)
    penalty = tl.L1(1e-7, standardize=True)
    ends = [tl.fit(X, y, penalty=penalty, precision=p).coef.numpy() for p in ("double", "extended")]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-9)
    assert (ends[1] != 0).sum() > 2


def test_the_solver_says_why_and_the_others_why_not() -> None:
    X, y = torch.eye(4, dtype=torch.float64)[:, :2], torch.arange(4.0)
    assert "L1(1) makes coefficients exactly zero" in tl.fit(X, y, penalty="l1").solver
    for solver in ("cholesky", "qr"):
        with pytest.raises(tl.InvalidInput, match=r"smooth penalty, not L1\(1\); use solver='coordinate'"):
            tl.fit(X, y, penalty="l1", solver=solver)
    with pytest.raises(tl.InvalidInput, match=r"squared loss only, not (logistic|binomial)"):
        tl.fit(X, y > 1, loss="logistic", penalty="l2", solver="coordinate")


def test_files_and_frames(tmp_path: Path, rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60), "y": rng.normal(size=60)})
    frame["y"] += 2.0 * frame["a"]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    penalty = tl.L1(0.8)
    ends = [
        tl.fit(frame, "y", penalty=penalty),
        tl.fit(tmp_path / "rows.csv", "y", penalty=penalty),
        tl.fit(frame[["a", "b"]].to_numpy(), frame["y"].to_numpy(), penalty=penalty),
    ]
    for fit in ends:
        assert fit.coef[1].item() == 0.0
        torch.testing.assert_close(fit.coef, ends[-1].coef, rtol=1e-12, atol=0)
    saved = tmp_path / "model.safetensors"
    ends[0].save(saved)
    assert torch.equal(tl.load(saved).coef, ends[0].coef)
    assert "L1(0.8)" in str(ends[0].summary())


def test_adaptive_weights_choose_the_columns_that_matter(rng: np.random.Generator) -> None:
    X = rng.normal(size=(2_000, 6))
    y = X @ [3.0, -2.0, 0.0, 0.0, 0.0, 0.0] + rng.normal(size=2_000)
    weights = tl.adaptive_weights(tl.fit(X, y).coef)
    fit = tl.fit(X, y, penalty=tl.L1(0.05, weights))
    assert (fit.coef[2:] == 0).all()
    assert np.abs(fit.coef[:2].numpy() - [3.0, -2.0]).max() < 0.15  # a few standard errors of 1 / sqrt(2,000)
    with pytest.raises(tl.InvalidInput, match="one target"):
        tl.adaptive_weights(torch.ones(2, 2))
    assert max(tl.adaptive_weights([0.0, 2.0])) == pytest.approx(0.5e10)
