"""`RidgeCV`: ridge regression that chooses its strength, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import StrOptions

from torchlinear.errors import warn_caller
from torchlinear.estimators.base import LinearRegressor, TrainingRows
from torchlinear.estimators.ridge import Ridge
from torchlinear.estimators.ridge_search import RidgeSearch, Scored
from torchlinear.sparse import is_sparse

__all__ = ["RidgeCV"]


class _Given(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gives predictions back."""

    def predict(self, predictions: Any) -> Any:
        return predictions


class RidgeCV(MultiOutputMixin, LinearRegressor, RidgeSearch):  # type: ignore[misc]
    """Ridge regression with the strength of least error on rows left out, with scikit-learn's names and meaning.

    Without `cv`, every row is left out once, exactly, at the cost of one more pass over the rows for all strengths
    together. With `cv`, folds are.

    Parameters
    ----------
    alphas : float or sequence of m floats
        Strengths to choose from, of the penalty ``alpha * sum(coef**2)``: above 0, with `cv` at least 0.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    scoring : str or callable, optional
        What is best; by default the mean squared error of rows left out, and R squared with `cv`.
    cv : int, splitter or iterable, optional
        Folds; by default every row is one.
    gcv_mode : {"auto", "svd", "eigen"}, optional
        Accepted for compatibility; the decomposition is chosen by the shape of X, and nothing is squared.
    store_cv_results : bool
        Whether to keep ``cv_results_``, without `cv`.
    alpha_per_target : bool
        Whether each target gets a strength of its own, without `cv`.

    Attributes
    ----------
    alpha_ : float or array, shape (k,)
        The chosen strength, or one for each target.
    best_score_ : float or array, shape (k,)
        Its score.
    coef_ : array or tensor, shape (p,) or (k, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float, array or tensor, shape (k,)
        Intercept.
    cv_results_ : array or tensor, shape (n, m) or (n, k, m)
        Squared errors of rows left out times their weights, or with `scoring` their predictions.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import RidgeCV
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> RidgeCV(alphas=[0.01, 1.0, 100.0]).fit(X, [0.1, 0.9, 2.1, 2.9]).alpha_
    0.01
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RidgeSearch._parameter_constraints,
        "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
        "alpha_per_target": ["boolean"],
    }
    _scoring = "r2"

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> TrainingRows:
        rows = super()._rows(X, y, sample_weight)
        if self.gcv_mode == "svd" and is_sparse(rows.X):
            warn_caller(
                "The 'svd' mode is not supported for sparse X, which stays sparse; gcv_mode='eigen' means the same. "
                "scikit-learn refuses it from 1.11 on.",
                FutureWarning,
            )
        return rows

    def _model(self) -> Ridge:
        return Ridge(fit_intercept=self.fit_intercept)

    def _target(self, rows: TrainingRows) -> NDArray[Any]:
        return rows.y[:, 0] if rows.flat else rows.y

    def _scored(self, rows: TrainingRows) -> Scored:
        return Scored(_Given(), self._target(rows))
