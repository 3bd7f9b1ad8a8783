"""`QuantileRegressor`: quantile regression with an L1 penalty behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from torchlinear.api import objective_of, solve
from torchlinear.estimators.base import LinearRegressor, TrainingRows
from torchlinear.losses.quantile import Quantile
from torchlinear.penalties.l1 import L1

__all__ = ["QuantileRegressor"]

SOLVERS = {"highs-ds", "highs-ipm", "highs", "interior-point", "revised simplex"}


class QuantileRegressor(LinearRegressor):
    """Linear quantile regression with an L1 penalty, with scikit-learn's names and meaning.

    It minimises the weighted mean of the pinball losses plus ``alpha * sum(abs(coef))``, always to an exact vertex:
    every name of scikit-learn's solvers gives the same optimum.

    Parameters
    ----------
    quantile : float
        The quantile, above 0 and below 1.
    alpha : float
        Strength of the L1 penalty, at least 0.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    solver : str
        One of scikit-learn's names; accepted for compatibility.
    solver_options : dict, optional
        Accepted for compatibility.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float
        Intercept.
    n_iter_ : int
        1: the solution is direct.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import QuantileRegressor
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> model = QuantileRegressor(alpha=0.0).fit(X, [1.0, 3.0, 5.0, 7.0, 100.0])
    >>> model.coef_.round(12), round(float(model.intercept_), 12)
    (array([2.]), 1.0)
    """

    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions(SOLVERS)],
        "solver_options": [dict, None],
    }

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "highs",
        solver_options: dict[str, Any] | None = None,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options

    def _learn(self, rows: TrainingRows) -> None:
        penalty = L1(float(self.alpha)) if self.alpha else None
        loss = Quantile(float(self.quantile))
        objective = objective_of(loss, penalty, rows.tensors(), intercept=self.fit_intercept)
        found = self._checked(solve(objective, infer=False), objective)
        self._keep(found.coef.numpy(), rows)
        self.n_iter_ = 1
