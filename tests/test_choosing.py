"""`tl.choose` says what `tl.fit` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.solvers import REGISTRY

N = 60


@pytest.fixture
def X(rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=(N, 3)))


@pytest.fixture
def y(rng: np.random.Generator) -> torch.Tensor:
    """Counts, of which some are 0: what every loss takes but softmax."""
    return torch.from_numpy(rng.poisson(2.0, size=N)).double()


CASES: list[tuple[str, dict[str, Any]]] = [
    ("cholesky", {}),
    ("coordinate", {"penalty": tl.L1(0.1)}),
    ("cholesky", {"penalty": "l2", "intercept": False}),
    ("newton", {"loss": "poisson", "exposure": np.full(N, 2.0)}),
    ("newton", {"loss": "poisson", "penalty": tl.L2(0.1), "tol": 1e-6, "max_epochs": 50}),
    ("proximal_newton", {"loss": tl.Tweedie(power=1.5), "penalty": tl.L1L2(0.1, 0.5)}),
    ("interior_point", {"loss": "quantile", "weights": np.full(N, 2.0), "weight_type": "frequency"}),
    ("newton", {"loss": tl.Huber()}),
    ("newton", {"loss": "softmax", "penalty": tl.L2(0.1)}),  # a count that is there once may be told apart
    ("lbfgs", {"loss": "softmax", "penalty": "l2", "solver": "lbfgs"}),
    ("mbgd", {"solver": "mbgd", "max_epochs": 3}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_it_names_the_solver_and_the_reason_of_the_fit(
    X: torch.Tensor, y: torch.Tensor, name: str, arguments: dict[str, Any]
) -> None:
    choice, fit = tl.choose(X, y, **arguments), tl.fit(X, y, **arguments)
    assert (choice.solver, choice.why) == (name, fit.solver)


@pytest.mark.parametrize("arguments", [arguments for _, arguments in CASES])
def test_every_other_solver_is_able_or_refused_as_the_fit_refuses_it(
    X: torch.Tensor, y: torch.Tensor, arguments: dict[str, Any]
) -> None:
    choice = tl.choose(X, y, **arguments)
    assert sorted([choice.solver, *choice.able, *choice.refusals]) == sorted(REGISTRY.entries)
    for name, reason in choice.refusals.items():
        with pytest.raises(tl.InvalidInput) as refused:
            tl.fit(X, y, **{**arguments, "solver": name})
        assert str(refused.value) == f"solver={REGISTRY.load(name)().name!r}: {reason}"
        assert reason.endswith(".")
        assert reason in " ".join(str(choice).split())
    for name in choice.able:
        assert tl.choose(X, y, **{**arguments, "solver": name}).solver == name


def test_dependent_and_many_columns_change_the_choice(X: torch.Tensor, y: torch.Tensor) -> None:
    twice = torch.column_stack([X, X[:, 0]])
    assert tl.choose(twice, y).why.startswith("qr (double-double): columns look dependent")
    many = torch.randn(N, 3_001, dtype=torch.float64)
    assert tl.choose(many, y, loss="poisson", penalty="l2").solver == "newton_cg"
    assert tl.choose(many, y, penalty="l1").why.endswith("few columns at a time")


def test_frames_and_formulas(y: torch.Tensor) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"v": np.arange(N) / 7.0, "c": list("ab") * (N // 2), "y": y})
    assert tl.choose(frame, formula="y ~ v + C(c)", loss="poisson").solver == "newton"
    assert tl.choose(frame, "y").solver == "cholesky"


def test_mistakes_raise_as_in_fit(X: torch.Tensor, y: torch.Tensor) -> None:
    for arguments in ({"loss": "squarred"}, {"solver": "newton"}, {"missing": "never"}, {"weights": y[:3]}):
        with pytest.raises(tl.InvalidInput) as ours:
            tl.choose(X, y, **arguments)
        with pytest.raises(tl.InvalidInput) as theirs:
            tl.fit(X, y, **arguments)  # type: ignore[arg-type]
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(TypeError, match="los"):
        tl.choose(X, y, los="poisson")


def test_it_prints_as_a_table() -> None:
    choice = tl.choose([[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 0.0, 1.0], loss="logistic")
    lines = str(choice).splitlines()
    assert lines[0] == "solver    newton: a smooth loss, reweighted least squares"
    assert lines[1].startswith("also      newton_cg, lbfgs, ")
    assert "not       qr solves squared loss only, not binomial; use loss='squared'." in lines
    assert max(map(len, lines)) <= 80
