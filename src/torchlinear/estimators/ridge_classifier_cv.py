"""`RidgeClassifierCV`: a ridge classifier that chooses its strength, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from torchlinear.estimators.ridge_classifier import IndicatorClassifier, IndicatorRows, RidgeClassifier
from torchlinear.estimators.ridge_search import RidgeSearch, Scored

__all__ = ["RidgeClassifierCV"]


class _Given(IndicatorClassifier):
    """Decides as it is given."""

    def __init__(self, classes_: Any = None, multilabel: bool = False) -> None:
        self.classes_ = classes_
        self.multilabel = self._multilabel = multilabel

    def _eta(self, X: Any) -> NDArray[Any]:
        return np.asarray(X)


class RidgeClassifierCV(IndicatorClassifier, RidgeSearch):
    """A ridge classifier with the strength that is best on rows left out, with scikit-learn's names and meaning.

    Parameters
    ----------
    alphas, fit_intercept, store_cv_results
        As in `RidgeCV`.
    scoring : str or callable, optional
        What is best; by default the mean squared error of the indicators of rows left out, and accuracy with `cv`.
    cv : int, splitter or iterable, optional
        Folds; by default every row is one.
    class_weight : dict or "balanced", optional
        Weight of each class; "balanced" gives all classes the same total.

    Attributes
    ----------
    alpha_, best_score_ : float
        The chosen strength and its score.
    coef_ : array or tensor, shape (p,) for two classes or (c, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,) or (c,)
        Intercepts.
    classes_ : array, shape (c,)
        Labels.
    cv_results_ : array or tensor, shape (n, c, m), of two classes (n, 1, m)
        As in `RidgeCV`.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The decision function as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import RidgeClassifierCV
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> RidgeClassifierCV().fit(X, ["no", "no", "yes", "yes"]).predict([[0.2], [2.9]]).tolist()
    ['no', 'yes']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RidgeSearch._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _scoring = "accuracy"

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        store_cv_results: bool = False,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results

    def _model(self) -> RidgeClassifier:
        return RidgeClassifier(fit_intercept=self.fit_intercept)

    def _target(self, rows: IndicatorRows) -> NDArray[Any]:
        return np.asarray(rows.labels)

    def _scored(self, rows: IndicatorRows) -> Scored:
        classes = np.arange(max(len(rows.classes), 2))
        return Scored(_Given(classes, rows.multilabel), rows.labels if rows.multilabel else rows.codes)
