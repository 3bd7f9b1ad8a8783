"""The units in which a descent walks, and the curvature of a loss in them.

With a frame, ``z = (x - centre) * scale`` and ``t = (y - target_centre) * target_scale``, and theta is the
weight (k, p) and bias (k,) of ``t = z w' + b``. The user's units are the frame that changes nothing. The
standardised one has targets and columns of mean 0 and standard deviation 1 (1/n), so that one step suits all;
a penalised column is as much shorter as makes its curvature, penalty included, that of the others.

Losses other than the squared have no target among the predictors. Theirs stay where they are, in units of their
`Level`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels.descent import Quadratic
from torchlinear.statistics import Spread, Triangle

__all__ = ["Frame", "Level", "Spectrum", "eigenvalues", "quadratic", "spectrum"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Level:
    """What a smooth loss is like where a descent starts.

    Attributes
    ----------
    bend : array, shape (k,)
        Mean second derivative of each output by its predictor, above 0.
    reach : array, shape (k,)
        How far predictors go: 1 where they have no unit, about the targets' standard deviation on their scale else.
    """

    bend: Array
    reach: Array


@dataclass(frozen=True, slots=True)
class Frame:
    """Units of a descent; see the module.

    Attributes
    ----------
    centre, scale : arrays, shape (p,)
        Of the features.
    target_centre, target_scale : arrays, shape (k,)
        Of the targets.
    """

    centre: Array
    scale: Array
    target_centre: Array
    target_scale: Array

    @classmethod
    def users(cls, p: int, k: int) -> Frame:
        """Return the frame of the user's units."""
        return cls(np.zeros(p), np.ones(p), np.zeros(k), np.ones(k))

    @classmethod
    def standardised(cls, triangle: Triangle, strength: Array) -> Frame:
        """Return the frame where curvatures are equal; it is centred if the triangle is.

        Parameters
        ----------
        triangle : Triangle
            Of the rows.
        strength : array, shape (p,)
            Penalty ``1/2 sum strength_j beta_j^2``.
        """
        p, mean = triangle.n_features, triangle.mean.high
        squares = np.square(triangle.R.high).sum(axis=0) / triangle.weight
        squares[:p] += strength / 2.0
        scale = _reciprocals(squares, mean)
        return cls(mean[:p].copy(), scale[:p], mean[p:].copy(), scale[p:])

    @classmethod
    def levelled(cls, spread: Spread, level: Level, strength: Array, *, intercept: bool) -> Frame:
        """As `standardised`, for any smooth loss; it is centred if there is an intercept.

        Parameters
        ----------
        spread : Spread
            Of the features and responses.
        level : Level
            Of the loss.
        strength : array, shape (p,)
            Penalty ``1/2 sum strength_j beta_j^2``.
        intercept : bool
            Whether the bias is free.
        """
        p = strength.size
        mean, squares = spread.mean[:p], spread.squares[:p] / spread.weight
        if not intercept:
            squares = squares + np.square(mean)
        scale = _reciprocals(squares + strength / level.bend.mean(), mean)
        centre = mean.copy() if intercept else np.zeros(p)
        return cls(centre, scale, np.zeros(level.reach.size), 1.0 / level.reach)

    @property
    def gain(self) -> Array:
        """What a squared error of each output counts in the user's units, shape (k,)."""
        return np.asarray(self.target_scale**-2)

    def ridge(self, strength: Array) -> Array:
        """Bring a penalty ``1/2 sum strength_j beta_j^2``, shape (p,), into these units."""
        return np.asarray(strength * self.scale**2)

    def prices(self, strength: Array) -> Array:
        """Bring a penalty ``sum strength_j |beta_j|``, shape (p,), into these units: a price of each of theta."""
        prices = np.outer(1.0 / self.target_scale, strength * self.scale)
        return np.append(prices.ravel(), np.zeros(self.target_scale.size))

    def slope(self, pull: Array, last: Array) -> Array:
        """Flatten a gradient by the coefficients about `centre`, shape (p, k), and by the intercept, shape (k,)."""
        weight = pull * self.scale[:, None] / self.target_scale
        return np.concatenate([weight.T.ravel(), last / self.target_scale])

    def theta(self, coef: Tensor) -> Array:
        """Flatten coefficients in the user's units, shape (p + 1, k)."""
        given = coef.detach().cpu().double().numpy()
        beta, intercept = given[:-1], given[-1]
        weight = beta / self.scale[:, None] * self.target_scale
        bias = (intercept + self.centre @ beta - self.target_centre) * self.target_scale
        return np.concatenate([weight.T.ravel(), bias])

    def coef(self, theta: Array) -> Tensor:
        """Return the coefficients in the user's units, shape (p + 1, k), of a flat theta."""
        p, k = self.scale.size, self.target_scale.size
        weight, bias = theta[: k * p].reshape(k, p).T, theta[k * p :]
        with np.errstate(over="ignore", invalid="ignore"):  # a descent may have diverged
            beta = weight * self.scale[:, None] / self.target_scale
            intercept = bias / self.target_scale + self.target_centre - self.centre @ beta
        return torch.from_numpy(np.vstack([beta, intercept]))


