"""`fit` takes rows in any container, gives the same answer for all, and changes nothing of what it is given."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from threadpoolctl import threadpool_info

import torchlinear as tl

N = 40
RNG = np.random.default_rng(5)
X = RNG.integers(-8, 9, size=(N, 2)) / 4.0  # exact in float32, and as integers after scaling
Y = X @ [3.0, -2.0] + 1.0 + RNG.integers(-2, 3, size=N) / 8.0
W = RNG.integers(0, 4, size=N).astype(float)
TRUTH = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), Y, rcond=None)[0]
WEIGHTED = np.linalg.lstsq(
    np.sqrt(W)[:, None] * np.column_stack([X, np.ones(N)]), np.sqrt(W) * Y, rcond=None
)[0]

Array = np.ndarray[Any, Any]


def padded(a: Array) -> Array:
    return np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)


def read_only(a: Array) -> Array:
    a = a.copy()
    a.flags.writeable = False
    return a


ARRAYS: dict[str, Callable[[Array], Any]] = {
    "float64": lambda a: a,
    "float32": lambda a: a.astype(np.float32),
    "big-endian": lambda a: a.astype(">f8"),
    "read-only": read_only,
    "columns": np.asfortranarray,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "part": lambda a: padded(a)[::2, ::3],
    "longdouble": lambda a: a.astype(np.longdouble),
    "objects": lambda a: a.astype(object),
    "masked": lambda a: np.ma.masked_array(a, mask=np.zeros(a.shape, bool)),
    "lists": lambda a: a.tolist(),
    "pandas": pd.DataFrame,
    "polars": lambda a: pl.DataFrame({str(j): a[:, j] for j in range(a.shape[1])}),
    "arrow": lambda a: pa.table({str(j): a[:, j] for j in range(a.shape[1])}),
    "dict": lambda a: {str(j): a[:, j] for j in range(a.shape[1])},
    "tensor": torch.from_numpy,
    "tensor float32": lambda a: torch.from_numpy(a).float(),
    "tensor float16": lambda a: torch.from_numpy(a).half(),
    "tensor with gradient": lambda a: torch.from_numpy(a).requires_grad_(),
    "parameter": lambda a: torch.nn.Parameter(torch.from_numpy(a)),
    "tensor transposed": lambda a: torch.from_numpy(a).T.contiguous().T,
    "tensor part": lambda a: torch.from_numpy(padded(a))[::2, ::3],
    "tensor rows": lambda a: torch.cat([torch.from_numpy(a)] * 2)[: len(a)],
}
containers = pytest.mark.parametrize("container", ARRAYS)


def coefficients(fit: tl.Fit) -> Array:
    return np.append(fit.coef.numpy(), float(fit.intercept))


def snapshot(value: Any) -> Any:
    """What a container holds, in a form that `==` compares."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().tolist(), value.requires_grad, value.grad
    if isinstance(value, dict):
        return {name: column.tolist() for name, column in value.items()}
    if isinstance(value, list):
        return copy.deepcopy(value)
    return np.array(value).tolist(), getattr(value, "shape", None), str(getattr(value, "schema", None))


@containers
def test_every_container_has_the_same_answer_and_stays_as_it_is(container: str) -> None:
    given = ARRAYS[container](X)
    before = snapshot(given)
    fit = tl.fit(given, Y)
    np.testing.assert_allclose(coefficients(fit), TRUTH, rtol=1e-13)
    weighted = tl.fit(given, Y, weights=W)
    np.testing.assert_allclose(coefficients(weighted), WEIGHTED, rtol=1e-12)
    predicted = fit.predict(given)
    assert isinstance(predicted, torch.Tensor if isinstance(given, torch.Tensor) else np.ndarray)
    np.testing.assert_allclose(
        np.asarray(predicted.tolist()), X @ TRUTH[:2] + TRUTH[2], rtol=2e-3 if "16" in container else 1e-6
    )
    assert snapshot(given) == before


@pytest.mark.parametrize("kind", [torch.int8, torch.int32, torch.int64, torch.uint8])
def test_integers(kind: torch.dtype) -> None:
    whole = torch.from_numpy(4 * X + 8).to(kind)
    np.testing.assert_allclose(tl.fit(whole, Y).coef, TRUTH[:2] / 4, rtol=1e-13)
    np.testing.assert_allclose(tl.fit(whole.numpy(), Y).coef, TRUTH[:2] / 4, rtol=1e-13)


def test_booleans_are_0_and_1() -> None:
    high = X[:, 0] > 0
    means = [Y[~high].mean(), Y[high].mean()]
    for given in (high, torch.from_numpy(high), pd.DataFrame({"high": high}), high.tolist()):
        assert tl.fit(given, Y).coef.item() == pytest.approx(means[1] - means[0], rel=1e-13)


