"""A `Fit`: predictions like what they are made from, a plain module, and no rows in what leaves the process."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import torchlinear as tl

N = 30
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
Y = X @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 4.0
Y2 = torch.stack([Y, Y.square()], dim=1)
FRAME = pd.DataFrame(X.numpy(), columns=["a", "b", "c"]).assign(y=Y.numpy())


@pytest.fixture(params=["one", "several", "frame", "origin", "adam"])
def fit(request: Any) -> tl.Fit:
    if request.param == "frame":
        return tl.fit(FRAME, "y")
    options: dict[str, Any] = {"origin": {"intercept": False}, "adam": {"solver": "adam", "max_epochs": 9}}
    return tl.fit(X, Y2 if request.param == "several" else Y, **options.get(request.param, {}))


def features(fit: tl.Fit) -> Any:
    return X if fit.design is None else FRAME


def expected(fit: tl.Fit) -> np.ndarray[Any, Any]:
    eta = X @ fit.solution.coef[:-1] + fit.solution.coef[-1]
    return (eta[:, 0] if eta.shape[1] == 1 else eta).numpy()


def test_predictions_are_x_beta(fit: tl.Fit) -> None:
    found = fit.predict(features(fit))
    assert isinstance(found, torch.Tensor if fit.design is None else np.ndarray)
    np.testing.assert_allclose(np.asarray(found), expected(fit), rtol=1e-13, atol=1e-14)


def test_one_row(fit: tl.Fit) -> None:
    one = fit.predict(features(fit)[:1])
    assert len(one) == 1
    np.testing.assert_allclose(np.asarray(one)[0], expected(fit)[0], rtol=1e-13)


def test_the_module_is_plain_and_predicts_the_same(fit: tl.Fit) -> None:
    assert isinstance(fit.module, nn.Module)
    assert {name: tuple(p.shape) for name, p in fit.module.named_parameters()} == {
        "linear.weight": (len(fit.solution.targets), 3), "linear.bias": (len(fit.solution.targets),)
    }  # fmt: skip
    with torch.no_grad():
        eta = fit.module(X).numpy()
    np.testing.assert_allclose(eta[:, 0] if eta.shape[1] == 1 else eta, expected(fit), rtol=1e-13, atol=1e-14)
    state = fit.module.state_dict()
    twin = nn.Linear(3, len(fit.solution.targets), dtype=torch.float64)
    twin.load_state_dict({name.removeprefix("linear."): value for name, value in state.items()})
    assert torch.equal(twin(X), fit.module(X))


def test_the_module_trains_on_without_touching_the_fit(fit: tl.Fit) -> None:
    before = fit.solution.coef.clone()
    optimizer = torch.optim.SGD(fit.module.parameters(), lr=0.1)
    nn.functional.mse_loss(
        fit.module(X), torch.zeros(N, len(fit.solution.targets), dtype=torch.float64)
    ).backward()
    optimizer.step()
    assert torch.equal(fit.solution.coef, before)
    assert not torch.equal(fit.module.state_dict()["linear.bias"], before[-1])


@pytest.mark.parametrize(
    "copier", [copy.deepcopy, lambda fit: pickle.loads(pickle.dumps(fit))], ids=["copy", "pickle"]
)
def test_copies_are_the_same_fit(fit: tl.Fit, copier: Any) -> None:
    twin = copier(fit)
    np.testing.assert_array_equal(twin.predict(features(fit)), fit.predict(features(fit)))
    assert (repr(twin), twin.status, twin.names) == (repr(fit), fit.status, fit.names)
    assert torch.equal(twin.history.loss, fit.history.loss)
    if fit.status is tl.Status.CONVERGED:
        pd.testing.assert_frame_equal(twin.summary().to_frame(), fit.summary().to_frame())
    assert twin.module is not fit.module


def test_what_leaves_the_process_holds_no_rows(tmp_path: Path) -> None:
    marks = torch.arange(20_000, dtype=torch.float64).reshape(-1, 2).sin()
    fit = tl.fit(marks, marks.sum(dim=1), solver="bgd", max_epochs=3)
    fit.save(tmp_path / "fit.safetensors")
    saved = (tmp_path / "fit.safetensors").read_bytes()
    for written in (pickle.dumps(fit), pickle.dumps(fit.module), pickle.dumps(fit.solution), saved):
        assert len(written) < 10_000
        assert marks[:2].numpy().tobytes() not in written
    with pytest.raises(tl.RowsNeeded, match=r"plot\(data=\.\.\.\)"):
        pickle.loads(pickle.dumps(fit)).plot()


def test_rows_may_come_back_for_a_plot() -> None:
    for fit, data, target in (
        (tl.fit(X[:, 0], Y), X[:, :1], Y),
        (tl.fit(FRAME, "y"), FRAME, None),
        (tl.fit(FRAME[["a"]], FRAME["y"]), FRAME[["a"]], FRAME["y"]),
    ):
        again = pickle.loads(pickle.dumps(fit))
        points = [len(artist.get_offsets()) for artist in again.plot(data=data, y=target).collections[:1]]
        assert points == [N]
    with pytest.raises(tl.InvalidInput, match=r"plot\(data=X, y=y\)"):
        tl.fit(X, Y).plot(data=X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_module_and_predictions_have_the_dtype_of_the_tensor(dtype: torch.dtype) -> None:
    fit = tl.fit(X.to(dtype), Y)
    assert fit.coef.dtype == torch.float64
    assert fit.module.linear.weight.dtype == dtype  # type: ignore[union-attr]
    assert fit.predict(X.to(dtype)).dtype == dtype
    assert fit.predict(X.to(dtype).numpy()).dtype == X.to(dtype).numpy().dtype
    assert fit.predict(X.to(dtype).requires_grad_()).requires_grad is False


def test_predictions_of_a_frame_come_in_order_whatever_its_columns_are() -> None:
    fit = tl.fit(FRAME, "y", columns=["a", "b"])
    more = FRAME.assign(z="text")[["z", "b", "c", "a"]]
    np.testing.assert_array_equal(fit.predict(more), fit.predict(FRAME))
    gaps = more.assign(b=more["b"].where(more.index % 7 != 0))
    assert np.flatnonzero(np.isnan(fit.predict(gaps))).tolist() == list(range(0, N, 7))


def test_one_flat_row_is_told_its_shape() -> None:
    with pytest.raises(tl.InvalidInput, match=r"One row has the shape \(1, 3\)"):
        tl.fit(X, Y).predict(X[0])


def test_shapes_of_coefficients() -> None:
    one, several = tl.fit(X, Y), tl.fit(X, Y2)
    assert (one.coef.shape, one.intercept.shape) == ((3,), ())
    assert (several.coef.shape, several.intercept.shape) == ((3, 2), (2,))
    assert tl.fit(X, Y, intercept=False).intercept.item() == 0.0
    assert one.certificate < 1e-12
    assert "cholesky" in one.solver or "qr" in one.solver
    assert repr(one) == f"Fit(squared, 3 features, converged: {one.equation})"
