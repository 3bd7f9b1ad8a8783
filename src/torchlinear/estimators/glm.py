"""Generalised linear models behind scikit-learn's interface: Poisson, Gamma, Tweedie."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length

from torchlinear.api import objective_of, solve
from torchlinear.errors import DataError, InvalidInput
from torchlinear.estimators.base import LinearRegressor, TrainingRows, iterations
from torchlinear.estimators.exchange import to_numpy
from torchlinear.losses.family import Family
from torchlinear.losses.gamma import Gamma
from torchlinear.losses.poisson import Poisson
from torchlinear.losses.squared import Squared
from torchlinear.losses.tweedie import Tweedie
from torchlinear.penalties.l2 import L2

__all__ = ["GammaRegressor", "PoissonRegressor", "TweedieRegressor"]


class GeneralizedRegressor(LinearRegressor):
    """What the three share: half the mean deviance plus ``alpha / 2`` times the squares of the coefficients."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"lbfgs", "newton-cholesky"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    _takes_sparse = True

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    @abstractmethod
    def _loss(self) -> Family:
        """The loss that the parameters say."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        try:
            tags.target_tags.positive_only = self._loss().refusal(torch.tensor([[-1.0]])) is not None
        except InvalidInput:  # said by `fit`
            tags.target_tags.positive_only = False
        return tags

    def _learn(self, rows: TrainingRows) -> None:
        loss, tensors = self._loss(), rows.tensors()
        _refuse(loss, tensors.y)
        penalty = L2(loss.multiple * self.alpha) if self.alpha else None
        objective = objective_of(
            loss, penalty, tensors, intercept=self.fit_intercept, solution="minimum_norm"
        )
        solver = "auto" if loss.quadratic else "newton"
        found = self._minimise(objective, solver, self._last(rows))
        self.n_iter_ = iterations(found)
        self._keep(self._shortest(found.coef, rows).numpy(), rows)

    def _shortest(self, coef: torch.Tensor, rows: TrainingRows) -> torch.Tensor:
        """Of the coefficients with the same predictions those of least norm, shape (p + 1, 1)."""
        if self.alpha or not bool((coef[:-1] == 0).any()):  # no column was dropped
            return coef
        tensors, same = rows.tensors(), copy(rows)
        blocks = (block for shard in tensors.shards() for block in tensors.blocks(shard))
        same.y = torch.cat([block.predict(coef) for block in blocks]).numpy()
        return solve(self._squared(same.tensors(), None)).coef

    def _mean(self, eta: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._loss().mean(torch.from_numpy(eta)).numpy())

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """D squared: the share of the deviance that the model explains, 1 at best, 0 for the mean.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,)
            Target.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.

        Returns
        -------
        float
            ``1 - deviance / null deviance``; of a constant target 1 where it is met and 0 where it is not, as
            `r2_score` has it.
        """
        eta = self._eta(X).astype(np.float64)
        target = check_array(to_numpy(y), ensure_2d=False, dtype=np.float64)
        check_consistent_length(eta, target)
        weight = _check_sample_weight(to_numpy(sample_weight), eta[:, None], dtype=np.float64)
        loss, column = self._loss(), torch.tensor(target).reshape(len(eta), 1)
        _refuse(loss, column)
        if np.ptp(target[weight > 0]) == 0:
            return float(np.allclose(self._mean(eta), target.ravel()))
        mean = torch.tensor(np.average(target.ravel(), weights=weight), dtype=torch.float64)
        null = loss.predictor(mean).expand(len(eta), 1)
        least = loss.least(column)
        deviances = [loss.value(at, column) - least for at in (torch.from_numpy(eta)[:, None], null)]
        ours, nulls = (float(torch.tensor(weight) @ deviance) for deviance in deviances)
        return 1.0 - ours / nulls


class PoissonRegressor(GeneralizedRegressor):
    """Poisson regression with the log link, with scikit-learn's names and meaning.

    It minimises ``sum(w * deviance) / (2 * sum(w)) + alpha / 2 * sum(coef**2)`` to the last digits, by Newton's
    method. Without a penalty and with columns that depend on one another, the solution of least norm is returned.

    Parameters
    ----------
    alpha : float
        Strength of the L2 penalty, at least 0; 1 by default, as scikit-learn's.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    solver : {"lbfgs", "newton-cholesky"}
        Accepted for compatibility; both mean torchlinear's Newton.
    max_iter : int
        Iterations at most.
    tol : float
        Accepted for compatibility; the optimum is reached whatever it says.
    warm_start : bool
        Whether to start from the last fit.
    verbose : int
        Accepted for compatibility; nothing is printed.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,)
        Coefficients of the linear predictor, in the dtype of X; a tensor when X was one.
    intercept_ : float
        Intercept.
    n_iter_ : int
        Iterations that were taken.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The linear predictor as a plain `nn.Module`.

    Examples
    --------
    >>> from torchlinear import PoissonRegressor
    >>> model = PoissonRegressor(alpha=0.0).fit([[0.0], [1.0], [2.0]], [1, 2, 4])
    >>> model.predict([[3.0]]).round(6)
    array([8.])
    """

    def _loss(self) -> Family:
        return Poisson()


class GammaRegressor(GeneralizedRegressor):
    """Gamma regression with the log link, with scikit-learn's names and meaning.

    It minimises what `PoissonRegressor` does, of the Gamma deviance.

    Parameters
    ----------
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose
        As of `PoissonRegressor`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, n_features_in_, module_
        As of `PoissonRegressor`.

    Examples
    --------
    >>> from torchlinear import GammaRegressor
    >>> model = GammaRegressor(alpha=0.0).fit([[0.0], [1.0], [2.0]], [1, 2, 4])
    >>> model.predict([[3.0]]).round(6)
    array([8.])
    """

    def _loss(self) -> Family:
        return Gamma(link="log")


class TweedieRegressor(GeneralizedRegressor):
    """Regression with a variance that is a power of the mean, with scikit-learn's names and meaning.

    It minimises what `PoissonRegressor` does, of the Tweedie deviance; the normal one has an exact solution.

    Parameters
    ----------
    power : float
        Power of the mean: 0 normal, 1 Poisson, between 1 and 2 amounts of which many are 0, 2 Gamma, 3 inverse
        Gaussian. None between 0 and 1 exists.
    link : {"auto", "identity", "log"}
        How the linear predictor tells the mean; "auto" is the identity for a power of at most 0, else the log.
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose
        As of `PoissonRegressor`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, n_features_in_, module_
        As of `PoissonRegressor`.

    Examples
    --------
    >>> from torchlinear import TweedieRegressor
    >>> model = TweedieRegressor(power=1.5, alpha=0.0).fit([[0.0], [1.0], [2.0]], [1, 2, 4])
    >>> model.predict([[3.0]]).round(6)
    array([8.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **GeneralizedRegressor._parameter_constraints,
        "power": [Interval(Real, None, None, closed="neither")],
        "link": [StrOptions({"auto", "identity", "log"})],
    }

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        link: str = "auto",
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.power = power
        self.link = link

    def _loss(self) -> Family:
        link = self.link if self.link != "auto" else "identity" if self.power <= 0 else "log"
        return Squared(link=link) if self.power == 0 else Tweedie(power=float(self.power), link=link)


def _refuse(loss: Family, y: torch.Tensor) -> None:
    reason = loss.refusal(y)
    if reason is not None:
        raise DataError(f"Some value(s) of y are out of the valid range of the loss {loss.name!r}: {reason}")
