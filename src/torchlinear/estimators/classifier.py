"""What the classifiers share: decisions, labels and probabilities."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin

from torchlinear.estimators.base import LinearEstimator
from torchlinear.estimators.exchange import device_of, like, to_numpy
from torchlinear.estimators.labelled_rows import LabelledRows

__all__ = ["LinearClassifier", "Probabilities"]


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
        array or tensor, shape (n,), or (n, c) where rows may have several labels
            Labels; a tensor on the same device when X is a tensor and labels are numbers.
        """
        labels = self._labels(self._decision(X))
        return like(device_of(X) if labels.dtype.kind in "biuf" else None, labels)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predictions; arrays or tensors."""
        return float(super().score(to_numpy(X), to_numpy(y), to_numpy(sample_weight)))

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> LabelledRows:
        return LabelledRows(self, X, y, sample_weight)

    def _decision(self, X: Any) -> NDArray[Any]:
        eta = self._eta(X)
        return eta[:, 0] if eta.ndim == 2 and eta.shape[1] == 1 else eta

    def _labels(self, decision: NDArray[Any]) -> NDArray[Any]:
        """The labels of decisions."""
        codes = decision.argmax(axis=1) if decision.ndim == 2 else (decision > 0).astype(np.intp)
        return np.asarray(self.classes_[codes])

    def _keep(self, coef: NDArray[np.float64], rows: Any) -> None:
        super()._keep(coef, rows)
        self.classes_ = rows.classes
        if not self.fit_intercept and not self._squeezes:
            self.intercept_ = like(rows.device, np.zeros(coef.shape[1], dtype=rows.X.dtype))


class Probabilities:
    """Mixin for classifiers whose decisions are log-odds (two classes) or logits of a softmax (more)."""

    _decision: Any
    classes_: NDArray[Any]
    # Each class against the others, then normalised, instead of softmax.
    _one_against_rest: ClassVar[bool] = False

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
        return like(device_of(X), self._shares(self._decision(X)))

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
        return like(device_of(X), self._log_shares(self._decision(X)))

    def _shares(self, eta: NDArray[Any]) -> NDArray[Any]:
        """Probabilities of decisions, shape (n, c)."""
        if eta.ndim == 1:
            return np.stack([expit(-eta), expit(eta)], axis=1)
        return np.asarray(softmax(log_expit(eta) if self._one_against_rest else eta, axis=1))

    def _log_shares(self, eta: NDArray[Any]) -> NDArray[Any]:
        """Logarithms of `_shares`."""
        if eta.ndim == 1:
            return np.stack([log_expit(-eta), log_expit(eta)], axis=1)
        return np.asarray(log_softmax(log_expit(eta) if self._one_against_rest else eta, axis=1))
