"""Firth's logistic regression: tables with a half added, modified scores at 50 digits, and separated targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch

import torchlinear as tl

Array = np.ndarray[Any, Any]


def modified_scores(X: Array, y: Array, weight: Array, beta: list[Any]) -> Any:
    """Firth's scores at 50 digits, from their definition: X'(w (y - pi) + h (1/2 - pi)); and the information."""
    n, p = X.shape
    rows = [[mp.mpf(float(v)) for v in row] for row in X]
    pi = [1 / (1 + mp.exp(-sum(a * b for a, b in zip(row, beta)))) for row in rows]
    w = [mp.mpf(float(v)) for v in weight]
    info = mp.matrix(p, p)
    for i in range(n):
        for a in range(p):
            for b in range(p):
                info[a, b] += w[i] * pi[i] * (1 - pi[i]) * rows[i][a] * rows[i][b]
    inverse, score = info**-1, mp.matrix(p, 1)
    for i in range(n):
        x = mp.matrix(rows[i])
        h = w[i] * pi[i] * (1 - pi[i]) * (x.T * inverse * x)[0]
        for a in range(p):
            score[a] += (w[i] * (mp.mpf(float(y[i])) - pi[i]) + h * (mp.mpf("0.5") - pi[i])) * rows[i][a]
    return score, inverse


def solved(X: Array, y: Array, weight: Array) -> tuple[list[Any], list[Any]]:
    """Their root and the standard errors there, by steps with the information."""
    mp.mp.dps = 50
    beta = [mp.mpf(0)] * X.shape[1]
    for _ in range(400):
        score, inverse = modified_scores(X, y, weight, beta)
        step = inverse * score
        longest = max(abs(s) for s in step)
        beta = [b + s * min(mp.mpf(1), 5 / longest) for b, s in zip(beta, step)]
        if longest < mp.mpf("1e-30"):
            break
    else:
        raise AssertionError("the reference did not settle")
    return beta, [mp.sqrt(inverse[a, a]) for a in range(len(beta))]


def rows(rng: np.random.Generator, kind: str) -> tuple[Array, Array]:
    """Two columns in different units; labels at random, or told apart by the first."""
    X = rng.normal(size=(24, 2)) * [1.0, 100.0] + [0.0, 50.0]
    chance = 1 / (1 + np.exp(-X[:, 0]))
    y = X[:, 0] > 0.2 if kind == "separated" else rng.uniform(size=24) < chance
    y[:2] = [True, False] if kind != "separated" else y[:2]
    return X, y.astype(float)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["mixed", "separated"])
def test_modified_scores_are_zero_at_50_digits(
    rng: np.random.Generator, kind: str, weighted: bool, intercept: bool
) -> None:
    X, y = rows(rng, kind)
    weight = rng.integers(1, 4, 24).astype(float) if weighted else np.ones(24)
    fit = tl.fit(
        X, y, loss="logistic", penalty=tl.Firth(), intercept=intercept,
        weights=weight if weighted else None, weight_type="frequency",
    )  # fmt: skip
    assert fit.status is tl.Status.CONVERGED
    scale = np.array([1.0, 100.0])  # what the reference iterates on, so that its steps are even
    design = np.column_stack([X / scale, np.ones(24)]) if intercept else X / scale
    beta, se = solved(design, y, weight)
    ours = [*(fit.coef.numpy() * scale), *([float(fit.intercept)] if intercept else [])]
    np.testing.assert_allclose(ours, [float(b) for b in beta], rtol=1e-9, atol=1e-10)
    table = fit.summary().tables[0]
    errors = np.roll(table.se, -1) if intercept else table.se
    np.testing.assert_allclose(
        errors * [*scale, *([1.0] if intercept else [])], [float(s) for s in se], rtol=1e-8
    )


@pytest.mark.parametrize("cells", [(7, 3, 4, 9), (7, 0, 4, 9), (5, 0, 0, 8), (1, 0, 0, 1)])
def test_a_two_by_two_table_has_a_half_added_to_each_cell(cells: tuple[int, ...]) -> None:
    """The model is saturated, where Firth's estimate is the logit with halves (Haldane 1956, Anscombe 1956)."""
    x, y = np.repeat([1.0, 1.0, 0.0, 0.0], cells), np.repeat([1.0, 0.0, 1.0, 0.0], cells)
    fit = tl.fit(x, y, loss="logistic", penalty=tl.Firth())
    a, b, c, d = (count + 0.5 for count in cells)
    assert float(fit.intercept) == pytest.approx(np.log(c / d), rel=1e-11, abs=1e-12)
    assert float(fit.coef) == pytest.approx(np.log(a * d / (b * c)), rel=1e-11, abs=1e-12)
    assert fit.status is tl.Status.CONVERGED
    assert fit.summary().inference


