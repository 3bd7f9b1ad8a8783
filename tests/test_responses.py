"""What is predicted: labels, means, probabilities and linear predictors, for every kind of new rows."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import torchlinear as tl
from torchlinear.losses.probability import PROBABILITIES

N = 240
RNG = np.random.default_rng(11)
X = RNG.normal(size=(N, 3)) * [1.0, 20.0, 0.1]
SCORE = X @ [1.0, -0.05, 4.0] + RNG.logistic(size=N)
TWO = np.where(SCORE > 0, "yes", "no")
THREE = np.select([SCORE < -1, SCORE < 1], ["low", "middle"], "high")
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(
    two=TWO, three=THREE, count=RNG.poisson(np.exp(SCORE / 4))
)

SAME = 1e-6  # scikit-learn's solver stops where its slope is below its tol; here 1e-10 of curvature 0.1


@pytest.mark.parametrize(("loss", "y"), [("logistic", TWO), ("softmax", TWO), ("softmax", THREE)])
def test_classes_and_probabilities_are_those_of_scikit_learn(loss: str, y: np.ndarray) -> None:
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)
    fit = tl.fit(X, y, loss=loss)
    assert fit.classes == tuple(peer.classes_)
    np.testing.assert_array_equal(fit.predict(X), peer.predict(X))
    np.testing.assert_allclose(fit.predict_proba(X), peer.predict_proba(X), atol=SAME)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_sum_to_one_and_keep_their_digits(name: str) -> None:
    """That of the first class too: where the second's rounds to 1, theirs is what 1 less it would lose."""
    edge = pytest.warns(tl.ConvergenceWarning, match="end of its range") if name == "log" else nullcontext()
    with edge:
        fit = tl.fit(X[:, :1], TWO, loss="binomial", link=name)
    proba = fit.predict_proba(X[:, :1])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(fit.predict(X[:, :1]), np.where(proba[:, 1] > 0.5, "yes", "no"))
    np.testing.assert_array_equal(fit.predict(X[:, :1], kind="mean"), proba[:, 1])


def test_the_first_class_is_not_rounded_away() -> None:
    fit = tl.fit(X[:, :1], TWO, loss="logistic")
    far = np.array([[250.0 / float(fit.coef)]])
    eta = fit.predict(far, kind="link")
    first, second = fit.predict_proba(far)[0]
    assert second == 1.0
    assert first == pytest.approx(np.exp(-eta[0]), rel=1e-14)
    assert 0 < first < 1e-100


def test_kinds_are_functions_of_the_linear_predictor() -> None:
    count = tl.fit(FRAME[["a", "c"]], FRAME["count"], loss="poisson")
    new = FRAME[["a", "c"]][:5]
    link = count.predict(new, kind="link")
    np.testing.assert_allclose(link, new.to_numpy() @ count.coef.numpy() + float(count.intercept), rtol=1e-12)
    np.testing.assert_allclose(count.predict(new), np.exp(link), rtol=1e-15)
    np.testing.assert_array_equal(count.predict(new), count.predict(new, kind="mean"))
    many = tl.fit(X, THREE, loss="softmax")
    np.testing.assert_allclose(
        many.predict(X, kind="mean"), torch.from_numpy(many.predict(X, kind="link")).softmax(1), rtol=1e-14
    )
    assert many.predict(X, kind="link").shape == (N, 3)
    line = tl.fit(X, SCORE)
    np.testing.assert_array_equal(line.predict(X), line.predict(X, kind="link"))


@pytest.mark.parametrize("kind", ["label", "mean", "proba", "link"])
@pytest.mark.parametrize("y", [TWO, THREE])
def test_tensors_arrays_frames_and_blocks_say_the_same(kind: Any, y: np.ndarray) -> None:
    loss = "logistic" if y is TWO else "softmax"
    fit, framed = tl.fit(X, y, loss=loss), tl.fit(FRAME[["a", "b", "c"]], y, loss=loss)
    found = fit.predict(X, kind=kind)
    from_tensor = fit.predict(torch.from_numpy(X), kind=kind)
    assert isinstance(from_tensor, torch.Tensor) == (kind != "label")
    np.testing.assert_array_equal(np.asarray(from_tensor), found)
    if kind == "label":
        np.testing.assert_array_equal(framed.predict(FRAME), found)
        blocks = torch.cat(list(fit.predict_blocks(X)))
        np.testing.assert_array_equal(np.array(fit.classes)[blocks[:, 0].long()], found)
    else:
        np.testing.assert_allclose(framed.predict(FRAME, kind=kind), found, rtol=1e-9, atol=1e-12)
        blocks = torch.cat(list(fit.predict_blocks(X, kind=kind))).squeeze(1)
        np.testing.assert_array_equal(blocks.numpy(), found)


