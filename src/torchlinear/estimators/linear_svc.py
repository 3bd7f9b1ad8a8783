"""`LinearSVC`: linear support vector classification behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import StrOptions

from torchlinear.api import objective_of
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import iterations
from torchlinear.estimators.classifier import LinearClassifier
from torchlinear.estimators.labelled_rows import RowsAgainstRest
from torchlinear.estimators.logistic import penalty_of
from torchlinear.estimators.support_vectors import SupportVectors
from torchlinear.losses.base import Loss
from torchlinear.losses.hinge import Hinge
from torchlinear.losses.squared_hinge import SquaredHinge
from torchlinear.solution import Solution

__all__ = ["LinearSVC"]

LOSSES: dict[str, type[Loss]] = {"hinge": Hinge, "squared_hinge": SquaredHinge}


class LinearSVC(SparseCoefMixin, LinearClassifier, SupportVectors):  # type: ignore[misc]
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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SupportVectors._parameter_constraints,
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions(set(LOSSES))],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "class_weight": [None, dict, StrOptions({"balanced"})],
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.multi_class == "crammer_singer":
            raise InvalidInput(
                "LinearSVC takes multi_class='ovr', each class against the rest, not 'crammer_singer'; for scores that "
                "are fitted jointly use LogisticRegression."
            )

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> RowsAgainstRest:
        rows = RowsAgainstRest(self, X, y, sample_weight)
        rows.need_two_classes()
        return rows

    def _learn(self, rows: RowsAgainstRest) -> None:
        found = [self._solved(problem, rows.total_weight) for problem in rows.problems()]
        self.n_iter_ = max(iterations(part) for part in found)
        self._keep(np.column_stack([part.coef.numpy() for part in found]), rows)

    def _solved(self, rows: RowsAgainstRest, total: float) -> Solution:
        """The optimum of one problem; `total` is the weight of the rows without those of classes."""
        objective = objective_of(
            LOSSES[self.loss](),
            penalty_of(1.0 / (self.C * (rows.total_weight or total)), float(self.penalty == "l1")),
            rows.tensors(),
            intercept=self.fit_intercept,
        )
        return self._minimise(objective)
