"""Maps of the objective against a minimiser of SciPy at each point."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

import torchlinear as tl
from torchlinear.api import solve
from torchlinear.losses import made
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.problem import objective_of
from torchlinear.racing.contours import ROWS, Contours, Others, contours, surroundings
from torchlinear.rows import TensorRows
from torchlinear.sparse import SparseRows, as_csr

POINTS = 6  # of a map that are compared
CLOSE = 1e-5  # of heights, relative to the highest one compared: what SciPy's minimiser reaches


@dataclass(frozen=True)
class Land:
    """An objective, its optimum and a start."""

    objective: Objective
    best: Tensor
    start: Tensor

    @property
    def free(self) -> int:
        """Coefficients that are not held at 0."""
        return self.best.numel() - (0 if self.objective.intercept else self.objective.n_outputs)

    def at(self, coef: np.ndarray) -> float:
        """Weighted mean loss of all rows plus the penalty, at flat coefficients."""
        b, rows, loss = (
            torch.from_numpy(coef).reshape(self.best.shape),
            self.objective.rows,
            self.objective.loss,
        )
        eta = rows.X.double() @ b[:-1] + b[-1] + (0.0 if rows.offset is None else rows.offset[:, None])
        weight = torch.ones(len(rows.X)).double() if rows.weight is None else rows.weight
        penalty = 0.0 if self.objective.penalty is None else float(self.objective.penalty.value(b[:-1]))
        return float(weight @ loss.value(eta, rows.y) / weight.sum()) + penalty

    def fixed(self, at: dict[int, float]) -> float:
        """The objective at the optimum but for some coefficients."""
        coef = self.best.flatten().numpy().copy()
        coef[list(at)] = list(at.values())
        return self.at(coef)

    def least(self, at: dict[int, float]) -> float:
        """The least objective where some coefficients are fixed."""
        free = [j for j in range(self.free) if j not in at]
        if not free:
            return self.fixed(at)

        def of(x: np.ndarray) -> float:
            return self.fixed(at | dict(zip(free, x.tolist())))

        start = self.best.flatten().numpy()[free]
        if not self.objective.smooth:  # has corners
            options = {"xtol": 1e-10, "ftol": 1e-14, "maxiter": 100_000, "maxfev": 100_000}
            for _ in range(10):  # from the axes again: Powell's directions may all miss the way along an edge
                start = minimize(of, start, method="Powell", options=options).x
            return of(start)
        return minimize(of, start, method="BFGS", options={"gtol": 1e-9}).fun

    def map(self, axes: tuple[int, int]) -> Contours:
        """The map around start and optimum."""
        box = surroundings(self.objective, self.best, self.start, axes)
        return contours(self.objective, self.best, self.start, axes, box)


def land(
    rng: np.random.Generator,
    loss: Loss,
    p: int,
    k: int = 1,
    n: int = 90,
    penalty: Penalty | None = None,
    intercept: bool = True,
    uneven: bool = False,
) -> Land:
    """Random rows; `uneven` ones have weights and, where it is not taken off the target beforehand, an offset."""
    X = torch.from_numpy(rng.normal(size=(n, p)) + 0.5)
    if loss.labels:
        y = torch.from_numpy(rng.integers(0, max(k, 2), (n, 1)).astype(float))
    elif k > 1:
        y = X @ torch.from_numpy(rng.normal(size=(p, k))) + torch.from_numpy(rng.normal(size=(n, k)))
    else:
        y = X.sum(dim=1, keepdim=True) + torch.from_numpy(rng.normal(size=(n, 1)))
    weight, offset = (torch.from_numpy(rng.random(n) + 0.1) if uneven else None for _ in range(2))
    offset = None if loss.quadratic else offset
    rows = TensorRows(X, y, weight, offset=offset)
    objective = objective_of(loss, penalty, rows, intercept=intercept, n_outputs=k)
    start = torch.from_numpy(rng.normal(size=(p + 1, k)))
    if not intercept:
        start[-1] = 0.0
    return Land(objective, solve(objective, infer=False).coef, start)


def compared(
    shown: Land, found: Contours, rng: np.random.Generator, least: Callable[[dict[int, float]], float]
) -> None:
    """Heights of a few points of the map against those of `least`."""
    ny, nx = found.heights.shape
    whole = shown.at(shown.best.flatten().numpy())
    places = [(int(rng.integers(ny)), int(rng.integers(nx))) for _ in range(POINTS)]
    expected = [least({found.axes[0]: found.x[i], found.axes[1]: found.y[j]}) - whole for j, i in places]
    heights = [found.heights[place] for place in places]
    np.testing.assert_allclose(heights, expected, atol=CLOSE * max(expected))


CASES = {
    "line": (made("squared"), 1, {}),
    "squared": (made("squared"), 4, {}),
    "two targets": (made("squared"), 2, {"k": 2}),
    "ridge": (made("squared"), 3, {"penalty": tl.L2(0.7)}),
    "lasso": (made("squared"), 3, {"penalty": tl.L1(0.4)}),
    "elastic net of uneven columns": (
        made("squared"), 3, {"penalty": tl.L1L2(0.4, 0.5, column_weights=[1.0, 0.5, 0.0])}
    ),
    "weighted lasso": (made("squared"), 3, {"penalty": tl.L1(0.4), "uneven": True}),
    "logistic": (made("logistic"), 3, {"penalty": tl.L2(0.1)}),
    "weighted logistic with offset": (made("logistic"), 3, {"penalty": tl.L2(0.1), "uneven": True}),
    "logistic without intercept": (made("logistic"), 3, {"penalty": tl.L2(0.1), "intercept": False}),
    "huber": (tl.Huber(1.0), 3, {}),
    "softmax": (made("softmax"), 2, {"k": 3, "penalty": tl.L2(0.2)}),
}  # fmt: skip


def of(case: str, rng: np.random.Generator) -> Land:
    loss, p, options = CASES[case]
    return land(rng, loss, p, **options)


@pytest.mark.parametrize("case", CASES)
def test_heights_are_those_with_the_others_at_their_best(case: str, rng) -> None:
    shown = of(case, rng)
    first, second = rng.choice(shown.free, 2, replace=False).tolist()
    found = shown.map((first, second))
    assert found.others is (Others.NONE if shown.free == 2 else Others.BEST)
    assert found.start == pytest.approx(
        shown.at(shown.start.flatten().numpy()) - shown.at(shown.best.flatten().numpy())
    )
    compared(shown, found, rng, shown.least)


@pytest.mark.parametrize("penalty", [tl.L1(0.02), tl.GroupLasso(0.02, [0, 0, 1])], ids=str)
def test_corners_of_another_loss_make_a_slice_that_says_so(penalty: Penalty, rng) -> None:
    shown = land(rng, made("logistic"), 3, penalty=penalty)
    found = shown.map((0, 2))
    assert found.others is Others.FIXED
    compared(shown, found, rng, shown.fixed)


@pytest.mark.parametrize("case", CASES)
def test_start_and_optimum_are_on_the_map_and_nothing_is_below_the_optimum(case: str, rng) -> None:
    shown = of(case, rng)
    found = shown.map((0, 1))
    for coef in (shown.start.flatten(), shown.best.flatten()):
        assert found.x[0] < coef[0] < found.x[-1]
        assert found.y[0] < coef[1] < found.y[-1]
    assert np.isfinite(found.heights).all()
    assert (found.heights >= 0).all()
    middle = found.heights.shape[0] // 2
    assert found.heights[middle, middle] <= 1e-9 * found.heights.max()


def test_of_many_rows_a_sample_has_the_optimum_of_all(rng) -> None:
    shown = land(rng, made("logistic"), 1, n=20 * ROWS)
    found = shown.map((0, 1))
    assert found.rows <= ROWS
    ny, nx = found.heights.shape
    assert np.unravel_index(found.heights.argmin(), (ny, nx)) == (ny // 2, nx // 2)
    corner = shown.at(np.array([found.x[0], found.y[0]])) - shown.at(shown.best.flatten().numpy())
    assert found.heights[0, 0] == pytest.approx(corner, rel=0.2)  # 2,000 rows of 40,000


def test_sparse_rows_have_the_others_at_their_best_to_second_order(rng) -> None:
    shown = land(rng, made("logistic"), 3, penalty=tl.L2(0.1))
    rows = shown.objective.rows
    sparse = objective_of(
        shown.objective.loss, tl.L2(0.1), SparseRows(as_csr(rows.X.to_sparse_csr()), rows.y)
    )
    box = surroundings(sparse, shown.best, shown.start, (0, 2))
    near = contours(sparse, shown.best, shown.start, (0, 2), box, 9)
    exact = contours(shown.objective, shown.best, shown.start, (0, 2), box, 9)
    assert (near.others, exact.others) == (Others.NEARLY, Others.BEST)
    assert (near.heights >= exact.heights - 1e-9 * exact.heights.max()).all()
    small = shown.best[[0, 2]].numpy() + 1e-3 * np.array([-1, 1])
    near, exact = (
        contours(one, shown.best, shown.start, (0, 2), small, 9).heights for one in (sparse, shown.objective)
    )
    np.testing.assert_allclose(near, exact, rtol=1e-4, atol=1e-13)  # what is left is of fourth order


def test_a_run_from_its_optimum_has_a_box_too(rng) -> None:
    shown = land(rng, made("squared"), 1)
    box = surroundings(shown.objective, shown.best, shown.best, (0, 1))
    assert (box[:, 0] < box[:, 1]).all()
