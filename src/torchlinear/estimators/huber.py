"""`HuberRegressor`: Huber's regression with the scale of its residuals behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from torchlinear.engines.local import Local, single_threaded_blas
from torchlinear.errors import warn_caller
from torchlinear.estimators.base import ConvergenceWarning, LinearRegressor, TrainingRows
from torchlinear.estimators.exchange import like
from torchlinear.solvers.concomitant import Problem, minimise

__all__ = ["HuberRegressor"]

Array = NDArray[np.float64]


class HuberRegressor(LinearRegressor):
    """Huber's robust regression with an L2 penalty, with scikit-learn's names and meaning.

    It minimises ``sum(sample_weight * (scale + H(residual / scale) * scale)) + alpha * sum(coef**2)`` over the
    coefficients and the scale together, with ``H(z) = z**2`` up to `epsilon` and a straight line beyond, to the last
    digits: the steps are exact once it is known which rows are outliers.

    Parameters
    ----------
    epsilon : float
        Residual, in units of the scale, beyond which a row is an outlier; at least 1.
    max_iter : int
        Steps at most.
    alpha : float
        Strength of the L2 penalty, at least 0.
    warm_start : bool
        Whether to start from the last fit.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    tol : float
        Relative slope at which a warm start is kept as it is.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float
        Intercept.
    scale_ : float
        Scale of the residuals.
    outliers_ : array or tensor of bool, shape (n,)
        Rows whose residual is beyond ``epsilon * scale_``.
    n_iter_ : int
        Steps that were taken.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import HuberRegressor
    >>> X = np.arange(10.0)[:, np.newaxis]
    >>> y = 3 * X[:, 0] + np.tile([0.1, -0.1], 5)
    >>> y[9] = 100.0
    >>> model = HuberRegressor(alpha=0.0).fit(X, y)
    >>> model.coef_.round(1), bool(model.outliers_[9])
    (array([3.]), True)
    """

    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "epsilon": [Interval(Real, 1.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
    }

    scale_: float

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-05,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol

    def _learn(self, rows: TrainingRows) -> None:
        alpha = np.full(rows.X.shape[1], float(self.alpha))
        last = self._last(rows)
        with single_threaded_blas():
            problem = Problem(Local().load(rows.tensors()), float(self.epsilon), alpha, self.fit_intercept)
            found = minimise(
                problem,
                *(self._first(rows) if last is None else (last.numpy()[:, 0], self.scale_)),
                rounds=int(self.max_iter),
                kept=0.0 if last is None else float(self.tol),
            )
        if not found.settled:
            warn_caller(
                f"HuberRegressor used max_iter={self.max_iter} steps and its slope is still {found.slope:.1e}; "
                "raise max_iter.",
                ConvergenceWarning,
            )
        self._keep(found.coef[:, np.newaxis], rows)
        self.scale_, self.n_iter_ = found.scale, found.rounds
        residual = rows.y[:, 0] - rows.X @ found.coef[:-1] - found.coef[-1]
        self.outliers_ = like(rows.device, np.abs(residual) > self.scale_ * self.epsilon)

    def _first(self, rows: TrainingRows) -> tuple[Array, float]:
        """The mean of the target, and its deviation."""
        y, weight = rows.y[:, 0].astype(np.float64), rows.weights
        mean = np.average(y, weights=weight) if self.fit_intercept else 0.0
        scale = float(np.sqrt(np.average(np.square(y - mean), weights=weight)))
        return np.append(np.zeros(rows.X.shape[1]), mean), scale or 1.0
