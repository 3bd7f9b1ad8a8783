"""`Ridge`: least squares with an L2 penalty behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import Interval, StrOptions

from torchlinear.api import solve
from torchlinear.dual import Dual
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearEstimator, LinearRegressor, TrainingRows
from torchlinear.penalties.l2 import L2

__all__ = ["Ridge", "RidgeOptimum", "RidgeSolver"]

SOLVERS = {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}


class RidgeOptimum(LinearEstimator):
    """What all ridge estimators share: the optimum for one strength, or one for each target."""

    _squeezes = True

    def _optimum(
        self,
        rows: TrainingRows,
        alphas: NDArray[np.float64],
        *,
        positive: bool = False,
        dual: Dual | None = None,
    ) -> NDArray[np.float64]:
        """Coefficients, shape (p + 1, k), for strengths of shape (k,).

        From the rows' decomposition where features outnumber them, or where it is at hand.
        """
        if dual is None and rows.X.shape[0] < rows.X.shape[1] and alphas.all() and not positive:
            assert_all_finite(rows.X, input_name="X")
            dual = Dual.of(rows.tensors(), intercept=self.fit_intercept)
        coef = np.empty((rows.X.shape[1] + 1, len(alphas)))
        for alpha in np.unique(alphas):
            same = np.flatnonzero(alphas == alpha)
            if dual is not None:
                coef[:, same] = dual.coef(float(alpha))[:, same]
            else:
                penalty = L2(2.0 * float(alpha) / rows.total_weight)
                objective = self._squared(rows.tensors(same), penalty, positive=positive)
                coef[:, same] = solve(objective).coef.numpy()
        return coef


class RidgeSolver(RidgeOptimum):
    """The parameters of `Ridge` and `RidgeClassifier`, and what they do with them."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(SOLVERS)],
        "positive": ["boolean"],
        "random_state": ["random_state"],
    }
    _sums_show_nonfinite = True
    _takes_sparse = True
    alpha: Any
    solver: str
    positive: bool

    def _learn(self, rows: TrainingRows) -> None:
        alphas = self._alphas(rows.y.shape[1])
        self._keep(self._optimum(rows, alphas, positive=self.positive), rows)
        automatic = "lbfgs" if self.positive else "cholesky"
        self.solver_ = automatic if self.solver == "auto" else self.solver
        self.n_iter_ = 1

    def _alphas(self, targets: int) -> NDArray[np.float64]:
        if isinstance(self.alpha, Real):
            alphas = np.full(targets, float(self.alpha))
        else:
            alphas = np.atleast_1d(np.asarray(self.alpha, dtype=np.float64))
            if alphas.shape not in ((1,), (targets,)):
                raise InvalidInput(
                    "Number of targets and number of penalties do not correspond: "
                    f"{alphas.size} != {targets}; alpha takes a number, or one for each target."
                )
            alphas = np.broadcast_to(alphas, (targets,))
        if not np.isfinite(alphas).all() or (alphas < 0).any():
            raise InvalidInput(f"alpha={self.alpha!r}: expected finite numbers of at least 0.")
        return alphas

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.positive and self.solver not in ("auto", "lbfgs"):
            raise InvalidInput(
                f"solver={self.solver!r} does not support positive fitting. Please set the solver to 'auto' or "
                "'lbfgs', or set `positive=False`"
            )
        if self.solver == "lbfgs" and not self.positive:
            raise InvalidInput(
                "'lbfgs' solver can be used only when positive=True. Please use another solver."
            )


class Ridge(MultiOutputMixin, LinearRegressor, RidgeSolver):  # type: ignore[misc]
    """Least squares with the penalty ``alpha * sum(coef**2)``, with scikit-learn's names and meaning.

    It minimises ``sum(sample_weight * (y - X coef - intercept)**2) + alpha * sum(coef**2)``, always exactly:
    every name of scikit-learn's solvers gives the same optimum.

    Parameters
    ----------
    alpha : float or array, shape (k,)
        Strength, at least 0; one for each target if an array.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    copy_X, max_iter, tol, random_state
        Accepted for compatibility; the solution is exact and X is never changed.
    solver : str
        One of scikit-learn's names; accepted for compatibility.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,) or (k, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float, array or tensor, shape (k,)
        Intercept.
    n_iter_ : int
        1: the solution is direct.
    solver_ : str
        `solver`, or the one that scikit-learn takes for "auto"; the exact solution is the same by any name.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import Ridge
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> Ridge(alpha=2.0).fit(X, [0.0, 1.0, 2.0]).coef_.round(12)
    array([0.5])
    """

    def __init__(
        self,
        alpha: float | NDArray[np.float64] = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
