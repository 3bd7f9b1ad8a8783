"""`MultiTaskElasticNet`: least squares for targets that share their features, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import TrainingRows
from torchlinear.estimators.penalised import PenalisedRegressor
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.group_lasso import GroupLasso

__all__ = ["MultiTaskElasticNet"]


class MultiTaskElasticNet(PenalisedRegressor):
    """Least squares for several targets, each feature in or out for all of them, with scikit-learn's names and meaning.

    It minimises ``1 / 2 * average(sum((Y - X coef.T - intercept)**2), weights=sample_weight) + alpha * l1_ratio *
    sum(norms of the columns of coef) + alpha * (1 - l1_ratio) / 2 * sum(coef**2)``, always to the optimum.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    l1_ratio : float
        Share of the norms, from 0 to 1.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    copy_X, max_iter, tol, random_state, selection
        Accepted for compatibility: the solution is exact, and X is never changed.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.

    Attributes
    ----------
    coef_ : array or tensor, shape (k, p)
        Coefficients, in the dtype of X; a tensor when X was one. Zeros are exact, for all targets of a feature.
    sparse_coef_ : scipy.sparse.csr_array, shape (k, p)
        The same.
    intercept_ : array or tensor, shape (k,)
        Intercept.
    dual_gap_ : float
        How far the objective can be above its minimum.
    eps_ : float
        `tol` times the sum of squares of the targets, their weights scaled to a sum of n: the gap at which
        scikit-learn would stop.
    n_iter_ : int
        1: the coefficients are finished by Newton's method.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import MultiTaskElasticNet
    >>> X = np.array([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> Y = X @ [[3.0, 4.0], [0.1, 0.2]]
    >>> MultiTaskElasticNet(alpha=1.0).fit(X, Y).coef_.round(6)
    array([[1.8, 0. ],
           [2.4, 0. ]])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection

    def _learn(self, rows: TrainingRows) -> None:
        if rows.flat:
            name = type(self).__name__.removeprefix("MultiTask")
            raise InvalidInput(
                f"For mono-task outputs, use {name}; y has shape {rows.y.shape[:1]}, not (n, k)."
            )
        solution = self._solved(rows)
        assert solution.evidence is not None  # moments of the rows have it
        squares = float(solution.evidence.tss.sum()) * len(rows.y) / rows.total_weight
        self.eps_ = float(self.tol) * squares

    def _penalty(self) -> Penalty:
        return GroupLasso(2.0 * float(self.alpha), mix=float(self.l1_ratio))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags
