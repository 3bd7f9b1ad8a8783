"""`ElasticNetCV`: the elastic net with strength and mix chosen by folds, behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from torchlinear.estimators.exchange import to_numpy
from torchlinear.estimators.penalised_cv import PenalisedCV

__all__ = ["ElasticNetCV"]


class ElasticNetCV(PenalisedCV):
    """The elastic net of least error on held-out rows, with scikit-learn's names and meaning.

    It minimises ``sum(sample_weight * (y - X coef - intercept)**2) / (2 * sum(sample_weight)) + alpha *
    (l1_ratio * sum(abs(coef)) + (1 - l1_ratio) / 2 * sum(coef**2))``. One pass over the rows serves every fold,
    every strength and every mix, and each is solved exactly.

    Parameters
    ----------
    l1_ratio : float or sequence of float
        Share of L1, or several to try; 1 is the lasso.
    eps : float
        Weakest over strongest of the strengths that are made.
    alphas : int or sequence of float
        How many strengths to make for each mix, or which to try.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    precompute, max_iter, tol, copy_X, verbose, n_jobs, random_state, selection
        Accepted for compatibility; solutions are exact, X is never changed, and nothing is random.
    cv : int, splitter or iterable, optional
        Folds; 5 by default.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    l1_ratio_ : float
        The chosen share of L1.
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float or tensor
        Intercept.
    mse_path_ : array, shape (m, K) or (mixes, m, K)
        Mean squared error of each fold at each strength, of each mix.
    alphas_ : array, shape (m,) or (mixes, m)
        The strengths, from the strongest down.
    dual_gap_ : float
        Duality gap of the final fit.
    n_iter_ : int
        1: the solution is direct.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import ElasticNetCV
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0], [5.0, 0.0]])
    >>> model = ElasticNetCV(l1_ratio=[0.2, 0.8], cv=3).fit(X, 2 * X[:, 0] + 1)
    >>> model.alphas_.shape, model.mse_path_.shape, model.l1_ratio_
    ((2, 100), (2, 100, 3), 0.8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **PenalisedCV._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
    }

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: Any = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def _mixes(self) -> list[float]:
        """Shares of L1 to try."""
        return [float(mix) for mix in np.atleast_1d(to_numpy(self.l1_ratio))]

    def _mixed(self, mix: float) -> None:
        """Keep the share of L1 that was chosen."""
        self.l1_ratio_ = mix
