"""`ElasticNet`: least squares with L1 and L2 behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from torchlinear.api import objective_of, solve
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearRegressor, TrainingRows, to_numpy
from torchlinear.losses.squared import Squared
from torchlinear.penalties.elastic_net import L1L2
from torchlinear.quadratic import QuadraticObjective

__all__ = ["ElasticNet"]

Array = NDArray[np.float64]


class ElasticNet(MultiOutputMixin, LinearRegressor):  # type: ignore[misc]
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
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
    }
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"check_input": UNUSED}
    _sums_show_nonfinite = True
    _squeezes = True
    _takes_sparse = True

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
        X : array, tensor or sparse matrix, shape (n, p)
            Rows; sparse ones never become dense.
        y : array or tensor, shape (n,) or (n, k)
            Targets.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.
        check_input : bool
            Accepted for compatibility; input is always checked.

        Returns
        -------
        ElasticNet
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected.
        """
        self._check_parameters()
        rows = TrainingRows(self, X, y, sample_weight)
        self._check_gram(rows)
        objective = objective_of(
            Squared(),
            L1L2(2.0 * float(self.alpha), float(self.l1_ratio)),  # scikit-learn's squared loss is halved
            rows.tensors(),
            intercept=self.fit_intercept,
            precision="double",  # no standard errors here
            solution="nonnegative" if self.positive else "drop",
        )
        assert isinstance(objective, QuadraticObjective)
        solution = solve(objective, start=self._start(rows))
        self._keep(solution.coef.numpy(), rows)
        gaps = objective.gaps(solution.coef) / rows.total_weight
        one = rows.y.shape[1] == 1
        self.dual_gap_ = gaps[0] if one else gaps
        self.n_iter_: Any = 1 if one else [1] * rows.y.shape[1]
        return self

    @property
    def sparse_coef_(self) -> csr_array:
        """The coefficients as a sparse array, shape (1, p) or (k, p)."""
        check_is_fitted(self)
        return csr_array(np.atleast_2d(to_numpy(self.coef_)))

    def _start(self, rows: TrainingRows) -> torch.Tensor | None:
        """Coefficients of the last fit, where `fit` is to begin there."""
        shape = (rows.y.shape[1], rows.X.shape[1])
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        coef = np.atleast_2d(to_numpy(self.coef_)).astype(np.float64)
        if coef.shape != shape:
            return None
        return torch.from_numpy(np.vstack([coef.T, np.zeros((1, shape[0]))]))

    def _check_gram(self, rows: TrainingRows) -> None:
        p = rows.X.shape[1]
        if not isinstance(self.precompute, bool | np.bool_) and np.shape(self.precompute) != (p, p):
            raise InvalidInput(
                f"precompute has shape {np.shape(self.precompute)}; expected True, False, or X'X of shape {(p, p)}."
            )
