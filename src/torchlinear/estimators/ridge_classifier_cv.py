"""`RidgeClassifierCV`: a ridge classifier that chooses its strength, behind scikit-learn's interface."""

from __future__ import annotations

from typing import Any, ClassVar, Self

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
        **{
            name: constraint
            for name, constraint in RidgeSearch._parameter_constraints.items()
            if name not in ("gcv_mode", "alpha_per_target")
        },
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,), or (n, c) of 0 and 1
            Labels; or which of c labels each row has.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.
        **params : dict
            For the scorer and the splitter, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        RidgeClassifierCV
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected.
        """
        self._check_parameters()
        rows = IndicatorRows(self, X, y, sample_weight)
        self._keep_classes(rows)
        params = self._fit_params(params, rows.weight)
        if self.cv is None:
            target = rows.labels if rows.multilabel else rows.codes
            classes = np.arange(max(len(rows.classes), 2))
            self._leave_one_out(rows, lambda: Scored(_Given(classes, rows.multilabel), target), params)
        else:
            model = RidgeClassifier(fit_intercept=self.fit_intercept)
            self._cross_validate(model, rows, rows.labels, params)
        return self