def test_units_and_places_of_the_columns_do_not_matter(rng: np.random.Generator) -> None:
    X, y = rows(rng, "separated")
    here = tl.fit(X, y, loss="logistic", penalty=tl.Firth())
    there = tl.fit(X * [1e6, 1e-4] + [1e7, 3.0], y, loss="logistic", penalty=tl.Firth())
    torch.testing.assert_close(there.coef * torch.tensor([1e6, 1e-4]), here.coef, rtol=1e-6, atol=0)


def test_proportions_with_trials_are_their_labels(rng: np.random.Generator) -> None:
    trials = rng.integers(3, 9, 10)
    successes = rng.binomial(trials, 0.4)
    x = rng.normal(size=10)
    counted = tl.fit(x, successes / trials, loss="logistic", penalty=tl.Firth(), weights=trials)
    labels = np.concatenate([np.repeat([1.0, 0.0], [s, t - s]) for s, t in zip(successes, trials)])
    listed = tl.fit(np.repeat(x, trials), labels, loss="logistic", penalty=tl.Firth())
    torch.testing.assert_close(counted.solution.coef, listed.solution.coef, rtol=1e-9, atol=1e-11)


def test_many_rows_come_near_the_likelihood(rng: np.random.Generator) -> None:
    """The penalty is of the order of one row: log odds move by about p / n."""
    X = rng.normal(size=(20_000, 3))
    y = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    plain = tl.fit(X, y, loss="logistic").coef
    torch.testing.assert_close(
        tl.fit(X, y, loss="logistic", penalty=tl.Firth()).coef, plain, rtol=0, atol=2e-3
    )


def test_separation_names_it_and_files_keep_it(rng: np.random.Generator, tmp_path: Path) -> None:
    X, y = rows(rng, "separated")
    with pytest.warns(tl.ConvergenceWarning, match=r"penalty=tl\.Firth\(\)"):
        tl.fit(X, y, loss="logistic")
    fit = tl.fit(X, y, loss="logistic", penalty=tl.Firth())
    fit.save(tmp_path / "m.safetensors")
    assert str(tl.load(tmp_path / "m.safetensors").summary()) == str(fit.summary())
    assert "Wald's" in fit.summary().notes[0]


def test_what_it_is_not_for(rng: np.random.Generator) -> None:
    X, y = rows(rng, "mixed")
    for options, message in (
        ({"loss": "poisson"}, "Firth.. is for loss='logistic' with one target, not for loss='poisson"),
        ({"loss": "binomial", "link": "probit"}, "not for loss='binomial, probit link'"),
        ({}, "not for loss='squared'"),
        ({"loss": "logistic", "solver": "lbfgs"}, r"lbfgs does not know Firth\(\); use solver='newton'"),
    ):
        with pytest.raises(tl.InvalidInput, match=message):
            tl.fit(X, y, penalty=tl.Firth(), **options)  # type: ignore[arg-type]
    with pytest.raises(tl.DataError, match="leave out x2"):
        tl.fit(np.column_stack([X, X[:, 0]]), y, loss="logistic", penalty=tl.Firth())
    with pytest.raises(tl.InvalidInput):
        tl.path(X, y, loss="logistic", penalty=tl.Firth())  # type: ignore[arg-type]
