"""`RidgeClassifier`: ridge regression of class indicators behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import type_of_target

from torchlinear.estimators.classifier import LinearClassifier
from torchlinear.estimators.labelled_rows import LabelledRows
from torchlinear.estimators.ridge import RidgeSolver

__all__ = ["IndicatorClassifier", "IndicatorRows", "RidgeClassifier"]


class IndicatorRows(LabelledRows):
    """Validated rows whose targets are 1 where a row has the class and -1 elsewhere.

    Labels as of `LabelledRows`; or y of shape (n, c) says of every row which of c labels it has.

    Attributes
    ----------
    y : ndarray, shape (n, c), of two classes (n, 1)
        The indicators.
    multilabel : bool
        Whether a row may have several labels.
    """

    def _numbers(self, targets: Any) -> NDArray[Any]:
        self.labels = targets.toarray() if issparse(targets) else targets
        self.multilabel = type_of_target(self.labels, input_name="y") == "multilabel-indicator"
        if self.multilabel:
            self.classes = np.arange(self.labels.shape[1])
            return np.where(self.labels > 0, 1.0, -1.0)
        super()._numbers(self.labels)
        self.labels = self.classes[self.codes]
        return self.indicators()

    @property
    def outputs(self) -> int:
        """How many indicators there are."""
        return int(self.y.shape[1])

    def _by_class(self, class_weight: Any) -> NDArray[Any]:
        # As scikit-learn's, "balanced" looks at rows, not at their weights.
        return np.asarray(compute_sample_weight(class_weight, self.labels))


class IndicatorClassifier(LinearClassifier):
    """A linear classifier that was fitted to indicators; a row may have several labels if they did."""

    _multilabel: bool = False

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> IndicatorRows:
        return IndicatorRows(self, X, y, sample_weight)

    def _labels(self, decision: NDArray[Any]) -> NDArray[Any]:
        return (decision > 0).astype(np.intp) if self._multilabel else super()._labels(decision)

    def _keep(self, coef: NDArray[np.float64], rows: Any) -> None:
        super()._keep(coef, rows)
        self._multilabel = rows.multilabel

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class RidgeClassifier(IndicatorClassifier, RidgeSolver):
    """Ridge regression of -1 and 1, one column for each class, with scikit-learn's names and meaning.

    A row is of the class whose column is predicted largest; of two classes, of the second if its prediction is
    above 0. The optimum is exact by any name of a solver, as in `Ridge`.

    Parameters
    ----------
    alpha : float
        Strength of the penalty ``alpha * sum(coef**2)``, at least 0.
    fit_intercept : bool
        Whether to fit an intercept, which is not penalised.
    copy_X, max_iter, tol, random_state
        Accepted for compatibility; the solution is exact and X is never changed.
    class_weight : dict or "balanced", optional
        Weight of each class; "balanced" gives all classes the same total.
    solver : str
        One of scikit-learn's names; accepted for compatibility.
    positive : bool
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : array or tensor, shape (p,) for two classes or (c, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,) or (c,)
        Intercepts.
    classes_ : array, shape (c,)
        Labels.
    n_iter_ : int
        1: the solution is direct.
    solver_ : str
        As in `Ridge`.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The decision function as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import RidgeClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> RidgeClassifier().fit(X, ["no", "no", "yes", "yes"]).predict([[0.2], [2.9]]).tolist()
    ['no', 'yes']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RidgeSolver._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        class_weight: dict[Any, float] | str | None = None,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