@pytest.mark.parametrize(
    "target",
    [Y, Y[:, None], Y.tolist(), torch.from_numpy(Y), torch.from_numpy(Y).float(), pd.Series(Y, index=range(9, N + 9)),
     pl.Series(Y), pd.DataFrame({"y": Y}), pa.table({"y": Y}), torch.from_numpy(Y).requires_grad_()],
    ids=lambda target: type(target).__name__,
)  # fmt: skip
@pytest.mark.parametrize("container", ["float64", "tensor", "pandas", "polars", "arrow", "dict"])
def test_every_target(container: str, target: Any) -> None:
    np.testing.assert_allclose(coefficients(tl.fit(ARRAYS[container](X), target)), TRUTH, rtol=1e-13)


@pytest.mark.parametrize("container", ["float64", "pandas", "polars", "dict", "tensor"])
def test_one_dimension_is_one_feature(container: str) -> None:
    column = ARRAYS[container](X[:, :1])
    a = X[:, 0].copy()
    flat = {
        "float64": a,
        "tensor": torch.from_numpy(a),
        "pandas": pd.Series(a),
        "polars": pl.Series(a),
        "dict": [*a],
    }
    one, other = tl.fit(column, Y), tl.fit(flat[container], Y)
    assert torch.equal(one.coef, other.coef)
    assert one.coef.shape == (1,)


def frame(kind: str) -> Any:
    columns = {"area": X[:, 0], "rooms": X[:, 1], "price": Y, "rent": 2 * Y, "trust": W}
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table, "dict": dict}[kind](columns)


kinds = pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "dict"])


@kinds
def test_columns_by_name(kind: str) -> None:
    fit = tl.fit(frame(kind), "price", columns=["rooms", "area"], weights="trust")
    assert fit.names == ("rooms", "area")
    np.testing.assert_allclose(coefficients(fit), WEIGHTED[[1, 0, 2]], rtol=1e-12)
    by_values = tl.fit(frame(kind), "price", columns=["rooms", "area"], weights=torch.from_numpy(W))
    assert torch.equal(by_values.coef, fit.coef)
    np.testing.assert_allclose(fit.predict(frame(kind)), X @ WEIGHTED[:2] + WEIGHTED[2], rtol=1e-12)


@kinds
def test_several_targets(kind: str) -> None:
    fit = tl.fit(frame(kind), ["price", "rent"], columns=["area", "rooms"])
    assert fit.solution.targets == ("price", "rent")
    assert fit.coef.shape == (2, 2)
    assert fit.intercept.shape == (2,)
    np.testing.assert_allclose(fit.coef[:, 1], 2 * fit.coef[:, 0], rtol=1e-13)
    assert fit.predict(frame(kind)).shape == (N, 2)
    assert fit.equation.splitlines()[1].startswith("rent = ")


@kinds
def test_a_frame_with_the_values_of_a_target_keeps_its_names(kind: str) -> None:
    features = {name: values for name, values in frame("dict").items() if name in ("area", "rooms")}
    whole = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table, "dict": dict}[kind](features)
    fit = tl.fit(whole, pd.Series(Y, name="price"))
    assert fit.names == ("area", "rooms")
    assert fit.solution.targets == ("price",)
    swapped = pd.DataFrame(features)[["rooms", "area"]]
    np.testing.assert_array_equal(fit.predict(swapped), fit.predict(whole))
    with pytest.raises(tl.InvalidInput, match="rooms"):
        fit.predict(swapped[["area"]])
    assert tl.fit(whole, Y).solution.targets == ("y",)
    assert tl.fit(whole, np.column_stack([Y, Y])).solution.targets == ("y0", "y1")
    with pytest.raises(tl.InvalidInput, match="'area' is the target and also a feature"):
        tl.fit(whole, pd.Series(Y, name="area"))
    with pytest.raises(tl.InvalidInput, match=r"y has shape \(39,\) for 40 rows"):
        tl.fit(whole, Y[1:])


def test_values_beside_a_frame_go_by_position_and_never_by_index() -> None:
    features = pd.DataFrame(X, columns=["a", "b"], index=RNG.permutation(N))
    fit = tl.fit(features, pd.Series(Y), weights=pd.Series(W, index=range(N, 2 * N)))
    np.testing.assert_allclose(coefficients(fit), WEIGHTED, rtol=1e-12)
    assert list(features.columns) == ["a", "b"]


def test_names_in_use_are_left_alone() -> None:
    features = pd.DataFrame({"y": X[:, 0], "weights": X[:, 1]})
    fit = tl.fit(features, Y, weights=W)
    assert (fit.names, fit.solution.targets) == (("y", "weights"), ("y_",))
    np.testing.assert_allclose(coefficients(fit), WEIGHTED, rtol=1e-12)


def test_a_frame_of_categories_with_the_values_of_a_target() -> None:
    city = np.array(["Lyon", "Paris"])[(X[:, 0] > 0).astype(int)]
    fit = tl.fit(pd.DataFrame({"city": city}), Y)
    assert fit.coef.item() == pytest.approx(Y[X[:, 0] > 0].mean() - Y[X[:, 0] <= 0].mean())


