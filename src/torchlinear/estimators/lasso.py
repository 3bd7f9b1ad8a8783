"""`Lasso`: least squares with L1 behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlinear.estimators.elastic_net import ElasticNet

__all__ = ["Lasso"]


class Lasso(ElasticNet):
    """Least squares with the penalty ``alpha * sum(abs(coef))``, with scikit-learn's names and meaning.

    It minimises ``1 / 2 * average((y - X coef - intercept)**2, weights=sample_weight) + alpha * sum(abs(coef))``,
    always to the optimum.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    precompute, copy_X, max_iter, tol, random_state, selection
        Accepted for compatibility, as in `ElasticNet`.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, module_
        As in `ElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import Lasso
    >>> X = np.array([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> Lasso(alpha=0.5).fit(X, [-3.0, 3.0, -3.2, 3.2]).coef_.round(12)
    array([2.6, 0. ])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {**ElasticNet._parameter_constraints}
    del _parameter_constraints["l1_ratio"]

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )
