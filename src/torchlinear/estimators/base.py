"""What the regressors share: validation in, fitted attributes out, tensors for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    validate_data,
)

from torchlinear.block import TensorRows
from torchlinear.engines.local import Local
from torchlinear.losses.squared import Squared
from torchlinear.model import LinearModel
from torchlinear.penalties.base import Penalty
from torchlinear.quadratic import QuadraticObjective

__all__ = ["LinearEstimator", "TrainingRows"]


class TrainingRows:
    """Validated rows of one call of `fit`.

    Attributes
    ----------
    X : ndarray, shape (n, p), float32 or float64
        Features.
    y : ndarray, shape (n, k)
        Targets, one column for a one-dimensional target.
    weight : ndarray or None, shape (n,)
        Sample weights.
    flat : bool
        Whether the target was one-dimensional.
    device : torch.device or None
        Where the caller's tensor lies; None for anything else.
    """

    def __init__(self, estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any) -> None:
        self.device = X.device if isinstance(X, torch.Tensor) else None
        self.X, targets = validate_data(
            estimator,
            to_numpy(X),
            to_numpy(y),
            dtype=[np.float64, np.float32],
            y_numeric=True,
            multi_output=True,
            ensure_all_finite=False,  # NaN and inf show in the moments, which costs no pass of its own
        )
        self.flat = targets.ndim == 1
        self.y = np.asarray(
            targets if targets.dtype == np.float32 else targets.astype(np.float64, copy=False)
        )
        self.y = self.y[:, np.newaxis] if self.flat else self.y
        self.weight: NDArray[np.float64] | None = None
        if sample_weight is not None:
            self.weight = _check_sample_weight(
                to_numpy(sample_weight), self.X, dtype=np.float64, ensure_non_negative=True
            )

    @property
    def total_weight(self) -> float:
        """Sum of the weights; the number of rows without any."""
        return float(_num_samples(self.X) if self.weight is None else self.weight.sum())

    def tensors(self, target: Any = slice(None)) -> TensorRows:
        """The rows as tensors that share the arrays' memory, with some of the targets."""
        weight = None if self.weight is None else torch.from_numpy(self.weight)
        return TensorRows(_tensor(self.X), _tensor(self.y[:, target]), weight)


class LinearEstimator(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor with ``coef_``, ``intercept_`` and ``module_``."""

    fit_intercept: bool
    positive: bool
    squeezes = False  # whether coef_ of a target of shape (n, 1) has one dimension, as Ridge's

    def predict(self, X: Any) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array or tensor, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n,) or (n, k)
            Predictions; a tensor on the same device when X is a tensor.
        """
        check_is_fitted(self)
        rows = validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], reset=False)
        eta = rows @ to_numpy(self.coef_).T + to_numpy(self.intercept_)
        return torch.from_numpy(eta).to(X.device) if isinstance(X, torch.Tensor) else eta

    @property
    def module_(self) -> LinearModel:
        """The fitted model as a plain `nn.Module`, on the CPU."""
        check_is_fitted(self)
        beta = torch.from_numpy(np.atleast_2d(to_numpy(self.coef_)).T.copy())
        last = np.broadcast_to(to_numpy(self.intercept_), beta.shape[1:]).astype(np.float64)
        return LinearModel(torch.vstack([beta.double(), torch.from_numpy(last)]), dtype=beta.dtype)

    def _objective(self, rows: TensorRows, penalty: Penalty | None) -> QuadraticObjective:
        return QuadraticObjective(
            Squared(),
            penalty,
            Local().load(rows),
            intercept=self.fit_intercept,
            precision="double",  # no standard errors here; coefficients are refined where float64 loses digits
            solution="nonnegative" if self.positive else "minimum_norm",
        )

    def _keep(self, coef: NDArray[np.float64], rows: TrainingRows) -> None:
        """Set ``coef_`` and ``intercept_`` from (p + 1, k), in the dtype and on the device of X."""
        kept = coef.astype(rows.X.dtype)
        beta = kept[:-1, 0] if rows.flat or (self.squeezes and kept.shape[1] == 1) else kept[:-1].T.copy()
        last = kept[-1, 0] if rows.flat else kept[-1].copy()
        if not self.fit_intercept:
            last = rows.X.dtype.type(0.0)
        given = rows.device is not None
        self.coef_: Any = torch.from_numpy(beta.copy()).to(rows.device) if given else beta
        self.intercept_: Any = torch.as_tensor(last, device=rows.device) if given else last

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R squared of the predictions; arrays or tensors."""
        return float(super().score(to_numpy(X), to_numpy(y), sample_weight))


def to_numpy(values: Any) -> Any:
    """A tensor as an array that shares its memory where it can; anything else as it is."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """A tensor over the array's memory; a copy where torch could not use it."""
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    return torch.from_numpy(array)
