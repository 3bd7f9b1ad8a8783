"""What `LassoCV` and `ElasticNetCV` share: one penalty of many, chosen by folds from one pass over the rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from torchlinear.api import solve
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearRegressor, TrainingRows
from torchlinear.estimators.exchange import to_numpy
from torchlinear.estimators.search import PenaltySearch
from torchlinear.losses.squared import Squared
from torchlinear.penalties.elastic_net import L1L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.selection.folds import plan
from torchlinear.selection.validation import Validation, validation
from torchlinear.wide.objective import suits

__all__ = ["PenalisedCV"]

Array = NDArray[np.float64]

SMALLEST = float(np.finfo(np.float64).resolution)  # a grid of scikit-learn never begins below it


class PenalisedCV(LinearRegressor, PenaltySearch):
    """A regressor that chooses the strength of its penalty by folds."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "eps": [Interval(Real, 0, None, closed="neither")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "precompute": [StrOptions({"auto"}), "array-like", "boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "copy_X": ["boolean"],
        "cv": ["cv_object"],
        "verbose": ["verbose"],
        "n_jobs": [Integral, None],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
    }
    _sums_show_nonfinite = True
    _takes_sparse = True
    eps: float
    alphas: Any
    cv: Any
    positive: bool

    def _mixes(self) -> list[float]:
        """Shares of L1 to try."""
        return [1.0]

    def _mixed(self, mix: float) -> None:
        """Keep the share of L1 that was chosen, where there was a choice."""

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> TrainingRows:
        # A strength is relative to the mean loss: one weight for all rows says nothing.
        return super()._rows(X, y, None if isinstance(sample_weight, Real) else sample_weight)

    def _search(self, rows: TrainingRows, params: dict[str, Any]) -> None:
        judge = self._validation(rows, self._splits(rows, params))
        mixes = self._mixes()
        grids = self._grids(judge, mixes)
        with single_threaded_blas():
            errors = np.stack([self._errors(judge, mix, grid) for mix, grid in zip(mixes, grids)])
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 2, 1))
        means = errors.mean(axis=1)
        which, at = np.unravel_index(np.argmin(means), means.shape)
        self.alpha_ = grids[which, at]
        self.alphas_ = grids if isinstance(self.alphas, Integral) and len(mixes) > 1 else grids[0]
        self._fit_chosen(judge, rows, mixes[which])
        self._mixed(mixes[which])

    def _splits(self, rows: TrainingRows, params: dict[str, Any]) -> list[tuple[Any, Any]]:
        """Index pairs of the folds."""
        routed = {}
        if _routing_enabled():
            routed = process_routing(self, "fit", **params).splitter.split
        return list(check_cv(self.cv).split(rows.X, rows.y[:, 0], **routed))

    def _validation(self, rows: TrainingRows, splits: list[tuple[Any, Any]]) -> Validation:
        tensors = rows.tensors()
        return validation(
            Squared(),
            tensors,
            plan(splits, tensors),
            intercept=self.fit_intercept,
            positive=self.positive,
            precision="double",  # no standard errors here
            wide=suits(Squared(), L1L2(1.0, max(self._mixes())), tensors),
        )

    def _grids(self, judge: Validation, mixes: list[float]) -> Array:
        """Strengths in scikit-learn's units for each mix, from the strongest down, shape (mixes, m)."""
        if not isinstance(self.alphas, Integral):
            for index, alpha in enumerate(self.alphas):
                check_scalar(
                    alpha, f"alphas[{index}]", target_type=Real, min_val=0.0, include_boundaries="left"
                )
            return np.tile(np.sort(np.asarray(to_numpy(self.alphas), np.float64))[::-1], (len(mixes), 1))
        if 0.0 in mixes:
            raise InvalidInput(
                "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by providing "
                "your estimator with the appropriate `alphas=` argument."
            )
        pull = judge.sensitivity(L1L2(1.0, 1.0)).pull / 2.0  # scikit-learn halves the squared loss
        top = max(float((pull if self.positive else np.abs(pull)).max()), 0.0)
        return np.stack([_grid(top / mix, self.eps, int(self.alphas)) for mix in mixes])

    def _errors(self, judge: Validation, mix: float, alphas: Array) -> Array:
        """Mean squared errors of each fold at each strength, shape (K, m)."""
        return judge.scores([L1L2(2.0 * float(alpha), mix) for alpha in alphas]).errors

    def _fit_chosen(self, judge: Validation, rows: TrainingRows, mix: float) -> None:
        """Fit all rows with the chosen penalty and set the attributes."""
        objective = judge.objective(L1L2(2.0 * float(self.alpha_), mix))
        assert isinstance(objective, QuadraticObjective)  # squared loss has it
        solution = solve(objective)
        self._keep(solution.coef.numpy(), rows)
        self.dual_gap_ = float(objective.gaps(solution.coef)[0]) / rows.total_weight
        self.n_iter_ = 1

    def get_metadata_routing(self) -> MetadataRouter:
        """How metadata reach the splitter; see scikit-learn's guide on metadata routing."""
        mapping = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=check_cv(self.cv), method_mapping=mapping)
        )


def _grid(top: float, eps: float, count: int) -> Array:
    if top <= SMALLEST:
        return np.full(count, SMALLEST)
    return np.geomspace(top, top * eps, num=count)
