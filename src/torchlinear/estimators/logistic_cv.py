"""`LogisticRegressionCV`: the strength of a logistic regression's penalty, chosen by folds."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils._metadata_requests import UNUSED, _raise_for_params, _routing_enabled
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from torchlinear.errors import InvalidInput
from torchlinear.estimators.exchange import to_numpy
from torchlinear.estimators.labelled_rows import LabelledRows
from torchlinear.estimators.logistic import LogisticClassifier
from torchlinear.estimators.logistic_deprecated import UNSAID, name_of_penalty, warn_of_search
from torchlinear.estimators.logistic_folds import HeldOut, Walk
from torchlinear.estimators.search import PenaltySearch

__all__ = ["LogisticRegressionCV"]

Array = NDArray[np.float64]


class LogisticRegressionCV(LogisticClassifier, PenaltySearch):
    """Logistic regression with `C` and `l1_ratio` chosen by folds, with scikit-learn's names and meaning.

    Every fit of every fold is at its optimum, whatever the name of the solver; each starts from the one of the
    next stronger penalty.

    Parameters
    ----------
    Cs : int or array of float
        Strengths ``1 / C`` to try: so many between 1e-4 and 1e4, or these.
    l1_ratios : array of float
        Shares of L1 to try, 0 to 1.
    cv : int, splitter or iterable, optional
        Folds, stratified by class; 5 by default.
    scoring : str or callable, optional
        What is made as large as can be on the rows held out; accuracy by default.
    refit : bool
        Whether to fit all rows with the best strength, or to average the folds' best coefficients.
    use_legacy_attributes : bool
        Whether attributes are dicts by class, as before scikit-learn 1.10.
    fit_intercept, dual, penalty, solver, tol, max_iter, class_weight, n_jobs, verbose, intercept_scaling, random_state
        As of `LogisticRegression`.

    Attributes
    ----------
    C_, l1_ratio_ : float, or ndarray of them for each class with legacy attributes
        What was chosen.
    Cs_, l1_ratios_ : ndarray
        What was tried.
    coefs_paths_ : ndarray, shape (folds, l1_ratios, Cs, decisions, p + 1), or dict
        Coefficients of every fold.
    scores_ : ndarray, shape (folds, l1_ratios, Cs), or dict
        Scores of the rows held out.
    classes_, coef_, intercept_, n_iter_, n_features_in_, module_
        As of `LogisticRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear import LogisticRegressionCV
    >>> X = np.linspace(-1.0, 1.0, 40)[:, None]
    >>> fit = LogisticRegressionCV(l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False)
    >>> fit.fit(X, X[:, 0] > 0.1).predict([[-0.5], [0.5]]).tolist()
    [False, True]
    """

    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_weight": UNUSED}
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LogisticClassifier._parameter_constraints,
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like", None, Hidden(StrOptions({"warn"}))],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None, Hidden(StrOptions({"warn"}))],
        "refit": ["boolean"],
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), Hidden(StrOptions({UNSAID}))],
        "use_legacy_attributes": ["boolean", Hidden(StrOptions({"warn"}))],
    }

    C_: Any
    l1_ratio_: Any
    coefs_paths_: Any
    scores_: Any
    n_iter_: Any

    def __init__(
        self,
        *,
        Cs: int | Any = 10,
        l1_ratios: Any = "warn",
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str = UNSAID,
        scoring: Any = "warn",
        solver: str = "lbfgs",
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: dict[Any, float] | str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: bool | str = "warn",
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.solver = solver
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes

    def _search(self, rows: LabelledRows, params: dict[str, Any]) -> None:
        splits, for_scorer = self._routed(rows, params)
        self.Cs_ = self._strengths()
        ratios = self._ratios()
        walks = []
        for train, test in splits:
            part, held_out = rows.part(train), HeldOut(rows, test, self._get_scorer(), for_scorer)
            walks.append([self._walk(part, self._share(ratio), held_out) for ratio in ratios])
        self._choose(rows, walks, ratios)
        self._keep_paths(walks, ratios)

    def score(self, X: Any, y: Any, sample_weight: Any = None, **score_params: Any) -> float:
        """Score predictions by `scoring`: arrays or tensors."""
        _raise_for_params(score_params, self, "score")
        if sample_weight is not None:
            score_params["sample_weight"] = to_numpy(sample_weight)
        if _routing_enabled():
            score_params = process_routing(self, "score", **score_params).scorer.score
        return float(self._get_scorer()(self, to_numpy(X), to_numpy(y), **score_params))

    def get_metadata_routing(self) -> MetadataRouter:
        """Say who takes which of the further arguments of `fit` and `score`."""
        split = MethodMapping().add(caller="fit", callee="split")
        scores = MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self).add(splitter=self.cv, method_mapping=split)
        return router.add(scorer=self._get_scorer(), method_mapping=scores)

    def _get_scorer(self) -> Any:
        return get_scorer("accuracy" if self.scoring in (None, "warn") else self.scoring)

    def _routed(
        self, rows: LabelledRows, params: dict[str, Any]
    ) -> tuple[list[tuple[Any, Any]], dict[str, Any]]:
        """Index pairs of the folds, and what the scorer is given."""
        given: dict[str, Any] = {}
        scored = params
        if _routing_enabled():
            routed = process_routing(self, "fit", **params)
            given, scored = routed.splitter.split, routed.scorer.score
        labels = rows.classes[rows.codes]
        return list(check_cv(self.cv, labels, classifier=True).split(rows.X, labels, **given)), scored

    def _check_parameters(self) -> None:
        super()._check_parameters()
        warn_of_search(self)
        penalty, given = self._penalty_name(), self._given_ratios()
        self._check_solver(penalty)
        if (penalty == "elasticnet" or (given is not None and not len(given))) and not _shares(given):
            raise InvalidInput(
                f"l1_ratios must be an array-like of numbers between 0 and 1; got (l1_ratios={given!r})"
            )
        if not (np.asarray(self._strengths(), dtype=np.float64) > 0).all():
            raise InvalidInput(f"Cs={self.Cs!r}: expected numbers above 0, or how many.")

    def _strengths(self) -> NDArray[Any]:
        """Values of C to try."""
        return np.logspace(-4, 4, self.Cs) if isinstance(self.Cs, Integral) else np.asarray(to_numpy(self.Cs))

    def _penalty_name(self) -> str | None:
        return name_of_penalty(self.penalty, self._given_ratios())

    def _given_ratios(self) -> Any:
        """Shares of L1 that were given; None where none were, and they are no dimension of the attributes."""
        return None if isinstance(self.l1_ratios, str) else self.l1_ratios

    def _ratios(self) -> list[float]:
        """Shares of L1 to try."""
        given = self._given_ratios()
        return [self._share(0.0)] if given is None else [float(ratio) for ratio in given]

    def _share(self, ratio: float) -> float:
        """The share of L1 that is fitted: of a penalty with a name its own."""
        return {"l1": 1.0, "l2": 0.0}.get(str(self._penalty_name()), ratio)

    def _walk(self, rows: LabelledRows, share: float, held_out: HeldOut) -> Walk:
        """Fit rows at every C, from the strongest penalty on, and score those held out."""
        coefs, scores, counts = {}, {}, {}
        start: torch.Tensor | None = None
        for i in np.argsort(self.Cs_, kind="stable"):
            found = self._solved(rows, float(self.Cs_[i]), share, start)
            start, counts[i] = found.coef, found.history.seen
            coef = found.coef.numpy()
            coefs[i] = coef.T[:, : rows.X.shape[1] + int(self.fit_intercept)]
            scores[i] = held_out.score(coef)
        order = range(len(self.Cs_))
        return Walk(
            np.stack([coefs[i] for i in order]),
            np.array([scores[i] for i in order], dtype=np.float64),
            np.array([counts[i] for i in order], dtype=np.int32),
        )

    def _choose(self, rows: LabelledRows, walks: list[list[Walk]], ratios: list[float]) -> None:
        """Set the coefficients and what was chosen: of all rows, or the mean of what each fold finds best."""
        scores = np.stack([[walk.scores for walk in fold] for fold in walks]).swapaxes(1, 2)
        if self.refit:
            total = scores.sum(axis=0)
            i, j = np.unravel_index(np.argmax(total), total.shape)
            self.C_, self.l1_ratio_ = float(self.Cs_[i]), ratios[j]
            start = np.mean([fold[j].coefs[i] for fold in walks], axis=0).T
            share = self._share(self.l1_ratio_)
            coef = self._solved(rows, self.C_, share, self._whole(start)).coef.numpy()
        else:
            best = [np.unravel_index(np.argmax(fold), fold.shape) for fold in scores]
            self.C_ = float(np.mean([self.Cs_[i] for i, _ in best]))
            self.l1_ratio_ = float(np.mean([ratios[j] for _, j in best]))
            means = np.mean([fold[j].coefs[i] for fold, (i, j) in zip(walks, best)], axis=0)
            coef = self._whole(means.T).numpy()
        self._keep(coef, rows)

    def _whole(self, coef: Array) -> torch.Tensor:
        """Coefficients (p + 1, d), with a row of zeros for an intercept that is not fitted."""
        rows = coef if self.fit_intercept else np.vstack([coef, np.zeros(coef.shape[1])])
        return torch.from_numpy(np.ascontiguousarray(rows))

    def _keep_paths(self, walks: list[list[Walk]], ratios: list[float]) -> None:
        """Set what is known of every fold, in the new shapes or in those by class."""
        flat = self._given_ratios() is None
        paths = np.stack([[walk.coefs for walk in fold] for fold in walks])  # folds, ratios, Cs, decisions, p
        scores = np.stack([[walk.scores for walk in fold] for fold in walks])
        counts = np.stack([[walk.iterations for walk in fold] for fold in walks])
        self.l1_ratios_ = np.asarray([None] if flat else ratios)
        if not self.use_legacy_attributes:  # "warn" is the old default, True
            self.coefs_paths_, self.scores_, self.n_iter_ = paths, scores, counts
            return
        decisions = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        axis: Any = (slice(None), slice(None), 0) if flat else ()
        by_class = np.moveaxis(paths, (0, 1, 2, 3), (1, 3, 2, 0))
        self.coefs_paths_ = {label: path[axis] for label, path in zip(decisions, by_class)}
        self.scores_ = {label: scores.swapaxes(1, 2)[axis] for label in decisions}
        self.n_iter_ = counts.swapaxes(1, 2)[axis][np.newaxis]
        self.C_, self.l1_ratio_ = (
            np.full(len(decisions), value) for value in (self.C_, None if flat else self.l1_ratio_)
        )


def _shares(ratios: Any) -> bool:
    """Whether these are numbers between 0 and 1, one at least."""
    return (
        ratios is not None
        and len(ratios) > 0
        and all(isinstance(ratio, Real) and 0 <= float(ratio) <= 1 for ratio in ratios)
    )