def test_float32_rows_have_float32_probabilities_and_labels_of_their_own_dtype() -> None:
    x = torch.from_numpy(X).float()
    fit = tl.fit(x, torch.from_numpy(SCORE > 0).long() * 3, loss="logistic")
    assert fit.predict_proba(x).dtype == torch.float32
    assert fit.predict(x).dtype == torch.int64
    assert set(fit.predict(x).tolist()) == {0, 3}


def test_rows_that_cannot_be_predicted() -> None:
    new = FRAME[:3].copy()
    new.loc[1, "b"] = np.nan
    text = tl.fit(FRAME, "two", columns=["a", "b", "c"], loss="logistic")
    assert text.predict(new)[1] is None
    assert {text.predict(new)[0], text.predict(new)[2]} <= {"yes", "no"}
    assert np.isnan(text.predict_proba(new)[1]).all()
    assert np.isfinite(text.predict_proba(new)[[0, 2]]).all()
    many = tl.fit(FRAME, "three", columns=["a", "b", "c"], loss="softmax")
    assert many.predict(new)[1] is None
    count = tl.fit(FRAME, "count", columns=["a", "b", "c"], loss="poisson")
    np.testing.assert_array_equal(np.isnan(count.predict(new)), [False, True, False])


def test_the_module_gives_scores() -> None:
    x = torch.from_numpy(X)
    two, three = tl.fit(x, TWO.tolist(), loss="logistic"), tl.fit(x, THREE.tolist(), loss="softmax")
    torch.testing.assert_close(torch.sigmoid(two.module(x))[:, 0], two.predict_proba(x)[:, 1])
    torch.testing.assert_close(torch.softmax(three.module(x), dim=1), three.predict_proba(x))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "response"}, r"kind='response' is not known. Known: label, mean, proba, link"),
        (
            {"kind": "label"},
            r"kind='label' takes a model of classes, but this one \(loss poisson, log link\)",
        ),
        ({"kind": "proba"}, r"kind='proba' takes a model of classes.*use kind='mean' or kind='link'"),
        ({"interval": 0.95}, r"interval=0.95 is for squared loss, not poisson, log link"),
    ],
)
def test_what_a_model_cannot_predict(options: dict[str, Any], sentence: str) -> None:
    fit = tl.fit(FRAME[["a"]], FRAME["count"], loss="poisson")
    with pytest.raises(tl.InvalidInput, match=sentence):
        fit.predict(FRAME, **options)


def test_a_trained_module_predicts_what_it_returns() -> None:
    model = torch.nn.Linear(1, 1)
    x = torch.arange(4.0)[:, None]
    fit = tl.train(model, x, 2 * x, epochs=1)
    with pytest.raises(tl.InvalidInput, match=r"kind= goes with tl\.fit"):
        fit.predict(x, kind="mean")


def test_a_list_of_texts_is_labels_unless_columns_are_called_so() -> None:
    by_list = tl.fit(FRAME[["a", "b", "c"]], TWO.tolist(), loss="logistic")
    by_name = tl.fit(FRAME, "two", columns=["a", "b", "c"], loss="logistic")
    assert by_list.solution.targets == ("y",)
    np.testing.assert_array_equal(by_list.coef, by_name.coef)
    both = tl.fit(
        {"x": [0.0, 1.0, 3.0], "u": [0.1, 0.2, 0.9], "v": [0.5, 0.3, 0.2]}, ["u", "v"], loss="logistic"
    )
    assert both.solution.targets == ("u", "v")
    assert both.classes is None
    with pytest.raises(tl.InvalidInput, match=r"names a column, but the data is a ndarray"):
        tl.fit(X, TWO.tolist())


def test_words_about_a_fit() -> None:
    assert repr(tl.fit(X, THREE, loss="softmax")) == "Fit(softmax, 3 features, 3 classes, converged)"
    assert repr(tl.fit(X, TWO, loss="logistic")).startswith(
        "Fit(binomial, logit link, 3 features, converged: log-odds(y=yes) = "
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_labels_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"
    FRAME.to_csv(path, index=False) if suffix == "csv" else FRAME.to_parquet(path)
    fit = tl.fit(path, "three", columns=["a", "b", "c"], loss="softmax")
    again = tl.fit(X, THREE, loss="softmax")
    assert fit.classes == again.classes == ("high", "low", "middle")
    np.testing.assert_allclose(fit.coef, again.coef, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(fit.predict(path), again.predict(X))
