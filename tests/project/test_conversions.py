"""Every line of the guide's table of penalties: what stands elsewhere gives what stands here.

The right cells run as they are printed. The left ones are run by the library that they name; glmnet's answers
come from R (tests/truth/r), with 25 digits by its formula, which R's own output matches to ten.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from statsmodels.api import OLS
from torch import nn, optim

import torchlinear as tl

ROOT = Path(__file__).resolve().parents[2]
CLOSED = 1e-11  # relative; both sides are direct solutions in float64
STEPPED = 1e-6  # relative; what some thousand steps leave

Array = np.ndarray
Given = dict[str, object]


def lines(path: str) -> list[tuple[str, str]]:
    """Cells of the table of penalties."""
    text = (ROOT / path).read_text(encoding="utf-8")
    table = re.search(
        r"^\| [^|\n]+ \| [^|\n]+ \|\n\|---\|---\|\n((?:\|.*tl\.fit.*\n|\|.*AdamW.*\n)+)", text, re.M
    )
    assert table is not None
    return [(row.split("|")[1].strip(), row.split("|")[2].strip()) for row in table[1].splitlines()]


LINES = lines("docs/en/guide.md")


def rows(n: int = 60, p: int = 3) -> Given:
    """Rows with columns of different sizes, away from zero, and weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * [1.0, 2.0, 0.5] + [0.5, -1.0, 1.0]
    y = X @ [1.0, -2.0, 3.0] + 4.0 + rng.normal(size=n)
    return given(X, y, 0.3) | {"w": rng.integers(1, 5, n).astype(float)}


def given(X: Array, y: Array, a: float) -> Given:
    """The names of the table."""
    return {"X": X, "y": y, "a": a, "n": len(y), "ones": np.column_stack([np.ones(len(y)), X]), "tl": tl}


def here(cell: str, names: Given) -> Array:
    """Coefficients of a right cell, the intercept first."""
    fit = eval(cell.strip("`"), names)
    return fit.coef.numpy() if "ones" in cell else np.array([float(fit.intercept), *fit.coef.tolist()])


def ridge(names: Given) -> Array:
    model = Ridge(alpha=names["a"]).fit(names["X"], names["y"])
    return np.array([model.intercept_, *model.coef_])


def weighted_ridge(names: Given) -> Array:
    model = Ridge(alpha=names["a"]).fit(names["X"], names["y"], sample_weight=names["w"])
    return np.array([model.intercept_, *model.coef_])


def statsmodels(names: Given) -> Array:
    return np.asarray(OLS(names["y"], names["ones"]).fit_regularized(alpha=names["a"], L1_wt=0).params)


def trained(make: Callable[[nn.Linear], optim.Optimizer]) -> Callable[[Given], Array]:
    """torch's own loop with steps that shrink to zero."""

    def run(names: Given) -> Array:
        X, y = torch.from_numpy(names["X"]), torch.from_numpy(names["y"])[:, None]
        model = nn.Linear(X.shape[1], 1).double()
        optimizer, criterion, steps = make(model), nn.MSELoss(), 4000
        scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        for _ in range(steps):
            optimizer.zero_grad()
            criterion(model(X), y).backward()
            optimizer.step()
            scheduler.step()
        return np.array([model.bias.item(), *model.weight[0].tolist()])

    return run


def weight_alone(model: nn.Linear) -> optim.Optimizer:
    return optim.SGD([{"params": [model.weight], "weight_decay": 0.3}, {"params": [model.bias]}], lr=0.05)


ELSEWHERE: dict[str, tuple[Callable[[Given], Array], float]] = {
    "scikit-learn: `Ridge(alpha=a).fit(X, y)`": (ridge, CLOSED),
    "scikit-learn: `Ridge(alpha=a).fit(X, y, sample_weight=w)`": (weighted_ridge, CLOSED),
    "statsmodels: `OLS(y, ones).fit_regularized(alpha=a, L1_wt=0)`": (statsmodels, CLOSED),
    "torch, `MSELoss`: `SGD(model.parameters(), lr, weight_decay=a)`": (
        trained(lambda model: optim.SGD(model.parameters(), lr=0.05, weight_decay=0.3)),
        STEPPED,
    ),
    "torch, `MSELoss`: `Adam(model.parameters(), lr, weight_decay=a)`": (
        trained(lambda model: optim.Adam(model.parameters(), lr=0.05, weight_decay=0.3)),
        STEPPED,
    ),
    "torch, `MSELoss`: `SGD`, with `weight_decay=a` for the weight alone": (trained(weight_alone), STEPPED),
}
GLMNET = {
    "glmnet: `glmnet(X, y, alpha=0, lambda=a, standardize=FALSE)`": "raw",
    "glmnet, as it is by default: `glmnet(X, y, alpha=0, lambda=a)`": "std",
}
ADAMW = "torch: `AdamW(model.parameters(), lr, weight_decay=a)`"


def test_every_line_is_tested() -> None:
    assert [left for left, _ in LINES if left not in {*ELSEWHERE, *GLMNET, ADAMW}] == []
    assert len(LINES) == len(ELSEWHERE) + len(GLMNET) + 1


def test_both_languages_say_the_same() -> None:
    code = [[re.findall(r"`[^`]+`", f"{left} {right}") for left, right in lines(f"docs/{language}/guide.md")]
            for language in ("en", "zh")]  # fmt: skip
    assert code[0] == code[1]


@pytest.mark.parametrize("left", ELSEWHERE)
def test_other_libraries(left: str) -> None:
    run, tolerance = ELSEWHERE[left]
    names = rows()
    got = here(dict(LINES)[left], names)
    np.testing.assert_allclose(got, run(names), rtol=tolerance)
    # A strength of another meaning would be seen: the penalty moves the answer by more than the tolerance.
    assert np.abs(here(dict(LINES)[left], names | {"a": 2 * names["a"]}) / got - 1).max() > 5 * tolerance


@pytest.mark.parametrize("left", GLMNET)
def test_glmnet(left: str) -> None:
    path = ROOT / "tests" / "truth" / "r" / f"enet_swiss_gaussian_a0_{GLMNET[left]}.json"
    truth = json.loads(path.read_text())
    X, y = np.array(truth["X"]), np.array(truth["y"])
    for strength, by_r, exact in zip(truth["lambda"], truth["coef"], truth["exact25"], strict=True):
        got = here(dict(LINES)[left], given(X, y, strength))
        np.testing.assert_allclose(got, [float(value) for value in exact["coef"]], rtol=1e-13)
        np.testing.assert_allclose(got, by_r, rtol=1e-10)  # where glmnet's own descent stopped


def test_adamw_has_no_counterpart() -> None:
    names = rows()
    small = trained(lambda model: optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.3))(names)
    large = trained(lambda model: optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.3))(names)
    assert np.abs(small / large - 1).max() > 1e-3
    for cell in ("tl.fit(ones, y, intercept=False, penalty=tl.L2(a))", "tl.fit(X, y, penalty=tl.L2(a))"):
        assert np.abs(large / here(cell, names) - 1).max() > 1e-2


def test_faces_of_scikit_learn_agree_with_the_table() -> None:
    names = rows()
    ours = tl.Ridge(alpha=names["a"]).fit(names["X"], names["y"])
    np.testing.assert_allclose([ours.intercept_, *ours.coef_], here(LINES[0][1], names), rtol=CLOSED)