def test_files_take_names_only(tmp_path: Any) -> None:
    path = tmp_path / "houses.csv"
    pd.DataFrame({"area": X[:, 0], "price": Y}).to_csv(path, index=False)
    with pytest.raises(
        tl.InvalidInput, match=r"target for a file is the name of a column .*ndarray of shape"
    ):
        tl.fit(path, Y)
    with pytest.raises(tl.InvalidInput, match="weights for a file is the name of a column"):
        tl.fit(path, "price", weights=W)


@pytest.mark.parametrize("kind", ["sampling", "analytic"])
def test_weight_types_are_named(kind: str) -> None:
    with pytest.raises(tl.InvalidInput, match="precision, frequency"):
        tl.fit(X, Y, weights=W, weight_type=kind)


def test_frequencies_are_copies() -> None:
    counts = W.astype(int)
    copies = tl.fit(X.repeat(counts, axis=0), Y.repeat(counts))
    table = tl.fit(X, Y, weights=counts, weight_type="frequency").summary().to_frame()
    pd.testing.assert_frame_equal(table, copies.summary().to_frame(), rtol=1e-11)
    precise = tl.fit(X, Y, weights=counts).summary().to_frame()
    np.testing.assert_allclose(precise["coef"], table["coef"], rtol=1e-12)
    assert (precise["se"] > table["se"]).all()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (torch.empty(3, 2, device="meta"), "X is on the meta device"),
        (np.array(["2024-01-01", "2025-01-01"], dtype="M8[D]"), "X holds dates.*days since"),
        (np.ma.masked_greater(X, 1.0), r"NaN or inf \(x0: \d+, x1: \d+\)"),
        (X * 1j, "X is complex"),
        (np.float64(3.0), r"X has shape \(\); expected \(n, p\)"),
        (np.zeros((2, 2, 2)), r"X has shape \(2, 2, 2\); expected \(n, p\)"),
    ],
)
def test_arrays_that_are_no_rows(given: Any, sentence: str) -> None:
    with pytest.raises(tl.TorchlinearError, match=sentence):
        tl.fit(given, Y)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"solver": tl.Adam}, "got the class Adam: call it"),
        ({"max_epochs": 1.5}, "max_epochs=1.5: expected a whole number above 0"),
        ({"max_epochs": "3"}, "expected a whole number above 0"),
        ({"tol": 0}, "tol=0: expected a number above 0"),
        ({"time_limit": float("nan")}, "time_limit=nan: expected a number above 0"),
        ({"precision": "single"}, "Known: auto, extended, double"),
        ({"missing": "ignore"}, "Known: error, drop, mean"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(tl.InvalidInput, match=sentence):
        tl.fit(X, Y, **options)


def settings() -> list[Any]:
    blas = [(library["filepath"], library["num_threads"]) for library in threadpool_info()]
    return [torch.get_rng_state().tolist(), str(np.random.get_state()), torch.get_num_threads(), blas,
            torch.get_default_dtype(), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
            np.geterr(), torch.get_float32_matmul_precision()]  # fmt: skip


@pytest.mark.parametrize("solver", ["auto", "qr", "bgd", "sgd", "adam"])
def test_a_fit_leaves_the_process_as_it_was(solver: str) -> None:
    before = settings()
    fit = tl.fit(X, Y, solver=solver, max_epochs=5)
    fit.predict(X)
    assert settings() == before
    with torch.no_grad():
        tl.fit(torch.from_numpy(X).requires_grad_(), Y, solver=solver, max_epochs=5)


def test_a_fit_that_fails_leaves_the_process_as_it_was() -> None:
    before = settings()
    with pytest.raises(tl.DataError):
        tl.fit(np.where(X > 1, np.nan, X), Y)
    assert settings() == before


def test_the_default_dtype_and_device_do_not_matter() -> None:
    plain = tl.fit(X, Y)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(tl.fit(X, Y).coef, plain.coef)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        assert torch.equal(tl.fit(X, Y).coef, plain.coef)


def test_fits_in_threads_at_once() -> None:
    generator = torch.Generator().manual_seed(1)
    problems = [torch.randn(200_000, 3 + i, generator=generator, dtype=torch.float64) for i in range(4)]
    targets = [problem.sum(dim=1) for problem in problems]
    alone = [tl.fit(*problem).coef for problem in zip(problems, targets)]
    together: list[Any] = [None] * 4
    threads: list[Any] = [None] * 4

    def work(i: int) -> None:
        together[i] = tl.fit(problems[i], targets[i]).coef
        threads[i] = torch.get_num_threads()

    before, running = settings(), [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(alone, together))
    assert threads == [torch.get_num_threads()] * 4
    assert settings() == before
