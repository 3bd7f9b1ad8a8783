"""What estimators share that choose their penalty by rows held out."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.utils._metadata_requests import _raise_for_params

from torchlinear.estimators.base import LinearEstimator
from torchlinear.estimators.exchange import to_numpy

__all__ = ["PenaltySearch"]


class PenaltySearch(LinearEstimator):
    """An estimator that chooses the strength of its penalty."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose the penalty by rows held out, and fit all rows with it.

        Parameters
        ----------
        X : array, tensor, frame or sparse matrix, shape (n, p)
            Rows; sparse ones never become dense.
        y : array or tensor, shape (n,), or (n, k) of an estimator that takes several targets
            Target; of a classifier labels of any kind.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0; of fits and of held-out errors. Folds count alike, whatever their weight.
        **params : dict
            For the splitter and the scorer, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        PenaltySearch
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or the rows do not suit it.
        """
        self._check_parameters()
        _raise_for_params(params, self, "fit")
        rows = self._rows(X, y, sample_weight)
        if sample_weight is not None and not isinstance(sample_weight, Real):
            params["sample_weight"] = np.asarray(to_numpy(sample_weight))
        self._search(rows, params)
        return self

    def _search(self, rows: Any, params: dict[str, Any]) -> None:
        """Choose, and set the fitted attributes; `params` are for the splitter and the scorer, weights of rows too."""
        raise NotImplementedError
