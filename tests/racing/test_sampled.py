"""Heights from a sample: where it is all rows they are the objective's, and its optimum is always that of all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional

import torchlinear as tl
from torchlinear.api import solve
from torchlinear.losses import made
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.problem import objective_of
from torchlinear.racing import sampled
from torchlinear.racing.sampled import Sampled
from torchlinear.rows import TensorRows

P = 3

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "logistic": lambda eta, y: functional.softplus(eta)[:, 0] - (y * eta)[:, 0],
    "poisson": lambda eta, y: eta.exp()[:, 0] - (y * eta)[:, 0],
    "softmax": lambda eta, y: functional.cross_entropy(eta, y[:, 0].long(), reduction="none"),
}
# A loss, its penalty, whether rows have weights and an offset, whether the intercept is free.
CASES: dict[str, tuple[str, Penalty | None, bool, bool]] = {
    "logistic": ("logistic", tl.L2(0.1), False, True),
    "logistic, uneven rows": ("logistic", tl.L2(0.1), True, True),
    "logistic without intercept": ("logistic", tl.L2(0.1), False, False),
    "poisson, uneven rows": ("poisson", None, True, True),
    "poisson, ridge by column": ("poisson", tl.L2(0.3, column_weights=[1.0, 0.0, 2.0]), False, True),
    "softmax": ("softmax", tl.L2(0.2), False, True),
    "softmax, uneven rows": ("softmax", tl.L2(0.2), True, True),
}


@dataclass(frozen=True)
class Ground:
    """An objective, its optimum, and the same objective written down by hand, of these rows or of some."""

    loss: str
    objective: Objective
    best: Tensor

    @property
    def free(self) -> int:
        """Coefficients that are not held at 0."""
        return self.best.numel() - (0 if self.objective.intercept else self.best.shape[1])

    def penalty(self, flat: Tensor) -> Tensor:
        asked = self.objective.asked
        beta = flat.reshape(self.best.shape)[:-1]
        if asked is None:
            return torch.zeros(()).double()
        weight = torch.ones(P).double()
        if self.loss == "poisson":
            weight = torch.tensor([1.0, 0.0, 2.0]).double()
        return asked.alpha / 2 * (weight[:, None] * beta.square()).sum()

    def mean(self, flat: Tensor, rows: TensorRows | None = None) -> Tensor:
        """Weighted mean loss, without the penalty."""
        rows = rows or self.objective.rows
        b = flat.reshape(self.best.shape)
        eta = rows.X @ b[:-1] + b[-1] + (0.0 if rows.offset is None else rows.offset[:, None])
        weight = torch.ones(len(rows.X)).double() if rows.weight is None else rows.weight
        return weight @ LOSSES[self.loss](eta, rows.y) / weight.sum()

    def total(self, flat: Tensor) -> Tensor:
        return self.mean(flat) + self.penalty(flat)

    def cells(self, rng: np.random.Generator, count: int) -> Tensor:
        """Flat coefficients around the optimum; what is held at 0 stays there."""
        cells = self.best.flatten() + 0.7 * torch.from_numpy(rng.normal(size=(count, self.best.numel())))
        cells[:, self.free :] = 0.0
        return cells


def ground(rng: np.random.Generator, case: str, n: int = 70) -> Ground:
    loss, penalty, uneven, intercept = CASES[case]
    X = torch.from_numpy(rng.normal(size=(n, P)) + 0.3)
    k = 3 if loss == "softmax" else 1
    y = torch.from_numpy(rng.integers(0, max(k, 2), (n, 1)).astype(float))
    weight, offset = (torch.from_numpy(rng.random(n) + 0.1) if uneven else None for _ in range(2))
    offset = None if k > 1 else offset  # softmax takes none
    rows = TensorRows(X, y, weight, offset=offset)
    objective = objective_of(made(loss), penalty, rows, intercept=intercept, n_outputs=k)
    return Ground(loss, objective, solve(objective, infer=False).coef)


@pytest.mark.parametrize("case", CASES)
def test_of_all_rows_heights_slopes_and_curvatures_are_those_of_autograd(case: str, rng) -> None:
    shown = ground(rng, case)
    sample = Sampled(shown.objective, shown.best, 70)
    assert sample.rows == 70
    cells, least = shown.cells(rng, 5), shown.total(shown.best.flatten())
    expected = torch.stack([shown.total(cell) - least for cell in cells])
    np.testing.assert_allclose(sample.at(cells), expected, rtol=1e-9, atol=1e-12)
    slopes = torch.stack([torch.autograd.functional.jacobian(shown.total, cell) for cell in cells])
    free = slice(shown.free)
    # The slope of the sample is put right by that of all rows, whose sum is in another order.
    torch.testing.assert_close(sample.slope(cells)[:, free], slopes[:, free], rtol=1e-9, atol=1e-11)
    bent = torch.stack([torch.autograd.functional.hessian(shown.total, cell) for cell in cells])
    torch.testing.assert_close(
        sample.curvature(cells)[:, free, free], bent[:, free, free], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("case", CASES)
def test_of_a_few_rows_heights_are_what_the_module_says(case: str, rng) -> None:
    """D of the few, g' of all and the difference of the penalties, each by autograd."""
    shown = ground(rng, case, n=400)
    sample = Sampled(shown.objective, shown.best, 60)
    few, best = shown.objective.rows.spaced(60), shown.best.flatten()
    assert sample.rows == 60
    slope = torch.autograd.functional.jacobian(lambda b: shown.mean(b, few), best)
    whole = torch.autograd.functional.jacobian(shown.mean, best)

    def height(b: Tensor) -> Tensor:
        apart = shown.mean(b, few) - shown.mean(best, few) - slope @ (b - best)
        return apart + whole @ (b - best) + shown.penalty(b) - shown.penalty(best)

    cells = shown.cells(rng, 5)
    expected = torch.stack([height(cell) for cell in cells])
    np.testing.assert_allclose(sample.at(cells), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_the_optimum_of_all_is_that_of_every_sample(case: str, rng) -> None:
    shown = ground(rng, case, n=400)
    sample = Sampled(shown.objective, shown.best, int(rng.integers(20, 90)))
    best = shown.best.flatten()[None]
    assert sample.at(best).item() == 0.0
    scale = float(sample.curvature(best).diagonal(dim1=1, dim2=2).max())
    assert float(sample.slope(best)[:, : shown.free].abs().max()) < 1e-6 * scale
    assert (sample.at(shown.cells(rng, 50)) > 0).all()  # the loss is convex


@pytest.mark.parametrize("case", CASES)
def test_the_others_at_their_best_are_where_a_minimiser_of_scipy_has_them(case: str, rng) -> None:
    shown = ground(rng, case)
    sample, cells = Sampled(shown.objective, shown.best, 70), shown.cells(rng, 3)
    others = rng.choice(shown.free, shown.free - 2, replace=False).tolist()
    guess = cells.clone()
    guess[:, others] = shown.best.flatten()[others]
    found = sample.least_over(others, cells, guess)
    assert (found <= np.minimum(sample.at(cells), sample.at(guess)) + 1e-15).all()
    least = float(shown.total(shown.best.flatten()))
    for cell, height in zip(guess, found):

        def of(x: np.ndarray, cell: Tensor = cell) -> float:
            tried = cell.clone()
            tried[others] = torch.from_numpy(x)
            return float(shown.total(tried)) - least

        wanted = minimize(of, cell[others].numpy(), method="BFGS", options={"gtol": 1e-9}).fun
        assert height == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_corners_of_the_penalty_are_part_of_the_height(rng) -> None:
    X = torch.from_numpy(rng.normal(size=(90, P)))
    y = torch.from_numpy(rng.integers(0, 2, (90, 1)).astype(float))
    objective = objective_of(made("logistic"), tl.L1(0.05), TensorRows(X, y))
    best = solve(objective, infer=False).coef
    sample = Sampled(objective, best, 90)
    cells = best.flatten() + torch.from_numpy(rng.normal(size=(6, P + 1)))
    expected = [objective.value(cell.reshape(-1, 1)) - objective.value(best) for cell in cells]
    np.testing.assert_allclose(sample.at(cells), expected, rtol=1e-9, atol=1e-12)


def test_how_many_cells_are_computed_at_once_changes_nothing(rng, monkeypatch) -> None:
    shown = ground(rng, "softmax")
    sample, cells = Sampled(shown.objective, shown.best, 70), shown.cells(rng, 7)
    whole = sample.at(cells), sample.least_over([2, 3, 4], cells, cells)
    monkeypatch.setattr(sampled, "TOGETHER", 2 * 70 * 3)  # two at a time
    parts = sample.at(cells), sample.least_over([2, 3, 4], cells, cells)
    for one, two in zip(whole, parts):
        np.testing.assert_allclose(one, two, rtol=1e-12)
