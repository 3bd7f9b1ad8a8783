"""Bad input: one clear sentence each, which names the thing and the remedy. What is not bad must pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import torchlinear as tl

X = torch.arange(12.0).reshape(6, 2) ** 1.5
Y = torch.tensor([1.0, 3.0, 2.0, 5.0, 4.0, 7.0])


def frame(**changes: object) -> pd.DataFrame:
    base = {
        "area": [50.0, 60, 80, 100, 120, 130],
        "rooms": [1, 2, 2, 4, 3, 5],
        "price": [10.0, 13, 15, 22, 23, 27],
    }
    return pd.DataFrame({**base, **changes})


def csv(folder: Path, text: str) -> Path:
    path = folder / "houses.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (
            (X, Y),
            {"loss": "sqared"},
            r"loss='sqared' is not known \(did you mean 'squared'\?\). Known: squared",
        ),
        ((X, Y), {"solver": "cholseky"}, r"solver='cholseky' .*did you mean 'cholesky'.*Known: .*qr"),
        ((X, Y), {"penalty": "ridge"}, r"penalty='ridge' is not known.* Known: .*l2"),
        ((X, Y), {"penalty": 0.1}, r"penalty= takes one of .*l2.* or a Penalty object, got float"),
        ((X, Y), {"device": "gpu"}, r"device='gpu' is not known. Known here: auto, cpu"),
        ((X, Y), {"device": "xpu"}, r"device='xpu' is not supported. Known here: auto, cpu"),
        ((X, Y), {"precision": "quad"}, r"precision='quad' is not known. Known: auto, extended, double"),
        ((X, Y), {"weight_type": "survey"}, r"weight_type='survey' is not known"),
        ((X, Y), {"missing": "skip"}, r"missing='skip' is not known"),
        ((X, Y), {"max_epochs": 0}, r"max_epochs=0"),
        ((X, Y), {"tol": -1.0}, r"tol=-1.0"),
        ((X, Y), {"time_limit": 0}, r"time_limit=0"),
        ((X,), {}, r"target is missing"),
        ((X, "price"), {}, r"target='price' names a column, but the data is a Tensor of shape \(6, 2\)"),
        ((X, Y), {"columns": ["a"]}, r"columns= names columns, but the data is a Tensor"),
        ((X, Y), {"formula": "y ~ x"}, r"formula= names columns, but the data is a Tensor"),
        ((X, Y[:5]), {}, r"y has shape \(5,\) for 6 rows of X; expected \(6,\) or \(6, k\)"),
        ((X.reshape(3, 2, 2), Y), {}, r"X has shape \(3, 2, 2\); expected \(n, p\)"),
        ((X, Y.reshape(6, 1, 1)), {}, r"y has shape \(6, 1, 1\)"),
        ((X, Y), {"weights": Y[:4]}, r"weights has shape \(4,\); expected \(6,\)"),
        ((X, Y), {"weights": -Y}, r"weights must be finite and at least 0"),
        (
            (X, Y),
            {"penalty": tl.L2(1.0, column_weights=[1.0])},
            r"column_weights has 1 entries for 2 columns",
        ),
        ((X + 1j, Y), {}, r"X is complex"),
    ],
)
def test_arguments(arguments: tuple[object, ...], options: dict[str, object], sentence: str) -> None:
    with pytest.raises(tl.InvalidInput if "complex" not in sentence else tl.DataError, match=sentence):
        tl.fit(*arguments, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a CUDA device where there is none")
def test_cuda_that_is_absent() -> None:
    with pytest.raises(tl.InvalidInput, match="sees no CUDA device; use device='cpu'"):
        tl.fit(X, Y, device="cuda")


def test_penalties_check_their_own_arguments() -> None:
    for arguments in (
        {"alpha": -1.0},
        {"alpha": float("nan")},
        {"alpha": 1.0, "column_weights": [1.0, -2.0]},
        {"alpha": "strong"},
        {"alpha": None},
        {"alpha": 1.0, "column_weights": ["a", "b"]},
        {"alpha": 1.0, "column_weights": 2.0},
    ):
        with pytest.raises(tl.InvalidInput, match="finite alpha and column_weights of at least 0"):
            tl.L2(**arguments)
    with pytest.raises(tl.InvalidInput, match=r"mix from 0 \(L2\) to 1 \(L1\), got mix='half'"):
        tl.L1L2(1.0, mix="half")


@pytest.mark.parametrize("ends", [("a", 1.0), (0.0, None), (1.0, 0.0), ([1, 2], [3]), ([[1.0]], 2.0)])
def test_bounds_that_are_none(ends: tuple[object, object]) -> None:
    with pytest.raises(tl.InvalidInput, match="Box takes low and high with low <= high, each a number or"):
        tl.Box(*ends)


def test_groups_that_are_none() -> None:
    for options in ({"alpha": "strong"}, {"weights": "ab"}, {"weights": [-1.0]}):
        with pytest.raises(
            tl.InvalidInput, match="GroupLasso takes a finite alpha and weights of at least 0"
        ):
            tl.GroupLasso(**options)
    for groups in (3, [[1], [2]], torch.ones(2, 2)):
        with pytest.raises(tl.InvalidInput, match=r"GroupLasso\.groups takes a label for each column"):
            tl.GroupLasso(groups=groups)
    with pytest.raises(tl.InvalidInput, match="mix='half'"):
        tl.GroupLasso(mix="half")


@pytest.mark.parametrize("penalty", [tl.GroupLasso(), tl.Firth(), "group_lasso", 0.1])
def test_penalties_that_have_no_path(penalty: object) -> None:
    with pytest.raises(tl.InvalidInput, match=r"'l1', 'l2', 'elastic_net' or .*whose strength can vary"):
        tl.path(X, Y, penalty=penalty)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["X", "y"])
def test_values_that_are_not_finite(bad: float, where: str) -> None:
    spoilt_X, spoilt_y = X.clone(), Y.clone()
    if where == "X":
        spoilt_X[3, 1] = bad
    else:
        spoilt_y[2] = bad
    with pytest.raises(tl.DataError, match=r"NaN or inf .x1: 1." if where == "X" else r"NaN or inf .y: 1."):
        tl.fit(spoilt_X, spoilt_y)


def test_no_rows_and_no_columns() -> None:
    with pytest.raises(tl.DataError, match=r"X has shape \(0, 2\): there is nothing to fit"):
        tl.fit(X[:0], Y[:0])
    with pytest.raises(tl.DataError, match=r"X has shape \(6, 0\)"):
        tl.fit(X[:, :0], Y)


def test_text_in_an_array() -> None:
    with pytest.raises(tl.DataError, match=r"X holds values that are not numbers .such as 'many'"):
        tl.fit(np.array([[1.0], ["many"]], dtype=object), [1.0, 2.0])


def test_all_weights_zero() -> None:
    with pytest.raises(tl.DataError, match="weights sum to zero"):
        tl.fit(X, Y, weights=torch.zeros(6))


@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
@pytest.mark.parametrize(("loss", "mean"), [("poisson", 0), ("logistic", 1), ("softmax", 0)])
def test_a_mean_at_its_end_has_no_intercept(loss: str, mean: int, penalty: str | None) -> None:
    """Counts that are all 0, or a class of which no row counts: the likelihood has no maximum."""
    y = torch.zeros(6) if loss == "poisson" else torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    weights = None if loss == "poisson" else y
    with pytest.raises(
        tl.DataError, match=rf"the mean of .+ is {mean} over the rows that count, where the inter"
    ):
        tl.fit(X, y, loss=loss, weights=weights, penalty=penalty)
    if loss == "logistic":
        assert tl.fit(X, y, loss=loss, weights=y + 1.0, penalty="l2").status is tl.Status.CONVERGED


@pytest.mark.parametrize("formula", ["price ~ 1", "price ~ area"])
def test_one_class_by_weights_is_not_told_apart_by_columns(formula: str) -> None:
    """Squared hinge has an optimum there: the intercept alone."""
    labels = frame(price=["a", "b", "a", "b", "b", "b"], w=[0.0, 1, 0, 1, 1, 1])
    fit = tl.fit(labels, formula=formula, loss="squared_hinge", weights="w")
    assert fit.status is tl.Status.CONVERGED
    assert fit.coef.abs().sum() == 0.0
    assert float(fit.intercept) == 1.0


def test_one_row_fits_a_constant() -> None:
    with pytest.warns(tl.RankWarning, match="dropped x0, x1"):
        fit = tl.fit(X[:1], Y[:1])
    assert float(fit.intercept) == float(Y[0])
    assert fit.coef.tolist() == [0.0, 0.0]


def test_a_constant_column_is_dropped_by_name() -> None:
    with pytest.warns(tl.RankWarning, match=r"dropped rooms: constant"):
        fit = tl.fit(frame(rooms=3), "price")
    assert fit.solution.dropped == ("rooms",)
    assert np.isnan(fit.summary().to_frame().loc["rooms", "se"])


def test_duplicate_columns_are_dropped_by_name() -> None:
    with pytest.warns(tl.RankWarning, match=r"dropped again"):
        fit = tl.fit(frame(again=frame()["area"]), "price", columns=["area", "again"])
    alone = tl.fit(frame(), "price", columns=["area"])
    np.testing.assert_allclose(fit.predict(frame(again=frame()["area"])), alone.predict(frame()), rtol=1e-13)


def test_fewer_rows_than_columns_drops_the_later_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(4, 6, generator=generator)
    with pytest.warns(tl.RankWarning, match="dropped x3, x4, x5"):
        fit = tl.fit(wide, Y[:4])
    torch.testing.assert_close(fit.predict(wide), Y[:4])


def test_a_constant_target() -> None:
    fit = tl.fit(X, torch.full((6,), 4.0))
    assert fit.coef.tolist() == [0.0, 0.0]
    assert float(fit.intercept) == 4.0
    str(fit.summary())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(tl.InvalidInput, match=r"there is no file .*houses.csv"):
        tl.fit(tmp_path / "houses.csv", "price")


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(tl.DataError, match=r"houses.csv.* is empty"):
        tl.fit(csv(tmp_path, ""), "price")


def test_a_header_only(tmp_path: Path) -> None:
    with pytest.raises(tl.DataError, match="no rows"):
        tl.fit(csv(tmp_path, "area,price\n"), "price")


@pytest.mark.parametrize("options", [{"target": "prize"}, {"target": "price", "columns": ["areal"]}])
def test_a_column_that_is_not_there(tmp_path: Path, options: dict[str, object]) -> None:
    path = csv(tmp_path, "area,rooms,price\n1,2,3\n2,1,4\n4,5,6\n")
    with pytest.raises(tl.InvalidInput, match=r"(prize|areal).*did you mean.*(price|area)"):
        tl.fit(path, **options)


def test_a_column_of_a_formula_that_is_not_there(tmp_path: Path) -> None:
    path = csv(tmp_path, "area,rooms,price\n1,2,3\n2,1,4\n4,5,6\n")
    with pytest.raises(tl.InvalidInput, match=r"'aera'.*did you mean 'area'"):
        tl.fit(path, formula="price ~ aera")


def test_text_in_a_number_column_late_in_a_file(tmp_path: Path) -> None:
    lines = ["area,price", *(f"{i % 97},{i % 89}" for i in range(40_000)), "large,3", "1,2"]
    with pytest.raises(tl.DataError, match=r"houses.csv, line 40,002: column 'area' .*'large'"):
        tl.fit(csv(tmp_path, "\n".join(lines)), "price")


def test_missing_values_are_counted_by_column() -> None:
    spoilt = frame(area=[50.0, None, 80, None, 120, 130], rooms=[1, 2, None, 4, 3, 5])
    with pytest.raises(tl.DataError, match=r"area.*2.*rooms.*1.*missing='drop'"):
        tl.fit(spoilt, "price")
    assert tl.fit(spoilt, "price", missing="drop").solution.evidence.rows == 3  # type: ignore[union-attr]
    assert tl.fit(spoilt, "price", missing="mean").solution.evidence.rows == 6  # type: ignore[union-attr]


def test_infinite_values_of_a_frame_are_named() -> None:
    with pytest.raises(tl.DataError, match=r"infinite values: area: 1 of 6 rows"):
        tl.fit(frame(area=[50.0, float("inf"), 80, 90, 120, 130]), "price")


def test_a_target_that_is_also_a_feature() -> None:
    with pytest.raises(tl.InvalidInput, match="'price' is the target and also a feature"):
        tl.fit(frame(), "price", columns=["area", "price"])


def test_dates_are_refused_with_advice() -> None:
    with pytest.raises(tl.DataError, match=r"'sold' is a TIMESTAMP.*days since"):
        tl.fit(frame(sold=pd.date_range("2024-01-01", periods=6)), "price")


def test_new_rows_of_another_shape() -> None:
    fit = tl.fit(X, Y)
    with pytest.raises(tl.InvalidInput, match=r"new has 3 columns .*fitted on 2: x0, x1"):
        fit.predict(torch.ones(2, 3))


def test_new_rows_without_a_column() -> None:
    fit = tl.fit(frame(), "price")
    with pytest.raises(tl.InvalidInput, match="rooms"):
        fit.predict(frame()[["area"]])


def test_a_model_of_columns_does_not_guess_the_order_of_an_array() -> None:
    fit = tl.fit(frame(), "price")
    with pytest.raises(tl.InvalidInput, match="columns area, rooms"):
        fit.predict(np.ones((2, 2)))


def test_divergence_is_a_status_with_advice() -> None:
    with pytest.warns(tl.ConvergenceWarning, match="lower lr"):
        fit = tl.fit(X, Y, solver=tl.SGD(lr=1.0), max_epochs=2_000)
    assert fit.status is tl.Status.DIVERGED


def test_a_step_that_climbs_has_diverged_however_slowly() -> None:
    generator = torch.Generator().manual_seed(0)
    steep = torch.randn(50, 2, generator=generator) * torch.tensor([1.0, 30.0])
    with pytest.warns(tl.ConvergenceWarning, match="lower lr"):
        fit = tl.fit(steep, steep.sum(dim=1), solver=tl.SGD(lr=1.2e-3, epochs=50))
    assert fit.coef.isfinite().all()
    assert fit.status is tl.Status.DIVERGED
