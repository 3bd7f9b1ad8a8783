"""Paths of losses that are not squared: R's glmnet, single fits, and rules of a path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import torchlinear as tl
from torchlinear.solvers import screened

Array = np.ndarray[Any, Any]

CASES = ("birthwt_binomial", "quine_poisson", "iris_multinomial")
LOSSES = {"binomial": "logistic", "multinomial": "softmax", "poisson": "poisson"}
# R's own stopping rule, thresh in the files, leaves so many digits where there is no solution of 50 digits.
PRINTED = 1e-6


def case(truth: Path, name: str, mix: str) -> tuple[Array, Array, dict[str, Any]]:
    known = json.loads((truth / "r" / f"enet_{name}_a{mix}.json").read_text())
    return np.array(known["X"], dtype=float), np.array(known["y"]), known


@pytest.mark.parametrize("mix", ["0", "0.5", "1"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_path_of_glmnet(truth: Path, name: str, mix: str) -> None:
    X, y, known = case(truth, name, mix)
    penalty = tl.L1L2(mix=known["alpha"], standardize=True)
    path = tl.path(X, y, loss=LOSSES[known["family"]], penalty=penalty, alphas=known["lambda"])
    np.testing.assert_allclose(path.r2[:, 0], known["dev_ratio"], rtol=1e-7)
    assert (path.certificates <= 1e-11).all()
    ours = np.roll(path.coef.numpy(), 1, axis=1)  # the intercept first
    if "exact25" in known:
        exact = np.array([[float(value) for value in each["coef"]] for each in known["exact25"]])
        np.testing.assert_allclose(ours[:, :, 0], exact, rtol=1e-9, atol=1e-11)
    else:
        theirs = np.array(known["coef"]).reshape(ours.shape)
        theirs[:, 0] -= theirs[:, 0].mean(axis=1, keepdims=True)  # any common shift says the same
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=PRINTED * np.abs(theirs).max())


@pytest.mark.parametrize("name", CASES)
def test_it_begins_where_glmnet_begins(truth: Path, name: str) -> None:
    """With the largest slope at the model of the intercept alone: R's files hold 3 of 100 penalties from there."""
    X, y, known = case(truth, name, "1")
    path = tl.path(X, y, loss=LOSSES[known["family"]], penalty=tl.L1(standardize=True))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = np.unique(y)
    Y = y[:, None] if known["family"] != "multinomial" else (y[:, None] == labels).astype(float)
    top = np.abs(Z.T @ (Y - Y.mean(axis=0))).max() / len(y)
    assert path.alphas[0] == pytest.approx(top, rel=1e-10)
    assert path.nonzero[0] == 0 < path.nonzero[1]
    assert len(path) == 100
    assert (np.diff(path.r2[:, 0]) >= -1e-12).all()


def rows(rng: np.random.Generator, n: int, p: int) -> tuple[Array, Array]:
    """Correlated columns in different units, counts that depend on three of them."""
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    y = rng.poisson(np.exp(0.4 * X[:, 0] - 0.3 * X[:, 1] + 0.2 * X[:, 2])).astype(float)
    return X * 10.0 ** rng.uniform(-1, 1, p) + 2.0, y


