"""Logistic regression behind scikit-learn's interface: two classes by the logit, more by the softmax."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import Hidden, Interval, StrOptions

from torchlinear.api import objective_of
from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import iterations
from torchlinear.estimators.classifier import LinearClassifier, Probabilities
from torchlinear.estimators.labelled_rows import LabelledRows
from torchlinear.estimators.logistic_deprecated import UNSAID, name_of_penalty, warn_of_parameters
from torchlinear.information import information, separated
from torchlinear.loop import Status
from torchlinear.losses.base import Loss
from torchlinear.losses.binomial import Binomial
from torchlinear.losses.softmax import Softmax
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.elastic_net import L1L2
from torchlinear.penalties.l1 import L1
from torchlinear.penalties.l2 import L2
from torchlinear.solution import Solution
from torchlinear.summed import SummedObjective

__all__ = ["LogisticClassifier", "LogisticRegression", "penalty_of"]

SOLVERS = {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}
QUICK = 5  # iterations; where coefficients grow for ever, slopes fall by no more than a factor of about ten in each


def penalty_of(strength: float, l1_ratio: float) -> Penalty | None:
    """The penalty ``strength * (l1_ratio |beta|_1 + (1 - l1_ratio) / 2 |beta|^2)``; None of strength 0."""
    if strength == 0.0:
        return None
    return (
        L2(strength) if l1_ratio == 0 else L1(strength) if l1_ratio == 1 else L1L2(strength, float(l1_ratio))
    )


class LogisticClassifier(SparseCoefMixin, Probabilities, LinearClassifier):  # type: ignore[misc]
    """What logistic regressions share: the problem of some rows, and its solution kept."""

    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(SOLVERS)],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "n_jobs": [None, Integral],
    }
    solver: str
    penalty: str | None
    dual: bool

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> LabelledRows:
        rows = super()._rows(X, y, sample_weight)
        self._refuse_many(len(rows.classes))
        rows.need_two_classes()
        return rows

    def _solved(
        self, rows: LabelledRows, C: float, l1_ratio: float, start: torch.Tensor | None = None
    ) -> Solution:
        """Coefficients at the optimum of ``C sum(w loss) + penalty``, shape (p + 1, 1) or (p + 1, c)."""
        loss: Loss = Binomial() if rows.outputs == 1 else Softmax()
        objective = objective_of(
            loss,
            penalty_of(0.0 if math.inf == C else 1.0 / (C * rows.total_weight), l1_ratio),
            rows.tensors(),
            intercept=self.fit_intercept,
            n_outputs=rows.outputs,
        )
        return self._minimise(objective, start=start)

    def _fault(self, found: Solution, objective: Objective) -> str | None:
        grow = found.separated or _separating(objective, found)
        return self._told_apart(objective.rows.names, grow) if grow else super()._fault(found, objective)

    def _told_apart(self, names: tuple[str, ...], grow: tuple[str, ...]) -> str:
        """That these features separate the classes, by the names that the user's frame gives them."""
        theirs = dict(zip(names, getattr(self, "feature_names_in_", names)))
        return (
            "the classes can be told apart without error, so no coefficients are the best and these would grow for "
            f"ever; take a finite C, or leave a column out. It is: {', '.join(theirs[name] for name in grow)}."
        )

    def _check_solver(self, penalty: str | None) -> None:
        """Refuse what scikit-learn's solver of that name refuses, in its words."""
        solver = self.solver
        if solver not in ("liblinear", "saga") and penalty not in ("l2", None):
            raise InvalidInput(
                f"Solver {solver} supports only 'l2' or None penalties, got {penalty} penalty."
            )
        if solver != "liblinear" and self.dual:
            raise InvalidInput(f"Solver {solver} supports only dual=False, got dual={self.dual}")
        if penalty == "elasticnet" and solver != "saga":
            raise InvalidInput(f"Only 'saga' solver supports elasticnet penalty, got solver={solver}.")
        if solver == "liblinear" and penalty is None:
            raise InvalidInput("C=np.inf as well as penalty=None is not supported for the liblinear solver")

    def _refuse_many(self, classes: int) -> None:
        """Refuse more than two classes for liblinear, in scikit-learn's words."""
        if self.solver == "liblinear" and classes > 2:
            raise InvalidInput(
                "The 'liblinear' solver does not support multiclass classification (n_classes >= 3). Either use "
                "another solver or wrap the estimator in a OneVsRestClassifier to keep applying a "
                "one-versus-rest scheme."
            )


