"""Maps of the loss against a minimiser of SciPy at each point."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from torchlinear.lab.contours import ROWS, Contours, Landscape, contours
from torchlinear.losses import made
from torchlinear.losses.huber import Huber

POINTS = 6  # of a map that are compared
CLOSE = 1e-5  # of heights, relative to the highest one compared: what SciPy's minimiser reaches


def objective(land: Landscape, coef: np.ndarray) -> float:
    """Mean loss of all rows plus the penalty, at flattened coefficients."""
    b = torch.from_numpy(coef).reshape(land.best.shape)
    value = land.loss.value(land.X @ b[:-1] + b[-1], land.y).mean()
    beta = b[:-1]
    return float(value + land.ridge / 2 * beta.square().sum() + land.lasso * beta.abs().sum())


def minimised(land: Landscape, fixed: dict[int, float]) -> float:
    """The least objective where some coefficients are fixed."""
    free = [j for j in range(land.size) if j not in fixed]

    def at(x: np.ndarray) -> float:
        coef = np.empty(land.size)
        coef[free] = x
        for j, value in fixed.items():
            coef[j] = value
        return objective(land, coef)

    start = land.best.flatten().numpy()[free]
    if not free:
        return at(start)
    if land.lasso:  # has corners
        options = {"xtol": 1e-10, "ftol": 1e-14, "maxiter": 100_000, "maxfev": 100_000}
        return minimize(at, start, method="Powell", options=options).fun
    return minimize(at, start, method="BFGS", options={"gtol": 1e-9}).fun


def landscape(rng: np.random.Generator, loss, p: int, k: int = 1, n: int = 90, **penalty: float) -> Landscape:
    X = torch.from_numpy(rng.normal(size=(n, p)) + 0.5)
    if k > 1:
        y = torch.from_numpy(rng.integers(0, k, (n, 1)).astype(float))
    elif loss.labels:
        y = torch.from_numpy((rng.random((n, 1)) < 0.5).astype(float))
    else:
        y = X.sum(dim=1, keepdim=True) + torch.from_numpy(rng.normal(size=(n, 1)))
    land = Landscape(
        X, y, loss, penalty.get("ridge", 0.0), penalty.get("lasso", 0.0), torch.zeros(p + 1, k).double(),
        torch.from_numpy(rng.normal(size=(p + 1, k))),
    )  # fmt: skip
    import torchlinear as tl

    penalised = tl.L2(land.ridge) if land.ridge else tl.L1(land.lasso) if land.lasso else None
    target = y[:, 0].long() if loss.labels else y[:, 0]
    best = tl.fit(X, target, loss=loss, penalty=penalised).solution.coef
    return Landscape(X, y, loss, land.ridge, land.lasso, best, land.start)


def compared(land: Landscape, found: Contours, rng: np.random.Generator, least) -> None:
    """Heights of a few points of the map against those of `least`."""
    ny, nx = found.heights.shape
    x, y = np.linspace(*found.x, nx), np.linspace(*found.y, ny)
    whole = objective(land, land.best.flatten().numpy())
    places = [(int(rng.integers(ny)), int(rng.integers(nx))) for _ in range(POINTS)]
    expected = [least({found.axes[0]: x[i], found.axes[1]: y[j]}) - whole for j, i in places]
    heights = [found.heights[place] for place in places]
    np.testing.assert_allclose(heights, expected, atol=CLOSE * max(expected))


CASES = {
    "line": (made("squared"), 1, 1, {}),
    "squared": (made("squared"), 4, 1, {}),
    "ridge": (made("squared"), 3, 1, {"ridge": 0.7}),
    "lasso": (made("squared"), 3, 1, {"lasso": 0.4}),
    "logistic": (made("logistic"), 3, 1, {"ridge": 0.1}),
    "huber": (Huber(1.0), 3, 1, {}),
    "softmax": (made("softmax"), 2, 3, {"ridge": 0.2}),
}


@pytest.mark.parametrize("case", CASES)
def test_heights_are_those_with_the_others_at_their_best(case: str, rng) -> None:
    loss, p, k, penalty = CASES[case]
    land = landscape(rng, loss, p, k, **penalty)
    axes = tuple(int(j) for j in rng.choice(land.size, 2, replace=False))
    found = contours(land, axes)
    assert found.profiled
    compared(land, found, rng, lambda fixed: minimised(land, fixed))


def test_a_lasso_on_another_loss_is_a_slice_and_says_so(rng) -> None:
    land = landscape(rng, made("logistic"), 3, lasso=0.02)
    found = contours(land, (0, 2))
    assert not found.profiled

    def least(fixed: dict[int, float]) -> float:
        coef = land.best.flatten().numpy().copy()
        for j, value in fixed.items():
            coef[j] = value
        return objective(land, coef)

    compared(land, found, rng, least)


@pytest.mark.parametrize("case", CASES)
def test_start_and_optimum_are_on_the_map_and_nothing_is_below_the_optimum(case: str, rng) -> None:
    loss, p, k, penalty = CASES[case]
    land = landscape(rng, loss, p, k, **penalty)
    found = contours(land, (0, 1))
    for coef in (land.start.flatten(), land.best.flatten()):
        assert found.x[0] < coef[0] < found.x[1]
        assert found.y[0] < coef[1] < found.y[1]
    assert np.isfinite(found.heights).all()
    assert (found.heights >= 0).all()
    middle = found.heights.shape[0] // 2
    assert found.heights[middle, middle] <= 1e-9 * found.heights.max()


def test_of_many_rows_a_sample_has_the_optimum_of_all(rng) -> None:
    land = landscape(rng, made("logistic"), 1, n=20 * ROWS)
    found = contours(land, (0, 1))
    assert found.rows <= ROWS
    ny, nx = found.heights.shape
    assert np.unravel_index(found.heights.argmin(), (ny, nx)) == (ny // 2, nx // 2)
    x, y = np.linspace(*found.x, nx), np.linspace(*found.y, ny)
    whole = objective(land, land.best.flatten().numpy())
    corner = objective(land, np.array([x[0], y[0]])) - whole
    assert found.heights[0, 0] == pytest.approx(corner, rel=0.2)  # 2,000 rows of 40,000


def test_a_run_from_its_optimum_has_a_map_too(rng) -> None:
    land = landscape(rng, made("squared"), 1)
    still = Landscape(land.X, land.y, land.loss, 0.0, 0.0, land.best, land.best)
    found = contours(still, (0, 1))
    assert found.x[0] < found.x[1]
    assert found.y[0] < found.y[1]
