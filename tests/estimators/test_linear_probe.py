"""LinearProbe: embeddings of every kind, the choice of a penalty, and the layer that comes out."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, top_k_accuracy_score

import torchlinear as tl
from torchlinear.probe.choice import splits_of

N, P, K = 600, 8, 6
ALPHA = [1e-1, 1e-2, 1e-3, 1e-4]
# A gap of 1e-8 is an error of 1e-4 in the coefficients, and in losses on other rows, which are not at a minimum.
NEAR = 1e-4
NAMES = np.array(["ant", "bee", "cat", "dog", "elk", "fox"])


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(N, P)).astype(np.float32)
    y = (X @ rng.normal(size=(P, K)) + rng.gumbel(size=(N, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, NAMES[y]


@pytest.fixture
def probe(data: Any) -> tl.LinearProbe:
    return tl.LinearProbe(ALPHA).fit(*data)


def reference(X: Any, y: Any, alpha: float) -> LogisticRegression:
    return LogisticRegression(C=1 / (len(X) * alpha), tol=1e-10, max_iter=10_000, solver="newton-cg").fit(
        np.asarray(X, dtype=np.float64), y
    )


def test_results_are_those_of_scikit_learn_on_the_same_split(probe: tl.LinearProbe, data: Any) -> None:
    X, y = data
    (fit, judge), *none = splits_of(N, held_out=0.2, folds=None, seed=0)
    assert not none
    assert (len(fit), len(judge)) == (480, 120)
    assert probe.results is not None
    assert probe.results["converged"].all()
    for _, row in probe.results.iterrows():
        shares = reference(X[fit], y[fit], row["penalty"]).predict_proba(X[judge].astype(np.float64))
        assert row["log_loss"] == pytest.approx(log_loss(y[judge], shares, labels=NAMES), rel=NEAR)
        assert row["top1"] == pytest.approx(
            top_k_accuracy_score(y[judge], shares, k=1, labels=NAMES), abs=0.01
        )
        assert row["top5"] == pytest.approx(
            top_k_accuracy_score(y[judge], shares, k=5, labels=NAMES), abs=0.01
        )
    best = probe.results.loc[probe.results["log_loss"].idxmin(), "penalty"]
    assert probe.penalty == tl.L2(best)


def test_the_layer_is_fitted_on_all_rows(probe: tl.LinearProbe, data: Any) -> None:
    X, y = data
    truth = reference(X, y, probe.penalty.alpha)
    assert type(probe.module) is torch.nn.Linear
    assert probe.module.weight.dtype is torch.float32
    assert probe.classes == tuple(NAMES)
    np.testing.assert_allclose(probe.module.weight.detach(), truth.coef_, rtol=0, atol=1e-3)
    eta = probe.module(torch.from_numpy(X)).detach().double()
    np.testing.assert_allclose(eta.softmax(dim=1), truth.predict_proba(X), rtol=0, atol=1e-4)
    assert probe.status is tl.Status.CONVERGED
    assert probe.gap <= 1e-8


def test_predictions(probe: tl.LinearProbe, data: Any) -> None:
    X, y = data
    shares = probe.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-14)
    labels = probe.predict(X)
    assert (labels == NAMES[shares.argmax(axis=1)]).all()
    assert probe.score(X, y) == (labels == y).mean() > 0.5
    assert isinstance(probe.predict_proba(torch.from_numpy(X)), torch.Tensor)


def test_numbers_come_back_as_numbers(data: Any) -> None:
    X, y = torch.from_numpy(data[0]), torch.from_numpy(np.searchsorted(NAMES, data[1]) * 10)
    probe = tl.LinearProbe([0.01]).fit(X, y)
    assert probe.classes == (0, 10, 20, 30, 40, 50)
    assert probe.results is None
    found = probe.predict(X)
    assert found.dtype == torch.int64
    assert float((found == y).double().mean()) == probe.score(X, y)


@pytest.mark.parametrize(
    "kind", ["npy", "npy y", "safetensors", "safetensors y", "parquet lists", "parquet columns", "frame"]
)
def test_every_kind_of_embeddings_gives_the_same_layer(
    kind: str, probe: tl.LinearProbe, data: Any, tmp_path: Path
) -> None:
    X, y = data
    given: Any = tmp_path / f"embeddings.{kind.split()[0]}"
    labels: Any = y
    if kind.startswith("npy"):
        np.save(given, X)
        if kind.endswith("y"):
            labels = tmp_path / "labels.npy"
            np.save(labels, y)
    elif kind == "frame":
        given = pd.DataFrame(X)
    elif kind.startswith("safetensors"):
        tensors = {"features": torch.from_numpy(X), "labels": torch.from_numpy(np.searchsorted(NAMES, y))}
        save_file(tensors, given)
        labels = "labels" if kind.endswith("y") else y
    elif kind.endswith("lists"):
        pq.write_table(pa.table({"vector": list(X), "animal": y}), given)
        labels = "animal"
    else:
        pq.write_table(pa.table({**{f"x{j}": X[:, j] for j in range(P)}, "animal": y}), given)
        labels = "animal"
    found = tl.LinearProbe(ALPHA).fit(given, labels)
    assert torch.equal(found.module.weight, probe.module.weight)
    assert found.score(given, labels) == probe.score(X, y)


def test_narrow_floats_stay_narrow(data: Any) -> None:
    X = torch.from_numpy(data[0])
    found = tl.LinearProbe([0.01]).fit(X.bfloat16(), data[1])
    truth = tl.LinearProbe([0.01]).fit(X.bfloat16().double(), data[1])
    assert found.module.weight.dtype is torch.float32
    assert truth.module.weight.dtype is torch.float64
    torch.testing.assert_close(found.module.weight.double(), truth.module.weight, rtol=0, atol=1e-3)
    chosen = tl.LinearProbe(ALPHA).fit(X.half(), data[1])
    assert chosen.results is not None
    assert chosen.results["converged"].all()
    assert chosen.score(X.half(), data[1]) > 0.5


def test_a_validation_set_of_its_own(data: Any) -> None:
    X, y = data
    probe = tl.LinearProbe(ALPHA).fit(X[:400], y[:400], validation=(X[400:], y[400:]))
    assert probe.results is not None
    shares = [reference(X[:400], y[:400], a).predict_proba(X[400:].astype(np.float64)) for a in ALPHA]
    truth = [log_loss(y[400:], share, labels=NAMES) for share in shares]
    np.testing.assert_allclose(probe.results["log_loss"], truth, rtol=NEAR)
    truth_all = reference(X[:400], y[:400], probe.penalty.alpha)  # the validation rows stay out
    np.testing.assert_allclose(probe.module.weight.detach(), truth_all.coef_, rtol=0, atol=1e-3)


def test_folds(data: Any) -> None:
    X, y = data
    probe = tl.LinearProbe(ALPHA, folds=3, seed=5, choose_by="top1").fit(X, y)
    assert probe.results is not None
    losses = []
    for fit, judge in splits_of(N, held_out=0.2, folds=3, seed=5):
        assert len(fit) + len(judge) == N
        shares = [reference(X[fit], y[fit], a).predict_proba(X[judge].astype(np.float64)) for a in ALPHA]
        losses.append([log_loss(y[judge], share, labels=NAMES) for share in shares])
    np.testing.assert_allclose(probe.results["log_loss"], np.mean(losses, axis=0), rtol=NEAR)
    error = np.std(losses, axis=0, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(probe.results["log_loss_error"], error, rtol=1e-2)
    top = probe.results["top1"]
    assert top[probe.results["penalty"] == probe.penalty.alpha].item() == top.max()


def test_the_grid_spans_from_nothing_to_everything(data: Any) -> None:
    probe = tl.LinearProbe(7).fit(*data)
    assert probe.results is not None
    steps = np.diff(np.log10(probe.results["penalty"]))
    np.testing.assert_allclose(steps, -7.0 / 6.0, rtol=1e-12)
    losses = probe.results["log_loss"]
    assert losses[0] > 1.05 * losses.min()  # nothing of the columns is left
    assert abs(losses[6] / losses[5] - 1.0) < 0.2  # and nothing changes any more
    assert tl.LinearProbe(7).fit(1e3 * data[0], data[1]).results["log_loss"].to_numpy() == pytest.approx(  # type: ignore[index]
        probe.results["log_loss"].to_numpy(), rel=1e-4
    )


def test_without_an_intercept(data: Any) -> None:
    probe = tl.LinearProbe([0.01], intercept=False).fit(*data)
    assert probe.module.bias is None
    truth = LogisticRegression(C=100 / N, tol=1e-10, max_iter=10_000, solver="newton-cg", fit_intercept=False)
    np.testing.assert_allclose(
        probe.module.weight.detach(), truth.fit(data[0].astype(float), data[1]).coef_, rtol=0, atol=1e-3
    )
    assert probe.score(*data) > 0.5


def test_it_is_pickled_without_rows(probe: tl.LinearProbe, data: Any) -> None:
    kept = pickle.dumps(probe)
    assert len(kept) < data[0].nbytes
    assert (pickle.loads(kept).predict(data[0]) == probe.predict(data[0])).all()


def test_plot(probe: tl.LinearProbe, data: Any) -> None:
    ax = probe.plot()
    assert probe.results is not None
    line = ax.lines[0]
    np.testing.assert_allclose(np.sort(line.get_xdata()), np.sort(ALPHA))
    np.testing.assert_allclose(np.sort(line.get_ydata()), np.sort(probe.results["log_loss"]))
    with pytest.raises(tl.InvalidInput, match="nothing to plot"):
        tl.LinearProbe([0.1]).fit(*data).plot()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalties": [0.0]}, "numbers above 0"),
        ({"penalties": []}, "at least one"),
        ({"penalties": "l2"}, "whole number"),
        ({"penalties": 0}, "whole number"),
        ({"penalties": [tl.L2(1.0, column_weights=[1.0])]}, "without column weights"),
        ({"choose_by": "f1"}, "Known: log_loss, top1, top5"),
        ({"folds": 1}, "at least 2"),
        ({"held_out": 1.5}, "above 0 and below 1"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(tl.InvalidInput, match=message):
        tl.LinearProbe(**options)


def test_what_cannot_be_fitted(probe: tl.LinearProbe, data: Any, tmp_path: Path) -> None:
    X, y = data
    broken = X.copy()
    broken[3, 2] = np.nan
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    for arguments, message in (
        ((X,), "y is missing"),
        ((X, y[:-1]), r"y has shape"),
        ((X, np.full(N, "a")), "one class only"),
        ((broken, y), "NaN or inf"),
        ((X[0], y[:1]), r"expected \(n, p\)|rows of X"),
        ((X, "label"), "pass the labels themselves"),
        ((tmp_path / "none.npy", y), "no such file"),
        ((X, str(tmp_path / "none.npy")), "no such file"),
        (
            (X, tmp_path / "labels.csv"),
            "labels.csv': expected labels, the path of a .npy file, or the name of a",
        ),
        ((tmp_path / "rows.csv", y), "a path ending in"),
        ((tmp_path / "bad.npy", y), "not a readable"),
    ):
        with pytest.raises(tl.TorchlinearError, match=message):
            tl.LinearProbe(3).fit(*arguments)
    with pytest.raises(tl.InvalidInput, match="fitted on 8"):
        probe.predict(X[:, :3])
    with pytest.raises(tl.DataError, match="'owl', which is none of the 6 classes"):
        probe.score(X[:1], ["owl"])
    with pytest.raises(tl.InvalidInput, match="not fitted yet"):
        tl.LinearProbe().predict(X)
    with pytest.raises(tl.InvalidInput, match="validation has 3 columns for 8"):
        tl.LinearProbe(3).fit(X, y, validation=(X[:, :3], y))


def test_weights_are_those_of_scikit_learn(data: Any, rng: np.random.Generator) -> None:
    X, y = data
    weight = rng.gamma(1.0, size=len(y))
    probe = tl.LinearProbe([0.03], tol=1e-12).fit(X.astype(np.float64), y, weight)
    model = LogisticRegression(C=1.0 / (0.03 * weight.sum()), tol=1e-12, max_iter=10_000)
    model.fit(X.astype(np.float64), y, sample_weight=weight)
    ours = probe.predict_proba(X.astype(np.float64))
    np.testing.assert_allclose(ours, model.predict_proba(X.astype(np.float64)), rtol=0, atol=1e-6)
    score = model.score(X.astype(np.float64), y, sample_weight=weight)
    assert probe.score(X, y, weight) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("folds", [None, 3])
def test_weights_stand_for_equal_rows(data: Any, rng: np.random.Generator, folds: int | None) -> None:
    """In the fit; and in the judgement by rows of their own, where weights say how often they stand there."""
    X, y = data
    weight, judging = rng.integers(0, 4, len(y)), rng.integers(0, 3, len(y))
    again, twice = np.repeat(np.arange(len(y)), weight), np.repeat(np.arange(len(y)), judging)
    if folds is not None:  # every weight alike changes nothing, whatever the splits
        probes = [tl.LinearProbe(4, folds=folds).fit(X, y, w) for w in (None, np.full(len(y), 3.0))]
    else:
        probes = [
            tl.LinearProbe(4, tol=1e-10).fit(X, y, weight, validation=(X, y, judging)),
            tl.LinearProbe(4, tol=1e-10).fit(X[again], y[again], validation=(X[twice], y[twice])),
        ]
    frames = [probe.results for probe in probes]
    assert frames[0] is not None
    alike = [
        "penalty",
        "log_loss",
        "top1",
        "top5",
        *(["log_loss_error"] if folds else []),
    ]  # which counts rows
    for name in alike:
        np.testing.assert_allclose(frames[0][name], frames[1][name], rtol=1e-4, err_msg=name)
    for ours, theirs in zip(probes[0].module.parameters(), probes[1].module.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_weights_that_are_none(data: Any) -> None:
    X, y = data
    for weight, message in (
        (np.ones(3), "weights has shape"),
        (np.full(len(y), -1.0), "at least 0"),
        (np.zeros(len(y)), "weights sum to zero"),
    ):
        with pytest.raises(tl.TorchlinearError, match=message):
            tl.LinearProbe([0.1]).fit(X, y, weight)
