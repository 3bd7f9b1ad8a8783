"""What `RidgeCV` and `RidgeClassifierCV` share: one strength of many, chosen by rows left out or by folds."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_scalar
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from torchlinear.dual import Dual
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearEstimator, TrainingRows
from torchlinear.estimators.exchange import like, to_numpy
from torchlinear.estimators.ridge import RidgeOptimum
from torchlinear.estimators.search import PenaltySearch
from torchlinear.leaveoneout import LeaveOneOut, of_columns, of_rows

__all__ = ["RidgeSearch", "Scored"]


@dataclass(frozen=True)
class Scored:
    """How predictions of rows left out are scored.

    Attributes
    ----------
    estimator : object
        Gives predictions back as they come.
    target : ndarray, shape (n,) or (n, k)
        What a scorer compares them with.
    """

    estimator: Any
    target: NDArray[Any]


class RidgeSearch(RidgeOptimum, PenaltySearch):
    """A ridge estimator that chooses its strength."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "cv": ["cv_object"],
        "store_cv_results": ["boolean"],
    }
    _takes_sparse = True
    _scoring: ClassVar[str]  # the scorer of folds when the user names none
    alphas: Any
    scoring: Any
    cv: Any
    store_cv_results: bool
    alpha_per_target: bool = False

    def _search(self, rows: TrainingRows, params: dict[str, Any]) -> None:
        if rows.weight is not None:
            params = {**params, "sample_weight": rows.weight}  # weights of classes are in them
        if self.cv is None:
            self._leave_one_out(rows, params)
        else:
            self._cross_validate(rows, params)

    def _model(self) -> LinearEstimator:
        """What folds are fitted with: an estimator of one strength, `alpha`."""
        raise NotImplementedError

    def _target(self, rows: Any) -> NDArray[Any]:
        """The target that folds are fitted to."""
        raise NotImplementedError

    def _scored(self, rows: Any) -> Scored:
        """How predictions of rows left out are scored."""
        raise NotImplementedError

    def _strengths(self) -> list[float]:
        """The strengths to choose from; above 0 when rows are left out."""
        given = to_numpy(self.alphas)
        if np.ndim(given) == 0:
            given = [given]
        closed = "neither" if self.cv is None else "left"
        for index, alpha in enumerate(given):
            name = f"alphas[{index}]" if len(given) > 1 else "alphas"
            check_scalar(alpha, name, target_type=Real, min_val=0.0, include_boundaries=closed)
        if not len(given):
            raise InvalidInput("alphas is empty; expected at least one strength.")
        return [float(alpha) for alpha in given]

    def _leave_one_out(self, rows: TrainingRows, params: dict[str, Any]) -> None:
        """Choose by the errors of rows left out, and set the attributes."""
        alphas, scorer = self._strengths(), None if self.scoring is None else self._scorer()
        found, dual = self._left_out(rows, alphas, keep=scorer is not None or self.store_cv_results)
        by_target = self.alpha_per_target and rows.y.shape[1] > 1
        if scorer is None:
            scores = -found.squares / found.rows
            scores = scores if by_target else scores.mean(axis=1)
        else:
            predictions = rows.y - _kept(found)
            scores = self._scores(
                predictions, scorer, self._scored(rows), self._score_params(params), by_target
            )
        best = scores.argmax(axis=0)
        chosen = np.asarray(alphas)[best]
        self.alpha_ = chosen if by_target else float(chosen)
        self.best_score_ = scores.max(axis=0) if by_target else float(scores.max())
        strengths = np.broadcast_to(chosen, (rows.y.shape[1],))
        self._keep(self._optimum(rows, strengths, dual=dual), rows)
        if self.store_cv_results:
            self.cv_results_ = self._stored(found, rows, predictions=scorer is not None)

    def _left_out(
        self, rows: TrainingRows, alphas: list[float], *, keep: bool
    ) -> tuple[LeaveOneOut, Dual | None]:
        n, p = rows.X.shape
        if n < 2:
            raise InvalidInput(f"X has {n} row (n_samples={n}): leave-one-out needs at least 2; or give cv.")
        if n > p:
            return of_columns(self._squared(rows.tensors(), None), alphas, keep=keep), None
        dual = Dual.of(rows.tensors(), intercept=self.fit_intercept)
        return of_rows(dual, alphas, keep=keep), dual

    def _scores(
        self,
        predictions: NDArray[np.float64],
        scorer: Any,
        scored: Scored,
        params: dict[str, Any],
        by_target: bool,
    ) -> NDArray[np.float64]:
        """Score of each strength, shape (m,), or of each target too, shape (m, k)."""

        def score(predicted: NDArray[np.float64], target: NDArray[Any]) -> float:
            return float(scorer(scored.estimator, predicted, target, **params))

        target = scored.target
        if by_target:
            return np.array(
                [[score(one[:, j], target[:, j]) for j in range(one.shape[1])] for one in predictions]
            )
        flat = target.ndim == 1 and predictions.shape[2] == 1
        return np.array([score(one[:, 0] if flat else one, target) for one in predictions])

    def _stored(self, found: LeaveOneOut, rows: TrainingRows, *, predictions: bool) -> Any:
        """Predictions or weighted squared errors, shape (n, m), or (n, k, m) for two-dimensional targets."""
        values = rows.y - _kept(found) if predictions else np.square(_kept(found))
        if not predictions and rows.weight is not None:
            values = values * rows.weight[:, np.newaxis]
        values = np.moveaxis(values, 0, -1).astype(rows.X.dtype)
        return like(rows.device, values[:, 0] if rows.flat else values)

    def _cross_validate(self, rows: TrainingRows, params: dict[str, Any]) -> None:
        """Choose by folds of validated rows and set the attributes."""
        for name in ("store_cv_results", "alpha_per_target"):
            if getattr(self, name):
                raise InvalidInput(f"cv!=None and {name}=True are incompatible")
        model = self._model()
        if _routing_enabled():
            model.set_fit_request(sample_weight=True)
        grid = GridSearchCV(model, {"alpha": self._strengths()}, cv=self.cv, scoring=self._scorer())
        grid.fit(rows.X, self._target(rows), **params)
        best = grid.best_estimator_
        self.alpha_, self.best_score_ = best.alpha, grid.best_score_
        self._keep(best._coefficients().numpy(), rows)

    def _score_params(self, params: dict[str, Any]) -> dict[str, Any]:
        if not _routing_enabled():
            return params
        routed: dict[str, Any] = process_routing(self, "fit", **params).scorer.score
        return routed

    def _scorer(self) -> Any:
        if self.scoring is None and _routing_enabled():
            return get_scorer(self._scoring).set_score_request(sample_weight=True)
        return check_scoring(estimator=self, scoring=self.scoring, allow_none=True)

    def get_metadata_routing(self) -> MetadataRouter:
        """How metadata reach the scorer and the splitter; see scikit-learn's guide on metadata routing."""
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(scorer=self._scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )


def _kept(found: LeaveOneOut) -> NDArray[np.float64]:
    assert found.errors is not None  # they were asked for
    return found.errors
