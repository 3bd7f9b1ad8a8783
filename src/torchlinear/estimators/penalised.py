"""What `ElasticNet` and `MultiTaskElasticNet` share: least squares with a penalty that makes coefficients zero."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from torchlinear.api import objective_of, solve
from torchlinear.estimators.base import LinearRegressor, TrainingRows
from torchlinear.estimators.exchange import to_numpy
from torchlinear.losses.squared import Squared
from torchlinear.penalties.base import Penalty
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solution import Solution

__all__ = ["PenalisedRegressor"]


class PenalisedRegressor(MultiOutputMixin, LinearRegressor):  # type: ignore[misc]
    """Least squares with the strength ``alpha`` of a penalty, of which ``l1_ratio`` makes coefficients zero."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
    }
    _sums_show_nonfinite = True
    _takes_sparse = True
    alpha: float
    l1_ratio: float
    positive: bool = False
    dual_gap_: Any
    n_iter_: Any

    def _penalty(self) -> Penalty:
        """The penalty that the parameters say, of a squared loss that is not halved as scikit-learn's is."""
        raise NotImplementedError

    def _solved(self, rows: TrainingRows) -> Solution:
        """The optimum; the attributes are set to it."""
        objective = objective_of(
            Squared(),
            self._penalty(),
            rows.tensors(),
            intercept=self.fit_intercept,
            precision="double",  # no standard errors here
            solution="nonnegative" if self.positive else "drop",
        )
        assert isinstance(objective, QuadraticObjective)
        solution = solve(objective, start=self._last(rows))
        self._keep(solution.coef.numpy(), rows)
        gaps = objective.gaps(solution.coef) / rows.total_weight
        one = len(gaps) == 1
        self.dual_gap_ = gaps[0] if one else gaps
        self.n_iter_ = 1 if one else [1] * len(gaps)
        return solution

    @property
    def sparse_coef_(self) -> csr_array:
        """The coefficients as a sparse array, shape (1, p) or (k, p)."""
        check_is_fitted(self)
        return csr_array(np.atleast_2d(to_numpy(self.coef_)))
