"""`MultiTaskLasso`: the lasso for several targets that share their features, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlinear.estimators.multi_task_elastic_net import MultiTaskElasticNet

__all__ = ["MultiTaskLasso"]


class MultiTaskLasso(MultiTaskElasticNet):
    """Least squares for several targets with the penalty ``alpha * sum(norms of the columns of coef)``.

    Names and meaning are scikit-learn's. It minimises ``1 / 2 * average(sum((Y - X coef.T - intercept)**2),
    weights=sample_weight) + alpha * sum(norms of the columns of coef)``, always to the optimum.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    copy_X, max_iter, tol, random_state, selection
        Accepted for compatibility: the solution is exact, and X is never changed.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, eps_, n_iter_, n_features_in_, module_
        As in `MultiTaskElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import MultiTaskLasso
    >>> X = np.array([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> Y = X @ [[3.0, 4.0], [0.1, 0.2]]
    >>> MultiTaskLasso(alpha=1.0).fit(X, Y).coef_.round(6)
    array([[2.4, 0. ],
           [3.2, 0. ]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {**MultiTaskElasticNet._parameter_constraints}
    del _parameter_constraints["l1_ratio"]

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            selection=selection,
        )
