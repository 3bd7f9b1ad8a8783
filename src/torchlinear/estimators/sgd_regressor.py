"""`SGDRegressor`: linear regression by stochastic gradient descent behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions

from torchlinear.estimators.base import LinearRegressor, TrainingRows
from torchlinear.estimators.sgd import MOST, StochasticDescent
from torchlinear.estimators.sgd_epochs import Array, Begin
from torchlinear.kernels import sgd

__all__ = ["SGDRegressor"]


class SGDRegressor(StochasticDescent, LinearRegressor):
    """Linear regression by stochastic gradient descent, with scikit-learn's names, meaning and steps.

    It steps along the gradient of one row at a time, of ``loss + alpha * (l1_ratio |coef|_1 + (1 - l1_ratio) / 2
    |coef|^2)``: for the same `random_state` in the same order as scikit-learn, so that coefficients agree to rounding.
    It does not end at the optimum; `tl.fit`, `Ridge`, `ElasticNet` and `HuberRegressor` do.

    Parameters
    ----------
    loss : {"squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"}
        Loss of a row; the squared error is halved.
    penalty : {"l2", "l1", "elasticnet", None}
        What is added; of L1 coefficients become exact zeros.
    alpha : float
        Strength of the penalty, at least 0; the schedule "optimal" is made of it too.
    l1_ratio : float, optional
        Share of L1 in "elasticnet", 0 to 1.
    fit_intercept : bool
        Whether to learn the intercept, which is not penalised; of sparse rows it takes a hundredth of a step.
    max_iter : int
        Epochs at most.
    tol : float, optional
        Improvement of the objective (or of the score, with `early_stopping`) that counts; None for all of `max_iter`.
    shuffle : bool
        Whether rows change their order before each epoch.
    verbose : int
        Whether to print a line for each epoch.
    epsilon : float
        Width of the Huber and of the insensitive losses, at least 0.
    random_state : int, RandomState or None
        Of the order of the rows, and of those held out.
    learning_rate : {"invscaling", "constant", "optimal", "adaptive", "pa1", "pa2"}
        Step t: ``eta0 / t**power_t``; ``eta0``; ``1 / (alpha (t + t0))``; ``eta0``, divided by 5 when nothing improves;
        passive-aggressive steps with ``eta0`` at most or as their softness, of "epsilon_insensitive" only.
    eta0 : float
        First step, above 0.
    power_t : float
        Exponent of "invscaling".
    early_stopping : bool
        Whether to hold rows out, and to end when their score improves no more.
    validation_fraction : float
        Share that is held out, between 0 and 1.
    n_iter_no_change : int
        Epochs without improvement before the end.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.
    average : bool or int
        Whether coefficients are the mean of all steps, or of those from a given one.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,)
        Intercept.
    n_iter_ : int
        Epochs.
    t_ : float
        1 + steps.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The fitted model as a plain `nn.Module`.

    Notes
    -----
    With `average` and an L1 penalty coefficients are, as in scikit-learn, not quite the mean: what L1 takes off one is
    taken off its past too. With `early_stopping` and an L2 penalty rows held out are scored, as in scikit-learn 1.9, by
    coefficients before their common factor is multiplied in.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import SGDRegressor
    >>> X = np.linspace(-1.0, 1.0, 200)[:, np.newaxis]
    >>> model = SGDRegressor(max_iter=200, tol=1e-6, random_state=0).fit(X, 3 * X[:, 0] + 0.8)
    >>> model.coef_.round(1), model.intercept_.round(1)
    (array([3.]), array([0.8]))
    """

    loss_functions: ClassVar[dict[str, tuple[int, float]]] = {
        "squared_error": (sgd.SQUARED, 0.0),
        "huber": (sgd.HUBER, 0.1),
        "epsilon_insensitive": (sgd.INSENSITIVE, 0.1),
        "squared_epsilon_insensitive": (sgd.SQUARED_INSENSITIVE, 0.1),
    }
    _passive_loss = "epsilon_insensitive"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **StochasticDescent._parameter_constraints,
        "loss": [StrOptions(set(loss_functions))],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: Any = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run one epoch over some rows, from where the last call ended.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,)
            Targets.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.

        Returns
        -------
        SGDRegressor
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or coefficients overflow.
        """
        rows = TrainingRows(self, X, y, sample_weight, reset=self._is_first_part())
        self._run(rows, self._go_on(rows), 1)
        return self

    def _run(self, rows: TrainingRows, begin: Begin, epochs: int) -> None:
        y, weight = rows.y[:, 0].astype(rows.X.dtype), rows.weights
        held = self._hold_out(ShuffleSplit, y, weight)
        random = check_random_state(self.random_state)
        seed = random.randint(0, MOST)
        random.randint(1, MOST)  # scikit-learn draws another, which it does not use
        self._descend(rows, [self._task(rows, y, weight, seed, begin, 0, held)], held, epochs)

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        return coef[0], np.atleast_1d(intercept)
