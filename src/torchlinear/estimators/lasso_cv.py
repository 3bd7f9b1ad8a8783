"""`LassoCV`: the lasso with its strength chosen by folds, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any

from torchlinear.estimators.penalised_cv import PenalisedCV

__all__ = ["LassoCV"]


class LassoCV(PenalisedCV):
    """The lasso with the strength of least error on held-out rows, with scikit-learn's names and meaning.

    It minimises ``sum(sample_weight * (y - X coef - intercept)**2) / (2 * sum(sample_weight)) + alpha *
    sum(abs(coef))``. One pass over the rows serves every fold and every strength, and each is solved exactly.

    Parameters
    ----------
    eps : float
        Weakest over strongest of the strengths that are made.
    alphas : int or sequence of float
        How many strengths to make, or which to try.
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
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : float or tensor
        Intercept.
    mse_path_ : array, shape (m, K)
        Mean squared error of each fold at each strength.
    alphas_ : array, shape (m,)
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
    >>> from torchlinear import LassoCV
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0], [5.0, 0.0]])
    >>> model = LassoCV(cv=3).fit(X, 2 * X[:, 0] + 1)
    >>> model.alphas_.shape, model.mse_path_.shape, bool(model.coef_[1] == 0)
    ((100,), (100, 3), True)
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: Any = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