def _reciprocals(squares: Array, mean: Array) -> Array:
    """One over the root of mean squares; 1 for what only rounding keeps from being constant."""
    sizes, noise = np.sqrt(squares), 4.0 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(sizes > noise, 1.0 / np.where(sizes > noise, sizes, 1.0), 1.0)


def quadratic(triangle: Triangle, frame: Frame, strength: Array, factor: float) -> Quadratic:
    """Write ``factor * sum of squares + penalty`` in a frame, about its least-squares solution.

    Parameters
    ----------
    triangle : Triangle
        Of the rows; uncentred (means 0) for a model without intercept.
    frame : Frame
        The units.
    strength : array, shape (p,)
        Penalty ``1/2 sum strength_j beta_j^2`` in the user's units.
    factor : float
        ``1 / sum w`` for torchlinear's objective, ``1 / (n k)`` for `torch.nn.MSELoss`.

    Returns
    -------
    Quadratic
        Its curvature is a product ``R'R`` and its floor a sum of squares: nothing cancels.
    """
    p, R, mean = triangle.n_features, triangle.R.high, triangle.mean.high
    Rx, Ry = R[:p, :p] * frame.scale, R[:p, p:] * frame.target_scale
    rest = R[p:, p:] * frame.target_scale
    at = (mean[:p] - frame.centre) * frame.scale
    target = (mean[p:] - frame.target_centre) * frame.target_scale
    norms = np.sqrt(np.square(Rx).sum(axis=0))
    norms = np.where(norms > 0.0, norms, 1.0)
    beta = np.linalg.lstsq(Rx / norms, Ry, rcond=None)[0] / norms[:, None]
    residual = Rx @ beta - Ry
    k = target.size
    return Quadratic(
        curvature=2.0 * factor * (Rx.T @ Rx),
        mean=at,
        weight=2.0 * factor * triangle.weight,
        anchor=np.concatenate([beta.T.ravel(), target - at @ beta]),
        slope=np.concatenate([2.0 * factor * (Rx.T @ residual).T.ravel(), np.zeros(k)]),
        floor=factor * (np.square(residual).sum(axis=0) + np.square(rest).sum(axis=0)),
        ridge=frame.ridge(strength),
        gain=frame.gain,
    )


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What a step is chosen from.

    Attributes
    ----------
    top, bottom : float
        Largest and smallest non-zero eigenvalue of the Hessian of the objective, bias included.
    rough : float
        Expected smoothness of a batch (Gower et al. 2019, Proposition 3.8); `top` for all rows.
    steps : int
        Updates per epoch.
    constant : bool
        Whether the Hessian is the same everywhere, as that of a squared loss.
    """

    top: float
    bottom: float
    rough: float
    steps: int = 1
    constant: bool = True


def spectrum(form: Quadratic) -> Spectrum:
    """Eigenvalues of the Hessian of the objective on all rows."""
    p = form.mean.size
    hessian = np.zeros((p + 1, p + 1))
    hessian[:p, :p] = form.curvature + form.weight * np.outer(form.mean, form.mean) + np.diag(form.ridge)
    hessian[:p, p] = hessian[p, :p] = form.weight * form.mean
    hessian[p, p] = form.weight
    top, bottom = eigenvalues(hessian)
    return Spectrum(top, bottom, top)


def eigenvalues(hessian: Array) -> tuple[float, float]:
    """The largest eigenvalue and the smallest that is not zero; 0 and infinity where there are none."""
    values = np.linalg.eigvalsh(hessian)
    if not values.size:
        return 0.0, np.inf
    top = float(values[-1])
    return top, float(values[values > top * len(values) * np.finfo(np.float64).eps].min(initial=top))
