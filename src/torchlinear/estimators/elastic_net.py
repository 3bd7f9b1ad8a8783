"""`ElasticNet`: least squares with L1 and L2 behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.metadata_routing import UNUSED

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import TrainingRows
from torchlinear.estimators.penalised import PenalisedRegressor
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.elastic_net import L1L2

__all__ = ["ElasticNet"]


class ElasticNet(PenalisedRegressor):
    """Least squares with the elastic-net penalty, with scikit-learn's names and meaning.

    It minimises ``1 / 2 * average((y - X coef - intercept)**2, weights=sample_weight) + alpha * l1_ratio *
    sum(abs(coef)) + alpha * (1 - l1_ratio) / 2 * sum(coef**2)``, always to the optimum.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    l1_ratio : float
        Share of L1, from 0 to 1.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    precompute, max_iter, copy_X, tol, random_state, selection
        Accepted for compatibility: the solution is exact, X is never changed, and with more rows than columns
        everything is computed from second moments anyway.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,) or (k, p)
        Coefficients, in the dtype of X; a tensor when X was one. Zeros are exact.
    sparse_coef_ : scipy.sparse.csr_array, shape (1, p) or (k, p)
        The same.
    intercept_ : float, array or tensor, shape (k,)
        Intercept.
    dual_gap_ : float or array, shape (k,)
        How far the objective can be above its minimum.
    n_iter_ : int or list of int
        1 for each target: the coefficients are finished by a direct solve.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import ElasticNet
    >>> X = np.array([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> ElasticNet(alpha=1.0).fit(X, [-3.0, 3.0, -3.2, 3.2]).coef_.round(6)
    array([1.733333, 0.      ])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **PenalisedRegressor._parameter_constraints,
        "precompute": ["boolean", "array-like"],
        "positive": ["boolean"],
    }
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"check_input": UNUSED}
    _squeezes = True

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Self:
        """Fit the model.

        Parameters
        ----------
        X, y, sample_weight
            As for every estimator.
        check_input : bool
            Accepted for compatibility; input is always checked.

        Returns
        -------
        ElasticNet
            Itself.
        """
        return super().fit(X, y, sample_weight)

    def _learn(self, rows: TrainingRows) -> None:
        self._check_gram(rows)
        self._solved(rows)

    def _penalty(self) -> Penalty:
        return L1L2(2.0 * float(self.alpha), float(self.l1_ratio))

    def _check_gram(self, rows: TrainingRows) -> None:
        """Refuse second moments of another shape; torchlinear uses none but its own."""
        p = rows.X.shape[1]
        if not isinstance(self.precompute, bool | np.bool_) and np.shape(self.precompute) != (p, p):
            raise InvalidInput(
                f"precompute has shape {np.shape(self.precompute)}; expected True, False, or X'X of shape {(p, p)}."
            )
