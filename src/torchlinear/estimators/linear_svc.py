"""`LinearSVC`: linear support vector classification behind scikit-learn's interface."""

from __future__ import annotations

import warnings
from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions

from torchlinear.api import objective_of, solve
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import ConvergenceWarning
from torchlinear.estimators.classifier import LabelledRows, LinearClassifier
from torchlinear.estimators.logistic import penalty_of
from torchlinear.loop import Status
from torchlinear.losses.base import Loss
from torchlinear.losses.hinge import Hinge
from torchlinear.losses.squared_hinge import SquaredHinge
from torchlinear.solution import Solution

__all__ = ["LinearSVC"]

LOSSES: dict[str, type[Loss]] = {"hinge": Hinge, "squared_hinge": SquaredHinge}


class MarginRows(LabelledRows):
    """Validated rows of a classifier of one class against the rest.

    Attributes
    ----------
    factors : ndarray, shape (c,)
        What `class_weight` says of each class: of two it weights the rows of both, of more in each problem those of
        its own class only, as in liblinear.
    """

    def __init__(self, estimator: LinearSVC, X: Any, y: Any, sample_weight: Any) -> None:
        super().__init__(estimator, X, y, sample_weight)
        self.factors = compute_class_weight(
            estimator.class_weight,
            classes=self.classes,
            y=self.classes[self.codes],
            sample_weight=self.weight,
        )

    def _by_class(self, class_weight: Any) -> NDArray[Any]:
        return np.ones(len(self.codes))  # they differ from problem to problem

    def against_rest(self, number: int) -> MarginRows:
        """The same rows with 1 for a class and 0 for the others as targets; of two classes, for the second."""
        one = copy(self)
        mine = self.codes == number
        one.y = mine.astype(np.float64)[:, np.newaxis]
        others = self.factors[0] if len(self.classes) == 2 else 1.0
        factors = np.where(mine, self.factors[number], others)
        if (factors != 1.0).any():
            one.weight = self.weights * factors
        return one


class LinearSVC(SparseCoefMixin, LinearClassifier):  # type: ignore[misc]
    """Linear support vector classification, with scikit-learn's names and meaning.

    It minimises ``C sum(w loss) + |coef|^2 / 2`` (with penalty="l1" ``|coef|_1``) to the last digits, whatever `dual`
    says; of more than two classes, each against the rest. The intercept is never penalised: liblinear's optimum, which
    pays for it, is approached there by a large `intercept_scaling`.

    Parameters
    ----------
    penalty : {"l2", "l1"}
        Norm of the penalty; "l1" makes coefficients exactly zero.
    loss : {"squared_hinge", "hinge"}
        What a row costs whose margin is below 1.
    dual : bool or "auto"
        Accepted for compatibility: combinations that scikit-learn refuses are refused.
    tol, intercept_scaling, random_state, verbose
        Accepted for compatibility: the optimum is exact, and the intercept not penalised.
    C : float
        Inverse of the penalty's strength, above 0.
    multi_class : {"ovr", "crammer_singer"}
        "ovr": one class against the rest. "crammer_singer" is refused.
    fit_intercept : bool
        Whether to fit an intercept.
    class_weight : dict or "balanced", optional
        Weight of each class; "balanced" gives all classes the same total. Of more than two classes it weights a class
        in its own problem, as in liblinear.
    max_iter : int
        Iterations at most.

    Attributes
    ----------
    classes_ : array, shape (c,)
        Labels.
    coef_ : array or tensor, shape (1, p) for two classes or (c, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,) or (c,)
        Intercepts.
    n_iter_ : int
        The most iterations of any class.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The decision function as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import LinearSVC
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = LinearSVC(C=100.0, loss="hinge").fit(X, ["no", "no", "yes", "yes"])
    >>> fit.predict([[0.2], [2.9]]).tolist(), fit.coef_.round(9).tolist(), fit.intercept_.round(9).tolist()
    (['no', 'yes'], [[2.0]], [-3.0])
    """

    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions(set(LOSSES))],
        "dual": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [None, dict, StrOptions({"balanced"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: bool | str = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: dict[Any, float] | str | None = None,
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,)
            Labels.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.

        Returns
        -------
        LinearSVC
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or there is only one class.
        """
        self._check_parameters()
        self._check_combination()
        rows = MarginRows(self, X, y, sample_weight)
        rows.need_two_classes()
        numbers = [1] if len(rows.classes) == 2 else range(len(rows.classes))
        found = [self._solved(rows.against_rest(number), rows.total_weight) for number in numbers]
        self.classes_ = rows.classes
        self.n_iter_ = max(1, *(part.history.seen for part in found))
        self._keep(np.column_stack([part.coef.numpy() for part in found]), rows)
        return self

    def _solved(self, rows: MarginRows, total: float) -> Solution:
        """Coefficients of one problem at its optimum, shape (p + 1, 1)."""
        strength = 1.0 / (self.C * rows.total_weight) if rows.total_weight else 1.0 / (self.C * total)
        objective = objective_of(
            LOSSES[self.loss](),
            penalty_of(strength, float(self.penalty == "l1")),
            rows.tensors(),
            intercept=self.fit_intercept,
        )
        found = solve(objective, infer=False, max_epochs=int(self.max_iter) or 1)
        if found.status is not Status.CONVERGED:
            warnings.warn(f"LinearSVC: fit {found.status.value}", ConvergenceWarning, stacklevel=3)
        return found

    def _check_combination(self) -> None:
        """Refuse the combinations that scikit-learn refuses, in its words, and the one that is not there."""
        if self.multi_class == "crammer_singer":
            raise InvalidInput(
                "LinearSVC takes multi_class='ovr', each class against the rest, not 'crammer_singer'; for scores that "
                "are fitted jointly use LogisticRegression."
            )
        reason = None
        if self.penalty == "l1" and self.loss == "hinge":
            reason = "The combination of penalty='l1' and loss='hinge' is not supported"
        elif (self.loss == "hinge" and self.dual is False) or (self.penalty == "l1" and self.dual is True):
            reason = (
                f"The combination of penalty='{self.penalty}' and loss='{self.loss}' are not supported when "
                f"dual={self.dual}"
            )
        if reason is not None:
            raise InvalidInput(
                f"Unsupported set of arguments: {reason}, Parameters: penalty={self.penalty!r}, loss={self.loss!r}, "
                f"dual={self.dual!r}"
            )
