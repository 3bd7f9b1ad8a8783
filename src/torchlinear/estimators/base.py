"""What all faces share: parameters and rows validated, a fit by its steps, fitted attributes kept."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning as TheirConvergenceWarning
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_is_fitted, validate_data

from torchlinear import errors
from torchlinear.api import solve
from torchlinear.engines.local import Local
from torchlinear.errors import InvalidInput, warn_caller
from torchlinear.estimators.exchange import as_tensor, device_of, like, to_dense, to_numpy
from torchlinear.loop import Status
from torchlinear.losses.squared import Squared
from torchlinear.model import LinearModel
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows, TensorRows
from torchlinear.solution import Solution
from torchlinear.sparse import SparseRows, as_csr, is_sparse

__all__ = ["ConvergenceWarning", "LinearEstimator", "LinearRegressor", "TrainingRows", "iterations"]

DTYPES = [np.float64, np.float32]


class ConvergenceWarning(errors.ConvergenceWarning, TheirConvergenceWarning):  # type: ignore[misc]
    """A fit ended before its optimum; whoever filters torchlinear's warning or scikit-learn's catches it."""


class TrainingRows:
    """Validated rows of one call of `fit`.

    What an estimator takes is in its tags: several targets, sparse X.

    Parameters
    ----------
    estimator : LinearEstimator
        The estimator, which learns the number and the names of the features.
    X : array, tensor, frame or sparse matrix, shape (n, p)
        Features.
    y : array or tensor, shape (n,) or (n, k)
        Targets.
    sample_weight : float or array, shape (n,), optional
        Weights, at least 0.
    reset : bool
        Whether the features are learnt anew; otherwise they must be those of the last fit.

    Attributes
    ----------
    X : ndarray or sparse matrix, shape (n, p), float32 or float64
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

    numeric: ClassVar[bool] = True  # whether targets are numbers, not labels

    def __init__(
        self, estimator: LinearEstimator, X: Any, y: Any, sample_weight: Any, reset: bool = True
    ) -> None:
        self.device = X.device if isinstance(X, torch.Tensor) else None
        tags = get_tags(estimator)
        self.X, targets = validate_data(
            estimator,
            to_numpy(X),
            to_numpy(y),
            dtype=DTYPES,
            accept_sparse=["csr", "csc"] if tags.input_tags.sparse else False,
            y_numeric=self.numeric,
            multi_output=tags.target_tags.multi_output
            or (tags.classifier_tags is not None and tags.classifier_tags.multi_label),
            ensure_all_finite=not estimator._sums_show_nonfinite,
            reset=reset,
        )
        self.weight: NDArray[np.float64] | None = None
        if sample_weight is not None:
            self.weight = _check_sample_weight(
                to_numpy(sample_weight), self.X, dtype=np.float64, ensure_non_negative=True
            )
        self.flat = targets.ndim == 1
        self.y = self._numbers(targets)

    def _numbers(self, targets: NDArray[Any]) -> NDArray[Any]:
        """The targets as numbers, shape (n, k)."""
        numbers = targets if targets.dtype == np.float32 else targets.astype(np.float64, copy=False)
        return np.asarray(numbers[:, np.newaxis] if self.flat else numbers)

    @property
    def outputs(self) -> int:
        """How many columns the coefficients have."""
        return int(self.y.shape[1])

    @property
    def total_weight(self) -> float:
        """Sum of the weights; the number of rows without any."""
        return float(_num_samples(self.X) if self.weight is None else self.weight.sum())

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights, ones without any; shape (n,)."""
        return np.ones(_num_samples(self.X)) if self.weight is None else self.weight

    def tensors(self, target: Any = slice(None)) -> TensorRows | SparseRows:
        """The rows as tensors that share the arrays' memory, with some of the targets."""
        weight = None if self.weight is None else torch.from_numpy(self.weight)
        y = as_tensor(self.y[:, target])
        if is_sparse(self.X):
            return SparseRows(as_csr(self.X), y, weight)
        return TensorRows(as_tensor(self.X), y, weight)


class LinearEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator with ``coef_``, ``intercept_`` and ``module_``."""

    # In scikit-learn's notation, which makes its messages.
    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    # NaN and inf show in the moments, which costs no pass of its own.
    _sums_show_nonfinite: ClassVar[bool] = False
    # X may be sparse, and stays so.
    _takes_sparse: ClassVar[bool] = False
    # coef_ of a target of shape (n, 1) has one dimension, as Ridge's.
    _squeezes: ClassVar[bool] = False
    fit_intercept: bool
    max_iter: Any
    warm_start: bool
    coef_: Any
    intercept_: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, tensor, frame or sparse matrix, shape (n, p)
            Rows; sparse ones never become dense.
        y : array or tensor, shape (n,), or (n, k) of an estimator that takes several targets
            Target; of a classifier labels of any kind.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.

        Returns
        -------
        LinearEstimator
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or the rows do not suit it.
        """
        self._check_parameters()
        self._learn(self._rows(X, y, sample_weight))
        return self

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> TrainingRows:
        """The rows of `fit`, validated."""
        return TrainingRows(self, X, y, sample_weight)

    def _learn(self, rows: Any) -> None:
        """Set the fitted attributes from what `_rows` makes."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Refuse parameters that `_parameter_constraints` does not allow, in scikit-learn's sentence."""
        if get_config()["skip_parameter_validation"]:
            return
        try:
            self._validate_params()
        except InvalidParameterError as error:
            raise InvalidInput(str(error)) from None

    def _eta(self, X: Any) -> NDArray[Any]:
        """Linear predictor of rows, shape (n,) or (n, k); columns as in ``coef_``."""
        check_is_fitted(self)
        sparse = "csr" if get_tags(self).input_tags.sparse else False
        rows = validate_data(self, to_numpy(X), dtype=DTYPES, accept_sparse=sparse, reset=False)
        product = safe_sparse_dot(rows, to_numpy(self.coef_).T, dense_output=True)
        return np.asarray(product + to_numpy(self.intercept_))

    @property
    def module_(self) -> LinearModel:
        """The fitted model as a plain `nn.Module` that returns the linear predictor, on the CPU."""
        check_is_fitted(self)
        return LinearModel(self._coefficients(), dtype=as_tensor(to_dense(self.coef_)).dtype)

    def _coefficients(self) -> torch.Tensor:
        """``coef_`` and, last, ``intercept_``, shape (p + 1, k), float64."""
        beta = np.atleast_2d(to_dense(self.coef_)).T
        last = np.broadcast_to(to_dense(self.intercept_), (1, beta.shape[1]))
        return torch.from_numpy(np.vstack([beta, last]).astype(np.float64))

    def _last(self, rows: TrainingRows) -> torch.Tensor | None:
        """Where a warm start begins, shape (p + 1, k); None where there is none, or for rows of another shape."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        last = self._coefficients()
        if not self.fit_intercept:
            last[-1] = 0.0
        return last if last.shape == (rows.X.shape[1] + 1, rows.outputs) else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._takes_sparse
        return tags

    def _squared(self, rows: Rows, penalty: Penalty | None, *, positive: bool = False) -> QuadraticObjective:
        """Squared loss over rows, for the solution of least norm, or the one without negative coefficients."""
        return QuadraticObjective(
            Squared(),
            penalty,
            Local().load(rows),
            intercept=self.fit_intercept,
            precision="double",  # no standard errors here; coefficients are refined where float64 loses digits
            solution="nonnegative" if positive else "minimum_norm",
        )

    def _minimise(
        self, objective: Objective, solver: str = "auto", start: torch.Tensor | None = None
    ) -> Solution:
        """The optimum in at most `max_iter` iterations, with a warning where they are too few."""
        direct = objective.loss.quadratic
        limits: dict[str, Any] = {} if direct else {"max_epochs": int(self.max_iter) or 1, "start": start}
        return self._checked(solve(objective, solver, infer=False, **limits), objective)

    def _checked(self, found: Solution, objective: Objective) -> Solution:
        """The solution, with a warning where something is wrong with it."""
        fault = self._fault(found, objective)
        if fault is not None:
            warn_caller(f"{type(self).__name__}: {fault}", ConvergenceWarning)
        return found

    def _fault(self, found: Solution, objective: Objective) -> str | None:
        """What is wrong with a solution, and what to do; None of an optimum."""
        return None if found.status is Status.CONVERGED else f"fit {found.status.value}"

    def _keep(self, coef: NDArray[np.float64], rows: TrainingRows) -> None:
        """Set ``coef_`` and ``intercept_`` from (p + 1, k), in the dtype and on the device of X."""
        kept = coef.astype(rows.X.dtype)
        one = rows.flat or (self._squeezes and kept.shape[1] == 1)
        last = kept[-1, 0] if rows.flat else kept[-1].copy()
        self.coef_ = like(rows.device, kept[:-1, 0].copy() if one else kept[:-1].T.copy())
        self.intercept_ = like(rows.device, last if self.fit_intercept else kept.dtype.type(0.0))


class LinearRegressor(RegressorMixin, LinearEstimator):  # type: ignore[misc]
    """A regressor; its prediction is the linear predictor unless `_mean` says otherwise."""

    def predict(self, X: Any) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.

        Returns
        -------
        array or tensor, shape (n,) or (n, k)
            Predictions; a tensor on the same device when X is a tensor.
        """
        return like(device_of(X), self._mean(self._eta(X)))

    def _mean(self, eta: NDArray[Any]) -> NDArray[Any]:
        """The prediction of a linear predictor."""
        return eta

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R squared of the predictions; arrays or tensors."""
        return float(super().score(to_numpy(X), to_numpy(y), to_numpy(sample_weight)))


def iterations(found: Solution) -> int:
    """How many iterations a solution took, at least 1, as scikit-learn counts."""
    return max(1, found.history.seen)
