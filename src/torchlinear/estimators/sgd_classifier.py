"""`SGDClassifier`: linear classifiers by stochastic gradient descent behind scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels

from torchlinear.errors import InvalidInput
from torchlinear.estimators.classifier import LinearClassifier, Probabilities
from torchlinear.estimators.exchange import to_numpy
from torchlinear.estimators.labelled_rows import RowsAgainstRest
from torchlinear.estimators.sgd import MOST, StochasticDescent
from torchlinear.estimators.sgd_epochs import Array, Begin
from torchlinear.kernels import sgd

__all__ = ["SGDClassifier"]


class SteppedRows(RowsAgainstRest):
    """Rows against the rest, whose classes are balanced and counted as scikit-learn's SGD does."""

    balances_weights = False

    def need_two_classes(self) -> None:
        """Refuse rows of one class, in scikit-learn's words."""
        if len(self.classes) < 2:
            raise InvalidInput(
                "The number of classes has to be greater than one; got "
                f"{len(self.classes)} class: {self.classes.tolist()}"
            )


class SGDClassifier(StochasticDescent, Probabilities, LinearClassifier):
    """Linear classifiers by stochastic gradient descent, with scikit-learn's names, meaning and steps.

    The loss says which: a linear support vector machine ("hinge"), logistic regression ("log_loss"), a perceptron.
    It steps along the gradient of one row at a time, of ``loss + alpha * (l1_ratio |coef|_1 + (1 - l1_ratio) / 2
    |coef|^2)``: for the same `random_state` in the same order as scikit-learn, so that coefficients agree to rounding.
    Of more than two classes each is told from all others. It does not end at the optimum; `LogisticRegression` does.

    Parameters
    ----------
    loss : {"hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "squared_error", "huber", \
"epsilon_insensitive", "squared_epsilon_insensitive"}
        Loss of a row; those of regression take the labels as -1 and 1.
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
    n_jobs : int, optional
        Threads for more than two classes.
    random_state : int, RandomState or None
        Of the order of the rows, and of those held out.
    learning_rate : {"optimal", "constant", "invscaling", "adaptive", "pa1", "pa2"}
        Step t: ``1 / (alpha (t + t0))``; ``eta0``; ``eta0 / t**power_t``; ``eta0``, divided by 5 when nothing improves;
        passive-aggressive steps with ``eta0`` at most or as their softness, of "hinge" only.
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
    class_weight : dict or "balanced", optional
        Weight of each class; "balanced" gives all classes the same total.
    warm_start : bool
        Whether `fit` begins at the coefficients of the last one.
    average : bool or int
        Whether coefficients are the mean of all steps, or of those from a given one.

    Attributes
    ----------
    classes_ : array, shape (c,)
        Labels.
    coef_ : array or tensor, shape (1, p) for two classes or (c, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,) or (c,)
        Intercepts.
    n_iter_ : int
        Epochs; of more than two classes the most that one took.
    t_ : float
        1 + steps.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The decision function as a plain `nn.Module`.

    Notes
    -----
    Of the losses "log_loss" and "modified_huber" there are probabilities; of more than two classes those against all
    others, divided by their sum. Those of "modified_huber" are the decision cut to -1 and 1, plus 1, halved (T. Zhang,
    "Statistical behavior and consistency of classification methods", 2004), and 0 where it is sure.
    With `average` and an L1 penalty coefficients are, as in scikit-learn, not quite the mean: what L1 takes off one is
    taken off its past too. With `early_stopping` and an L2 penalty rows held out are scored, as in scikit-learn 1.9, by
    coefficients before their common factor is multiplied in. One thing is otherwise: of "log_loss" scikit-learn 1.9
    counts every negative row held out as wrong; here they are scored as they are, so the number of epochs may differ.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import SGDClassifier
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> model = SGDClassifier(loss="log_loss", random_state=0).fit(X, ["no", "no", "yes", "yes"])
    >>> model.predict([[-1.5], [1.5]]).tolist(), bool(model.predict_proba([[1.5]])[0, 1] > 0.9)
    (['no', 'yes'], True)
    """

    loss_functions: ClassVar[dict[str, tuple[int, float]]] = {
        "hinge": (sgd.HINGE, 1.0),
        "squared_hinge": (sgd.SQUARED_HINGE, 1.0),
        "perceptron": (sgd.HINGE, 0.0),
        "log_loss": (sgd.LOG, 0.0),
        "modified_huber": (sgd.MODIFIED_HUBER, 0.0),
        "squared_error": (sgd.SQUARED, 0.0),
        "huber": (sgd.HUBER, 0.1),
        "epsilon_insensitive": (sgd.INSENSITIVE, 0.1),
        "squared_epsilon_insensitive": (sgd.SQUARED_INSENSITIVE, 0.1),
    }
    _passive_loss = "hinge"
    _one_against_rest = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **StochasticDescent._parameter_constraints,
        "loss": [StrOptions(set(loss_functions))],
        "n_jobs": [Integral, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        loss: str = "hinge",
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
        n_jobs: int | None = None,
        random_state: Any = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: dict[Any, float] | str | None = None,
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
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.average = average

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Run one epoch over some rows, from where the last call ended.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,)
            Labels: some of `classes`.
        classes : array, shape (c,), optional
            All labels that there will be; needed in the first call.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.

        Returns
        -------
        SGDClassifier
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or coefficients overflow.
        """
        first = self._is_first_part()
        if self.class_weight == "balanced":
            raise InvalidInput(
                "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use "
                "compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough "
                "sample of the full training set target to properly estimate the class frequency distributions. "
                "Pass the resulting weights as the class_weight parameter."
            )
        known = self._known_classes(classes)
        rows = SteppedRows(self, X, y, sample_weight, reset=first, known=known)
        rows.need_two_classes()
        self._run(rows, self._go_on(rows), 1)
        return self

    def _known_classes(self, classes: Any) -> NDArray[Any]:
        """The labels of the first call of `partial_fit`, or of the last fit."""
        before = getattr(self, "classes_", None)
        if classes is None and before is None:
            raise InvalidInput("classes must be passed on the first call to partial_fit.")
        given = np.asarray(before if classes is None else unique_labels(to_numpy(classes)))
        if before is not None and not np.array_equal(before, given):
            raise InvalidInput(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {before!r}"
            )
        return given

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> SteppedRows:
        rows = SteppedRows(self, X, y, sample_weight)
        rows.need_two_classes()
        return rows

    def _run(self, rows: SteppedRows, begin: Begin, epochs: int) -> None:
        random = check_random_state(self.random_state)
        if rows.outputs == 1:
            random.randint(1, MOST)  # scikit-learn draws a seed first that it does not use
        held = self._hold_out(StratifiedShuffleSplit, rows.codes, rows.weights)
        tasks = []
        for output, (problem, seed) in enumerate(zip(rows.problems(), _seeds(random, rows.outputs))):
            y = np.where(problem.y[:, 0] > 0, 1.0, -1.0).astype(rows.X.dtype)
            tasks.append(self._task(rows, y, problem.weights, seed, begin, output, held))
        self._descend(rows, tasks, held, epochs, self.n_jobs)
        self.classes_ = rows.classes

    def _teach(self, judge: Any) -> None:
        judge.classes_ = np.array([-1.0, 1.0])

    def _has_probabilities(self) -> bool:
        if self.loss not in ("log_loss", "modified_huber"):
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return True

    predict_proba = available_if(_has_probabilities)(Probabilities.predict_proba)
    predict_log_proba = available_if(_has_probabilities)(Probabilities.predict_log_proba)

    def _shares(self, eta: Array) -> Array:
        if self.loss == "log_loss":
            return super()._shares(eta)
        share = (np.clip(eta, -1.0, 1.0) + 1.0) / 2.0
        if share.ndim == 1:
            return np.stack([1.0 - share, share], axis=1)
        share[~share.any(axis=1)] = 1.0  # no class wants the row: all are as likely
        return np.asarray(share / share.sum(axis=1, keepdims=True))

    def _log_shares(self, eta: Array) -> Array:
        if self.loss == "log_loss":
            return super()._log_shares(eta)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self._shares(eta)))


def _seeds(random: np.random.RandomState, outputs: int) -> list[int]:
    """Seeds of the order of the rows, one for each decision, drawn as scikit-learn draws them."""
    if outputs == 1:
        return [random.randint(MOST)]
    seeds = []
    for drawn in random.randint(MOST, size=outputs):
        own = check_random_state(int(drawn))
        own.randint(1, MOST)
        seeds.append(own.randint(MOST))
    return seeds
