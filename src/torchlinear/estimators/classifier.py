"""What the classifiers share: labels in and out, class weights, decisions and probabilities."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearEstimator, TrainingRows, device_of, like, to_numpy

__all__ = ["LabelledRows", "LinearClassifier", "Probabilities"]


class LabelledRows(TrainingRows):
    """Validated rows of a classifier, with labels as numbers.

    Parameters
    ----------
    estimator : LinearClassifier
        The estimator; its `class_weight`, if it has one, multiplies the weights.
    X, y, sample_weight
        As of `TrainingRows`, with labels of any kind in y, shape (n,).

    Attributes
    ----------
    classes : ndarray, shape (c,)
        Sorted labels.
    codes : ndarray of int, shape (n,)
        Which of the classes each row has.
    y : ndarray, shape (n, 1), float64
        The codes as the target of a loss on labels.
    """

    numeric = False

    def __init__(self, estimator: LinearClassifier, X: Any, y: Any, sample_weight: Any) -> None:
        super().__init__(estimator, X, y, sample_weight)
        self.flat = False  # coef_ always has a row for each decision
        class_weight = getattr(estimator, "class_weight", None)
        if class_weight is not None:
            given = 1.0 if self.weight is None else self.weight
            self.weight = np.asarray(given * self._by_class(class_weight), dtype=np.float64)

    def _numbers(self, targets: NDArray[Any]) -> NDArray[Any]:
        labels = column_or_1d(targets, warn=True)
        check_classification_targets(labels)
        self.classes, self.codes = np.unique(labels, return_inverse=True)
        return np.asarray(self.codes[:, np.newaxis].astype(np.float64))

    def _by_class(self, class_weight: Any) -> NDArray[Any]:
        """Factors of the weights, shape (n,)."""
        weights = compute_class_weight(
            class_weight, classes=self.classes, y=self.classes[self.codes], sample_weight=self.weight
        )
        return np.asarray(weights[self.codes])

    def part(self, index: Any) -> Self:
        """Some of the rows, by number or mask; of the same classes."""
        some = copy(self)
        some.X, some.y, some.codes = self.X[index], self.y[index], self.codes[index]
        some.weight = None if self.weight is None else self.weight[index]
        return some

    def need_two_classes(self) -> None:
        """Refuse rows of one class."""
        if len(self.classes) < 2:
            raise InvalidInput(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {self.classes[0]!r}"
            )

    def indicators(self, low: float = -1.0) -> NDArray[np.float64]:
        """A column for each class, 1 where a row has it and `low` elsewhere; of two classes, for the second only."""
        columns = np.arange(len(self.classes)) if len(self.classes) > 2 else np.array([1])
        return np.where(self.codes[:, np.newaxis] == columns, 1.0, low)


class LinearClassifier(ClassifierMixin, LinearEstimator):  # type: ignore[misc]
    """A classifier with ``classes_``, ``coef_`` (1, p) of two classes or (c, p) of more, and ``intercept_``."""

    classes_: NDArray[Any]

    def decision_function(self, X: Any) -> Any:
        """Linear predictor of rows: above 0 for the second of two classes, largest for the likeliest of more.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n,) for two classes or (n, c)
            Decisions; a tensor on the same device when X is a tensor.
        """
        return like(device_of(X), self._decision(X))

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n,)
            Labels; a tensor on the same device when X is a tensor and labels are numbers.
        """
        decision = self._decision(X)
        codes = decision.argmax(axis=1) if decision.ndim == 2 else (decision > 0).astype(np.intp)
        labels = self.classes_[codes]
        return like(device_of(X) if labels.dtype.kind in "biuf" else None, labels)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predictions; arrays or tensors."""
        return float(super().score(to_numpy(X), to_numpy(y), to_numpy(sample_weight)))

    def _decision(self, X: Any) -> NDArray[Any]:
        eta = self._eta(X)
        return eta[:, 0] if eta.ndim == 2 and eta.shape[1] == 1 else eta

    def _keep(self, coef: NDArray[np.float64], rows: TrainingRows) -> None:
        super()._keep(coef, rows)
        if not self.fit_intercept and not self._squeezes:
            self.intercept_ = like(rows.device, np.zeros(coef.shape[1], dtype=rows.X.dtype))


class Probabilities:
    """Mixin for classifiers whose decisions are log-odds (two classes) or logits of a softmax (more)."""

    _decision: Any
    classes_: NDArray[Any]
    _one_against_rest: ClassVar[bool] = (
        False  # each class against the others, then normalised, instead of softmax
    )

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n, c)
            Probabilities, classes as in ``classes_``; a tensor on the same device when X is a tensor.
        """
        check_is_fitted(self)
        eta = self._decision(X)
        if eta.ndim == 1:
            shares = np.stack([expit(-eta), expit(eta)], axis=1)
        else:
            shares = softmax(log_expit(eta) if self._one_against_rest else eta, axis=1)
        return like(device_of(X), shares)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of the probability of each class, exact where the probability itself is too small for a float.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n, c)
            Log-probabilities.
        """
        check_is_fitted(self)
        eta = self._decision(X)
        if eta.ndim == 1:
            logs = np.stack([log_expit(-eta), log_expit(eta)], axis=1)
        else:
            logs = log_softmax(log_expit(eta) if self._one_against_rest else eta, axis=1)
        return like(device_of(X), logs)
