"""What a summary says, when it keeps silent, and why."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
import torch

import torchlinear as tl
from torchlinear.errors import InvalidInput, RankWarning
from torchlinear.inference.numerals import aligned, row, width
from torchlinear.inference.summary import Summary, summarise
from torchlinear.loop import Status


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 2))
    return X, X @ [1.5, 0.0] - 3.0 + 0.5 * rng.normal(size=80)


@pytest.fixture
def fit(rows: tuple) -> tl.Fit:
    return tl.fit(*rows)


def lines(summary: Summary) -> list[str]:
    return str(summary).splitlines()


def test_text_holds_what_the_frame_holds(fit: tl.Fit) -> None:
    frame = fit.summary().to_frame()
    for name, values in frame.iterrows():
        (line,) = [line for line in lines(fit.summary()) if line.startswith(f"{name} ")]
        coef, se, t, p, low, high = line.split()[1:]
        assert float(coef) == pytest.approx(values["coef"], rel=0.01)
        assert float(se) == pytest.approx(values["se"], rel=0.006)
        assert float(t) == pytest.approx(values["t"], abs=0.0051)
        assert (
            (p == "<.001") if values["p"] < 0.0005 else (float(p) == pytest.approx(values["p"], abs=0.00051))
        )
        assert float(low) == pytest.approx(values["low"], abs=0.0051)
        assert float(high) == pytest.approx(values["high"], abs=0.0051)


def test_frame_has_the_intercept_first(fit: tl.Fit) -> None:
    frame = fit.summary().to_frame()
    assert list(frame.index) == ["Intercept", "x0", "x1"]
    assert list(frame.columns) == ["coef", "se", "t", "p", "low", "high"]
    assert frame["coef"].tolist() == [float(fit.intercept), *fit.coef.tolist()]


def test_text_is_ascii_and_fits_a_terminal(fit: tl.Fit) -> None:
    text = str(fit.summary())
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_penalty_solver_and_status_are_always_printed(rows: tuple) -> None:
    for penalty, printed in ((None, "none"), (tl.L2(0.1), "L2(0.1)")):
        fit = tl.fit(*rows, penalty=penalty)
        text = lines(fit.summary())
        assert any(line.startswith("penalty") and printed in line for line in text)
        assert any(line.startswith("solver") and fit.solver[:20] in line for line in text)
        assert any(line.startswith("status") and "converged" in line for line in text)


def test_level_of_the_intervals(rows: tuple) -> None:
    X, y = rows
    got = tl.fit(X, y).summary(level=0.8)
    truth = sm.OLS(y, sm.add_constant(X)).fit().conf_int(alpha=0.2)
    np.testing.assert_allclose(got.to_frame()[["low", "high"]], truth, rtol=1e-9)
    assert "80% low" in str(got)


def test_frequency_weights_are_repeated_rows(rows: tuple) -> None:
    X, y = rows
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    short = tl.fit(X, y, weights=counts, weight_type="frequency").summary()
    long = tl.fit(X.repeat(counts, axis=0), y.repeat(counts)).summary()
    np.testing.assert_allclose(short.to_frame(), long.to_frame(), rtol=1e-9)
    ours, theirs = short.to_dict()["targets"]["y"], long.to_dict()["targets"]["y"]
    for name in (
        "sigma",
        "rmse",
        "r2",
        "adjusted_r2",
        "f",
        "f_p",
        "log_likelihood",
        "aic",
        "bic",
        "residual_df",
    ):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9), name
    assert "frequency" in str(short)


def test_precision_weights_know_only_their_ratios(rows: tuple) -> None:
    X, y = rows
    w = np.random.default_rng(0).uniform(0.1, 5.0, len(y))
    one, ten = (tl.fit(X, y, weights=w * factor).summary() for factor in (1.0, 10.0))
    np.testing.assert_allclose(one.to_frame(), ten.to_frame(), rtol=1e-9)
    assert one.quality.log_likelihood == pytest.approx(ten.quality.log_likelihood, rel=1e-10)


def test_rows_of_weight_zero_are_not_there(rows: tuple) -> None:
    X, y = rows
    w = np.ones(len(y))
    w[50:] = 0.0
    with_zeros, without = tl.fit(X, y, weights=w).summary(), tl.fit(X[:50], y[:50]).summary()
    np.testing.assert_allclose(with_zeros.to_frame(), without.to_frame(), rtol=1e-9)
    assert with_zeros.quality.bic == pytest.approx(without.quality.bic, rel=1e-10)
    assert with_zeros.rows == 50


def test_statsmodels_leaves_sigma_out_of_its_count(rows: tuple) -> None:
    X, y = rows
    truth, got = sm.OLS(y, sm.add_constant(X)).fit(), tl.fit(X, y).summary().quality
    assert got.log_likelihood == pytest.approx(truth.llf, rel=1e-12)
    assert got.aic == pytest.approx(truth.aic + 2, rel=1e-12)
    assert got.bic == pytest.approx(truth.bic + np.log(len(y)), rel=1e-12)


def test_several_targets(rows: tuple) -> None:
    X, y = rows
    fit = tl.fit(X, np.column_stack([y, -2 * y + X[:, 1]]))
    frame = fit.summary().to_frame()
    assert frame.index.names == ["target", "name"]
    for j, (target, values) in enumerate(zip(("y0", "y1"), (y, -2 * y + X[:, 1]))):
        alone = tl.fit(X, values).summary()
        np.testing.assert_allclose(frame.loc[target], alone.to_frame(), rtol=1e-9)
        assert fit.summary().quality.f[j] == pytest.approx(alone.quality.f[0], rel=1e-9)
    assert sum("~" in line for line in lines(fit.summary())) == 2
    json.dumps(fit.summary().to_dict(), allow_nan=False)


def test_without_intercept(rows: tuple) -> None:
    X, y = rows
    summary, truth = tl.fit(X, y, intercept=False).summary(), sm.OLS(y, X).fit()
    frame = summary.to_frame()
    assert list(frame.index) == ["x0", "x1"]
    np.testing.assert_allclose(frame["se"], truth.bse, rtol=1e-9)
    assert summary.quality.r2 == pytest.approx(truth.rsquared, rel=1e-9)  # uncentred, as R and NIST
    assert summary.quality.adjusted_r2 == pytest.approx(truth.rsquared_adj, rel=1e-9)
    assert summary.quality.f == pytest.approx(truth.fvalue, rel=1e-9)
    assert "y ~ 0 + x0 + x1" in lines(summary)


def test_dropped_columns_are_named(rows: tuple) -> None:
    X, y = rows
    with pytest.warns(RankWarning):
        fit = tl.fit(np.column_stack([X, X.sum(axis=1)]), y)
    frame = fit.summary().to_frame()
    assert frame.loc["x2", "coef"] == 0.0
    assert frame.loc["x2", ["se", "t", "p", "low", "high"]].isna().all()
    np.testing.assert_allclose(frame.iloc[:3], tl.fit(X, y).summary().to_frame(), rtol=1e-9)
    assert any(line.split() == ["x2", "dropped"] for line in lines(fit.summary()))
    assert "Dropped: x2" in str(fit.summary())
    json.dumps(fit.summary().to_dict(), allow_nan=False)


def test_perfect_fit() -> None:
    x = np.arange(8.0)
    summary = tl.fit(x, 3 * x + 2).summary()  # every number here is exact in float64
    frame = summary.to_frame()
    assert frame["coef"].tolist() == [2.0, 3.0]
    assert frame["se"].tolist() == [0.0, 0.0]
    assert np.isposinf(frame["t"]).all()
    assert frame["p"].tolist() == [0.0, 0.0]
    assert "describe rounding, not data" in str(summary).replace("\n", " ")
    json.dumps(summary.to_dict(), allow_nan=False)


def test_no_degrees_of_freedom() -> None:
    summary = tl.fit(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0])).summary()
    assert summary.to_frame()[["se", "t", "p", "low", "high"]].isna().all(axis=None)
    assert "no degrees of freedom" in str(summary).replace("\n", " ")
    assert "log-likelihood" not in str(summary)


def test_a_constant_target() -> None:
    summary = tl.fit(torch.arange(6.0), torch.full((6,), 2.5)).summary()
    assert "does not vary" in str(summary)
    assert "R2 =" not in str(summary)


SILENT = ("se", "t", "p", "low", "high")


def silent(summary: Summary, why: str) -> None:
    assert summary.to_frame()[list(SILENT)].isna().all(axis=None)
    text = str(summary)
    assert "std err" not in text
    assert "AIC" not in text
    assert "<.001" not in text
    assert why in text.replace("\n", " ")
    assert "<td" in summary._repr_html_()
    assert summary.to_dict()["cov"] is None


def test_no_errors_after_a_penalty(rows: tuple) -> None:
    summary = tl.fit(*rows, penalty=tl.L2(0.1)).summary()
    silent(summary, "fit without a penalty to have them")
    assert "R2 = 0." in str(summary)


@pytest.mark.parametrize("loss", ["squared", "logistic", "quantile", "hinge"])
def test_rows_are_counted_after_a_penalty_too(loss: str, rows: tuple, tmp_path: Path) -> None:
    X, y = rows
    weights = np.arange(len(y)) > 2  # the first three are not there
    y = y > y.mean() if loss in ("logistic", "hinge") else y
    fit = tl.fit(X, y, loss=loss, penalty=tl.L2(0.1), weights=weights)
    assert fit.summary().rows == len(y) - 3
    fit.save(tmp_path / "fit.safetensors")
    assert tl.load(tmp_path / "fit.safetensors").summary().rows == len(y) - 3


def test_no_errors_short_of_the_optimum(fit: tl.Fit) -> None:
    coef = fit.solution.coef * 0.9
    solution = replace(fit.solution, coef=coef, certificate=0.1, status=Status.BUDGET_USED)
    silent(summarise(solution), "stopped short of it (certificate 1.0e-01, at most 1e-06 wanted)")
    silent(summarise(replace(solution, certificate=float("nan"))), "stopped short of it")


def test_no_errors_without_cross_products(fit: tl.Fit) -> None:
    solution = replace(fit.solution, evidence=None, certificate=float("nan"), loss="HuberLoss")
    silent(summarise(solution), "loss HuberLoss")
    assert summarise(solution).to_frame()["coef"].tolist() == fit.summary().to_frame()["coef"].tolist()


def test_an_unknown_covariance_names_the_known(fit: tl.Fit) -> None:
    with pytest.raises(InvalidInput, match=r"cov='HC3' is not known. Known: classical"):
        fit.summary(cov="HC3")
    with pytest.raises(InvalidInput, match="did you mean 'classical'"):
        fit.summary(cov="clasical")
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        fit.summary(level=95)


def test_html_escapes_names(rows: tuple) -> None:
    solution = replace(tl.fit(*rows).solution, names=("<script>alert(1)</script>", "a&b"))
    html = summarise(solution)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a&amp;b" in html


def test_names_cannot_move_the_cursor(rows: tuple) -> None:
    solution = replace(tl.fit(*rows).solution, names=("a\x1b[2Jb", "c\nd"))
    text = str(summarise(solution))
    assert "\x1b" not in text
    assert not any(line.startswith("d") for line in text.splitlines())


def test_chinese_names_stay_in_their_columns(rows: tuple) -> None:
    solution = replace(tl.fit(*rows).solution, names=("面积", "x"))
    ends = {
        width(line) for line in lines(summarise(solution)) if line.startswith(("面积 ", "x  ", "Intercept "))
    }
    points = {
        width(line[: line.index(".")])
        for line in lines(summarise(solution))
        if line.startswith(("面积 ", "x  ", "Intercept "))
    }
    assert len(ends) == 1
    assert len(points) == 1


def test_many_features_are_counted(rows: tuple) -> None:
    X = np.random.default_rng(0).normal(size=(50, 20))
    first = lines(tl.fit(X, X[:, 0]).summary())[0]
    assert first.endswith("x6 + ... + x19   (20 features)")


@pytest.mark.parametrize(
    ("values", "printed"),
    [
        ((3.087123, 0.0412, 3.0, 3.2), ("3.0871", "0.0412", "3.0000", "3.2000")),
        ((-3482258.6, 890420.4, -5496529.0, -1467987.0), ("-3482259", "890420", "-5496529", "-1467987")),
        ((0.0, 0.25, -0.5, 0.5), ("0.000", "0.250", "-0.500", "0.500")),
        ((6.735e-4, 1.079e-4, 4.5e-4, 8.9e-4), ("0.000674", "0.000108", "0.000450", "0.000890")),
        ((2.5e12, 1.25e9, 2.49e12, 2.51e12), ("2.50000e+12", "1.25e+09", "2.49000e+12", "2.51000e+12")),
        ((0.8, 1e-12, 0.8, 0.8), ("0.800000", "1.00e-12", "0.800000", "0.800000")),
        ((0.5, float("nan"), float("nan"), float("nan")), ("0.5", "", "", "")),
    ],
)
def test_digits_follow_the_standard_error(values: tuple, printed: tuple) -> None:
    assert row(*values) == printed


def test_points_stand_below_one_another() -> None:
    assert aligned(["3.25", "-10", "", "123.4"]) == ["  3.25", "-10   ", "      ", "123.4 "]
