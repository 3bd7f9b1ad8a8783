"""`LinearSVR`: linear support vector regression behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from torchlinear.api import objective_of
from torchlinear.estimators.base import LinearRegressor, TrainingRows, iterations
from torchlinear.estimators.support_vectors import SupportVectors
from torchlinear.losses.epsilon_insensitive import EpsilonInsensitive, Tube
from torchlinear.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
from torchlinear.penalties.l2 import L2

__all__ = ["LinearSVR"]

LOSSES: dict[str, type[Tube]] = {
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}


class LinearSVR(LinearRegressor, SupportVectors):
    """Linear support vector regression, with scikit-learn's names and meaning.

    It minimises ``C sum(w loss) + |coef|^2 / 2`` to the last digits, whatever `dual` says. The intercept is never
    penalised: liblinear's optimum, which pays for it, is approached there by a large `intercept_scaling`.

    Parameters
    ----------
    epsilon : float
        Size of a residual that costs nothing, in the units of the target, at least 0.
    tol, intercept_scaling, verbose, random_state
        Accepted for compatibility: the optimum is exact, and the intercept not penalised.
    C : float
        Inverse of the penalty's strength, above 0.
    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}
        What a row costs beyond `epsilon`.
    fit_intercept : bool
        Whether to fit an intercept.
    dual : bool or "auto"
        Accepted for compatibility: the combination that scikit-learn refuses is refused.
    max_iter : int
        Iterations at most.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,)
        Intercept; 0.0 without one.
    n_iter_ : int
        Iterations.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import LinearSVR
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> model = LinearSVR(C=10.0).fit(X, [1.0, 3.0, 5.0, 7.0, 100.0])
    >>> model.coef_.round(9), model.intercept_.round(9)
    (array([2.]), array([1.]))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SupportVectors._parameter_constraints,
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
        "loss": [StrOptions(set(LOSSES))],
    }

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        tol: float = 1e-4,
        C: float = 1.0,
        loss: str = "epsilon_insensitive",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dual: bool | str = "auto",
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
    ) -> None:
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    def _learn(self, rows: TrainingRows) -> None:
        objective = objective_of(
            LOSSES[self.loss](float(self.epsilon)),
            L2(1.0 / (self.C * rows.total_weight)),
            rows.tensors(),
            intercept=self.fit_intercept,
        )
        found = self._minimise(objective)
        self._keep(found.coef.numpy(), rows)
        if self.fit_intercept:
            self.intercept_ = self.intercept_.reshape(1)  # as scikit-learn's
        self.n_iter_ = iterations(found)