@pytest.mark.parametrize("penalty", [tl.L1(standardize=True), tl.L1L2(mix=0.3, standardize=True), tl.L2()])
@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("poisson", {}),
        ("poisson", {"intercept": False}),
        ("negative_binomial", {"weights": True}),
        ("logistic", {}),
        ("softmax", {}),
        (tl.Huber(1.345, 1.0), {}),
        ("tweedie", {"exposure": True}),
        ("binomial", {"link": "cloglog"}),
    ],
    ids=str,
)
def test_every_point_is_the_fit_at_its_strength(
    rng: np.random.Generator, loss: Any, options: dict[str, Any], penalty: Any
) -> None:
    X, y = rows(rng, 150, 6)
    y = (
        np.minimum(y, 2.0)
        if loss == "softmax"
        else (y > 0).astype(float)
        if loss in ("logistic", "binomial")
        else y
    )
    given: dict[str, Any] = {"loss": loss, "intercept": options.get("intercept", True)}
    given |= {"link": options["link"]} if "link" in options else {}
    given |= {name: rng.gamma(3.0, size=150) for name in ("weights", "exposure") if name in options}
    path = tl.path(X, y, penalty=penalty, n_penalties=9, least=1e-2, **given)
    assert (path.certificates < 1e-9).all()
    for i in (1, 5, 8):
        fit = tl.fit(X, y, penalty=path.penalties[i], **given)
        assert fit.certificate < 1e-8
        scale = fit.coef.abs().max().item()
        torch.testing.assert_close(path.coef[i], fit.solution.coef, rtol=1e-6, atol=1e-7 * max(scale, 1e-3))
        assert path[i].solution.penalty == str(path.penalties[i])
        np.testing.assert_allclose(path[i].coef.numpy(), fit.coef.numpy(), rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_screening_changes_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, sparse: bool, weighted: bool
) -> None:
    """Columns that the strong rule leaves out are zero, with more columns than rows and unpenalised ones too."""
    X, y = rows(rng, 60, 150)
    X = np.where(rng.random(X.shape) < 0.3, X, 0.0) if sparse else X
    weights = [0.0, 0.0, *rng.uniform(0.5, 2.0, 148)] if weighted else None
    penalty, paths = tl.L1(column_weights=weights, standardize=True), []
    for few in (screened.FEW, 1_000):
        monkeypatch.setattr(screened, "FEW", few)
        paths.append(
            tl.path(
                csr_array(X) if sparse else X, y, loss="poisson", penalty=penalty, n_penalties=30, least=0.03
            )
        )
    np.testing.assert_allclose(paths[0].alphas, paths[1].alphas, rtol=1e-9)
    assert (paths[0].certificates < 1e-9).all()
    torch.testing.assert_close(paths[0].coef, paths[1].coef, rtol=1e-5, atol=1e-6)
    assert bool((paths[0].coef[:, 2:-1] == 0).any(dim=1).all())
    if weighted:
        assert bool((paths[0].coef[0, 2:-1] == 0).all())
        assert bool((paths[0].coef[0, :2] != 0).all())


def test_violators_of_the_strong_rule_are_found(rng: np.random.Generator) -> None:
    """Far steps from penalty to penalty break the rule's assumption; the pass over all columns mends it."""
    X, y = rows(rng, 80, 200)
    far = tl.path(X, y, loss="poisson", alphas=[0.5, 0.02])
    near = tl.path(X, y, loss="poisson", alphas=np.geomspace(0.5, 0.02, 40))
    assert (far.certificates < 1e-9).all()
    torch.testing.assert_close(far.coef[-1], near.coef[-1], rtol=1e-5, atol=1e-7)


def test_frames_labels_and_pictures(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = rows(rng, 90, 4)
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"]).assign(
        kind=np.array(["u", "v", "w"])[np.minimum(y, 2).astype(int)]
    )
    path = tl.path(frame, "kind", loss="softmax", penalty="elastic_net", n_penalties=7)
    assert path.targets == ("u", "v", "w")
    assert set(path[-1].predict(frame)) <= {"u", "v", "w"}
    table = path.to_frame()
    assert table[("explained", "")].tolist() == path.r2[:, 0].tolist()
    ax = path.plot(target="v")
    assert ax.get_ylabel() == "coefficient of v per standard deviation"
    assert "explained deviance up to" in " ".join(
        text.get_text() for text in [*ax.texts, ax.title, *ax.figure.texts]
    )


def test_streams_have_paths(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = rows(rng, 120, 60)
    frame = pandas.DataFrame(X).rename(columns=str).assign(y=y)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    memory = tl.path(frame, "y", loss="poisson", n_penalties=6, least=0.1)
    monkeypatch.setattr("torchlinear.design.streaming.TableRows.collected", lambda rows, *_: rows)
    stream = tl.path(str(tmp_path / "rows.csv"), "y", loss="poisson", n_penalties=6, least=0.1)
    torch.testing.assert_close(stream.coef, memory.coef, rtol=1e-6, atol=1e-8)


def test_a_target_that_says_nothing(rng: np.random.Generator) -> None:
    X = np.column_stack([np.ones(12), np.arange(12.0)])
    path = tl.path(X, np.full(12, 3.0), loss="poisson", n_penalties=3)
    assert (path.coef[:, :-1] == 0).all()
    np.testing.assert_allclose(path.coef[:, -1, 0], np.log(3.0), rtol=1e-12)
