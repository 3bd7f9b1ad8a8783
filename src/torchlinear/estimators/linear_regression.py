"""`LinearRegression`: ordinary least squares behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval

from torchlinear.api import solve
from torchlinear.estimators.base import LinearRegressor, TrainingRows

__all__ = ["LinearRegression"]


class LinearRegression(MultiOutputMixin, LinearRegressor):  # type: ignore[misc]
    """Ordinary least squares, with scikit-learn's names and meaning.

    Rank is judged at rounding on equilibrated columns, never by `tol`; of rank-deficient problems the
    solution of least norm is returned.

    Parameters
    ----------
    fit_intercept : bool
        Whether to fit an intercept.
    copy_X : bool
        Accepted for compatibility; X is never changed.
    tol : float
        Accepted for compatibility; scikit-learn's cut-off on singular values drops good columns.
    n_jobs : int, optional
        Accepted for compatibility; threads belong to the engine.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,) or (k, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float, array or tensor, shape (k,)
        Intercept.
    rank_ : int
        Independent columns of the centred X.
    singular_ : array, shape (min(n, p),)
        Singular values of the centred X.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import LinearRegression
    >>> X = np.array([[1.0, 1], [1, 2], [2, 2], [2, 3]])
    >>> LinearRegression().fit(X, X @ [1, 2] + 3).coef_.round(12)
    array([1., 2.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
    }
    _sums_show_nonfinite = True

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    def _learn(self, rows: TrainingRows) -> None:
        objective = self._squared(rows.tensors(), None, positive=self.positive)
        self._keep(solve(objective).coef.numpy(), rows)
        self.rank_ = objective.evidence.rank
        self.singular_ = objective.singular()[: min(rows.X.shape)].astype(rows.X.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Where X is wide, its moments would leave it to rounding which columns get a positive coefficient.
        tags.input_tags.sparse = not self.positive
        return tags
