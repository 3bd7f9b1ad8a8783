"""Huber's regression with the scale of the residuals beside the coefficients, as scikit-learn's HuberRegressor.

    F(b, s) = sum w s (1 + H(r / s)) + sum_j alpha_j beta_j^2,
    H(z) = z^2 where |z| <= delta, 2 delta |z| - delta^2 beyond,

is convex in b and s together (Huber 1981, "Robust statistics", section 7.7; Owen 2007, "A robust hybrid of lasso
and ridge regression"). While the near rows, those with |r| <= delta s, stay near, it is

    Q(b) / s + s (W - delta^2 W_far) + 2 delta (sum over the far of w |r|) + sum_j alpha_j beta_j^2,

where Q is the sum of w r^2 over the near. The least b of this for a given s solves linear equations, and the least s
then one equation in s alone. Each pass over the rows makes these sums; the step to their least is shortened until F
falls. The near rows settle after few passes, and the next step is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.losses.huber import SHARE
from torchlinear.statistics import Moments

__all__ = ["Concomitant", "Problem", "minimise"]

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
STRETCH = 4.0  # by which the scale changes in one step, at most
LEAST = 1e-10  # of the first scale: a scale below is rounding
HALVINGS = 30
ACCURATE = 1e-14  # relative slope at which nothing is left to gain
ARMIJO = 1e-4


@dataclass(frozen=True, slots=True)
class Concomitant:
    """Coefficients and the scale of their residuals.

    Attributes
    ----------
    coef : ndarray, shape (p + 1,)
        The intercept last; 0 without one.
    scale : float
        Scale of the residuals.
    rounds : int
        Steps that were taken.
    slope : float
        Largest slope that is left, relative.
    settled : bool
        Whether there was nothing left to gain.
    """

    coef: Array
    scale: float
    rounds: int
    slope: float
    settled: bool


@dataclass(frozen=True)
class Sums:
    """Sums of the rows at b and s; ``a + b`` are those of both sets of rows.

    Attributes
    ----------
    value, weight, far, squares : float
        Sum of w s (1 + H), of w, of w over the far rows, of w r^2 over the near rows.
    pull : ndarray, shape (p + 1,)
        Over the far rows, of w sign(r) times each feature about the centre, and of w sign(r).
    near : Moments
        Of the features, with r beside them, over the near rows; with a small weight and 0 over the far ones,
        so that the rank is kept.
    """

    value: float
    weight: float
    far: float
    squares: float
    pull: Array
    near: Moments

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.value + other.value,
            self.weight + other.weight,
            self.far + other.far,
            self.squares + other.squares,
            self.pull + other.pull,
            self.near + other.near,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """What is minimised.

    Parameters
    ----------
    loaded : Loaded
        Rows with one target.
    delta : float
        Threshold in units of the scale, at least 1.
    alpha : ndarray, shape (p,)
        Of the squares of the coefficients.
    intercept : bool
        Whether there is one.
    """

    loaded: Loaded
    delta: float
    alpha: Array
    intercept: bool

    def sums(self, coef: Array, scale: float, centre: Array) -> Sums:
        """Sums of the rows; one pass."""
        return self.loaded.sum(_sums, torch.from_numpy(coef)[:, None], scale, self.delta, centre)


def minimise(
    problem: Problem,
    coef: Array,
    scale: float,
    *,
    rounds: int = 200,
    kept: float = 0.0,
    least: float | None = None,
) -> Concomitant:
    """The least of F, from `coef`, shape (p + 1,), and `scale`.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    coef, scale
        Where to start.
    rounds : int
        Steps at most.
    kept : float
        Relative slope up to which the start is kept as it is.
    least : float, optional
        The least scale; `LEAST` of the first one by default.

    Returns
    -------
    Concomitant
        Coefficients and scale.
    """
    first = problem.loaded.first()
    assert first is not None
    centre, taken = first.shift()[: len(coef) - 1], 0
    least = LEAST * scale if least is None else least
    model = _Model(problem, problem.sums(coef, scale, centre), coef, scale, centre)
    settled = model.slope <= max(kept, ACCURATE)
    while not settled and taken < rounds:
        moved = model.moved(least)
        if moved is None:
            settled = True
        else:
            gained = moved.value < model.value * (1.0 - EPS)
            model, taken = moved, taken + 1
            settled = not gained or model.scale <= least or model.slope <= ACCURATE
    return Concomitant(model.coef, model.scale, taken, model.slope, settled)


class _Model:
    """F where the near rows stay near, about b and s.

    Features are taken about their means over the near rows, which frees them of the intercept; for coefficients
    ``beta + B c`` the equations of a scale s are ``B' (S + s diag(alpha)) B c = B' (u + delta s v - s alpha beta)``.
    """

    def __init__(self, problem: Problem, sums: Sums, coef: Array, scale: float, centre: Array) -> None:
        self.problem, self.sums, self.coef, self.scale, self.centre = problem, sums, coef, scale, centre
        p, near = len(coef) - 1, sums.near
        self.mean = near.mean.high[:p] if problem.intercept else np.zeros(p)
        self.S, self.u = near.cross.high[:p, :p], near.cross.high[:p, p]
        self.u0, self.v0 = near.weight * float(near.mean.high[p]), float(sums.pull[-1])
        if not problem.intercept:
            self.S = self.S + near.weight * np.outer(near.mean.high[:p], near.mean.high[:p])
            self.u = self.u + self.u0 * near.mean.high[:p]
        self.v = sums.pull[:-1] + (centre - self.mean) * self.v0

    @property
    def value(self) -> float:
        """F."""
        return self.sums.value + float(self.problem.alpha @ np.square(self.coef[:-1]))

    @property
    def free(self) -> float:
        """Weight that asks for a smaller scale."""
        return self.sums.weight - self.problem.delta**2 * self.sums.far

    @property
    def slopes(self) -> tuple[Array, float, float]:
        """Minus half the derivative of F by the coefficients times s, by the intercept likewise; that by s."""
        p, s = self.problem, self.scale
        beta = self.u + p.delta * s * self.v - p.alpha * s * self.coef[:-1]
        offset = self.u0 + p.delta * s * self.v0 if p.intercept else 0.0
        return beta, offset, self.free - self.sums.squares / s**2

    @property
    def slope(self) -> float:
        """Largest slope in units of the columns, the scale and the weights."""
        beta, offset, by_scale = self.slopes
        norms, root = np.sqrt(np.diag(self.S)), np.sqrt(self.sums.weight)
        seen = norms > 0
        steepest = (np.abs(beta[seen]) / norms[seen]).max(initial=0.0)
        return float(max(max(steepest, abs(offset) / root) / (self.scale * root), abs(by_scale) / root**2))

    def moved(self, least: float) -> _Model | None:
        """The first of the points that halve the step where F is lower; None when there is none."""
        (step, there), (beta, offset, by_scale) = self.step(least), self.slopes
        along = step[-1] + self.mean @ step[:-1]
        fall = by_scale * (there - self.scale) - 2.0 / self.scale * (beta @ step[:-1] + offset * along)
        share = 1.0
        for _ in range(HALVINGS):
            coef, scale = self.coef + share * step, self.scale + share * (there - self.scale)
            sums = self.problem.sums(coef, scale, self.centre)
            found = _Model(self.problem, sums, coef, scale, self.centre)
            if found.value <= self.value + ARMIJO * share * fall + 8 * EPS * self.value:
                return found
            share /= 2.0
        return None

    def step(self, least: float) -> tuple[Array, float]:
        """Change of the coefficients to the least of the model, shape (p + 1,), and the scale there."""
        low, high = max(self.scale / STRETCH, least), self.scale * STRETCH
        if self._excess(high) <= 0.0:
            there = high
        elif self._excess(low) >= 0.0:
            there = low
        else:
            there = brentq(self._excess, low, high, xtol=EPS * low, rtol=8 * EPS)
        beta, offset = self._at(there)
        return np.append(beta, offset - self.mean @ beta if self.problem.intercept else 0.0), there

    def _at(self, scale: float) -> tuple[Array, float]:
        """Change of beta, shape (p,), and of the intercept at the mean, for the least of the model by b."""
        problem, B = self.problem, self._basis
        ridge = problem.alpha * scale
        right = self.u + problem.delta * scale * self.v - ridge * self.coef[:-1]
        c = np.linalg.solve(B.T @ (self.S + np.diag(ridge)) @ B, B.T @ right)
        offset = (self.u0 + problem.delta * scale * self.v0) / self.sums.near.weight
        return B @ c, offset if problem.intercept else 0.0

    @cached_property
    def _basis(self) -> Array:
        """Directions in which the features vary, shape (p, rank): the columns', or eigenvectors where too few."""
        norms = np.sqrt(np.diag(self.S))
        scaled, cut = np.where(norms > 0, norms, np.inf), 10 * EPS * len(self.S)
        if len(self.S) and np.linalg.eigvalsh(self.S / np.outer(scaled, scaled))[0] > cut:
            return np.diag(1.0 / norms)
        values, vectors = np.linalg.eigh(self.S)
        return np.asarray(vectors[:, values > cut * values.max(initial=0.0)])

    def _excess(self, scale: float) -> float:
        """Derivative of the model by the scale, where b is the least for it."""
        beta, offset = self._at(scale)
        left = self.sums.squares - 2.0 * (beta @ self.u + offset * self.u0)
        left += beta @ self.S @ beta + self.sums.near.weight * offset**2
        return self.free - max(float(left), 0.0) / scale**2


def _sums(block: Block, coef: Tensor, scale: float, delta: float, centre: Array) -> Sums:
    r = (block.y.double() - block.predict(coef))[:, 0]
    weight = torch.ones_like(r) if block.weight is None else block.weight
    size, t = r.abs(), delta * scale
    near = size <= t
    inside, outside = torch.where(near, r, 0.0), torch.where(near, 0.0, weight)
    squares, far = (weight * inside.square()).sum(), outside.sum()
    beyond = 2.0 * delta * (outside * size).sum() - delta * t * far
    pull = block.pull((outside * r.sign())[:, None])[:, 0].cpu().numpy()
    pull[:-1] -= centre * pull[-1]
    share = torch.where(near, 1.0, SHARE * t / size.clamp(min=t))
    kept = replace(block, y=inside[:, None], weight=weight * share)
    return Sums(
        float(scale * weight.sum() + squares / scale + beyond),
        float(weight.sum()),
        float(far),
        float(squares),
        pull,
        kept.moments(np.append(centre, 0.0)),
    )