def _separating(objective: Objective, found: Solution) -> tuple[str, ...]:
    """Features that separate two classes, which costs a pass; without one where Newton's method was quick."""
    quick = found.history.seen <= QUICK or found.status is not Status.CONVERGED
    if quick or found.penalty != "none" or not isinstance(objective, SummedObjective):
        return ()
    return separated(objective, information(objective, found.coef).moved) if objective.loss.separable else ()


class LogisticRegression(LogisticClassifier):
    """Logistic regression, with scikit-learn's names and meaning.

    It minimises ``C sum(w loss) + l1_ratio |coef|_1 + (1 - l1_ratio) / 2 |coef|^2`` to the last digits, whatever
    the name of the solver: the loss is the binomial's of two classes and the softmax's of more. The intercept is
    never penalised, not even by "liblinear".

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet", None}
        Deprecated by scikit-learn: say `C` and `l1_ratio`.
    C : float
        Inverse of the penalty's strength, above 0; ``inf`` for none.
    l1_ratio : float
        Share of the L1 penalty, 0 to 1.
    dual, intercept_scaling, random_state, tol, verbose
        Accepted for compatibility.
    fit_intercept : bool
        Whether to fit an intercept.
    class_weight : dict or "balanced", optional
        Weight of each class; "balanced" gives all classes the same total.
    solver : {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}
        Accepted for compatibility: what scikit-learn's solver of that name refuses is refused.
    max_iter : int
        Iterations at most.
    warm_start : bool
        Whether to start from the last fit.
    n_jobs : int, optional
        Deprecated by scikit-learn, without effect.

    Attributes
    ----------
    classes_ : array, shape (c,)
        Labels.
    coef_ : array or tensor, shape (1, p) for two classes or (c, p)
        Coefficients, in the dtype of X; a tensor when X was one.
    intercept_ : array or tensor, shape (1,) or (c,)
        Intercepts.
    n_iter_ : array of int, shape (1,)
        Iterations.
    n_features_in_ : int
        p.
    module_ : LinearModel
        The decision function as a plain `nn.Module`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = LogisticRegression().fit(X, ["no", "no", "yes", "yes"])
    >>> fit.predict([[0.2], [2.9]]).tolist(), fit.predict_proba([[1.5]]).round(3).tolist()
    (['no', 'yes'], [[0.5, 0.5]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LogisticClassifier._parameter_constraints,
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), None, Hidden(StrOptions({UNSAID}))],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        penalty: str | None = UNSAID,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: dict[Any, float] | str | None = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _check_parameters(self) -> None:
        super()._check_parameters()
        warn_of_parameters(self)
        name = self._penalty_name()
        self._check_solver(name)
        if name == "elasticnet" and self.l1_ratio is None:
            raise InvalidInput("l1_ratio must be specified when penalty is elasticnet.")

    def _penalty_name(self) -> str | None:
        return name_of_penalty(self.penalty, self.l1_ratio, none=math.inf == self.C)

    def _learn(self, rows: LabelledRows) -> None:
        name = self._penalty_name()
        C = math.inf if name is None else float(self.C)
        l1_ratio = {"l1": 1.0, "elasticnet": self.l1_ratio}.get(str(name), 0.0)
        found = self._solved(rows, C, l1_ratio, self._last(rows))
        self.n_iter_ = np.array([iterations(found)], dtype=np.int32)
        self._keep(found.coef.numpy(), rows)

    def _last(self, rows: Any) -> torch.Tensor | None:
        same = np.array_equal(getattr(self, "classes_", ()), rows.classes)
        return super()._last(rows) if same else None
