"""`LogisticRegressionCV`: the strength of a logistic regression's penalty, chosen by folds."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils._metadata_requests import UNUSED, _raise_for_params, _routing_enabled
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import to_numpy
from torchlinear.estimators.classifier import LabelledRows
from torchlinear.estimators.logistic import LogisticClassifier, LogisticRegression

__all__ = ["LogisticRegressionCV"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """What one fold says of every strength, for one share of L1.

    Attributes
    ----------
    coefs : ndarray, shape (m, d, p + 1) or (m, d, p)
        Coefficients at each C of each of d decisions, the intercept last if there is one.
    scores, iterations : ndarray, shape (m,)
        Of the rows held out; of the fits.
    """

    coefs: Array
    scores: Array
    iterations: NDArray[np.int32]


class LogisticRegressionCV(LogisticClassifier):
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
        **{
            name: allowed
            for name, allowed in LogisticRegression._parameter_constraints.items()
            if name not in ("C", "warm_start", "l1_ratio", "penalty")
        },
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like", None, Hidden(StrOptions({"warn"}))],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None, Hidden(StrOptions({"warn"}))],
        "refit": ["boolean"],
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), Hidden(StrOptions({"deprecated"}))],
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
        penalty: str = "deprecated",
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose the penalty by folds, and fit all rows with it.

        Parameters
        ----------
        X : array, tensor or sparse matrix, shape (n, p)
            Rows.
        y : array or tensor, shape (n,)
            Labels.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0.
        **params : dict
            For the splitter and the scorer.

        Returns
        -------
        LogisticRegressionCV
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or there is only one class.
        """
        self._check_parameters()
        _raise_for_params(params, self, "fit")
        ratios, flat = self._ratios()
        legacy = self._legacy()
        rows = LabelledRows(self, X, y, sample_weight)
        self._refuse_many(len(rows.classes))
        rows.need_two_classes()
        self.classes_ = rows.classes
        splits, for_scorer = self._routed(rows, sample_weight, params)
        self.Cs_ = np.logspace(-4, 4, self.Cs) if isinstance(self.Cs, Integral) else np.asarray(self.Cs)
        walks = [
            [self._walk(rows, train, test, ratio, for_scorer) for ratio in ratios] for train, test in splits
        ]
        self._choose(rows, walks, ratios)
        self._keep_paths(walks, ratios, flat=flat, legacy=legacy)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None, **score_params: Any) -> float:
        """Score predictions by `scoring`: arrays or tensors."""
        _raise_for_params(score_params, self, "score")
        if sample_weight is not None:
            score_params["sample_weight"] = sample_weight
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
        self, rows: LabelledRows, sample_weight: Any, params: dict[str, Any]
    ) -> tuple[list[tuple[Any, Any]], dict[str, Any]]:
        """Index pairs of the folds, and what the scorer is given."""
        given: dict[str, Any] = {}
        weight = None if sample_weight is None else np.asarray(to_numpy(sample_weight))
        scored = dict(params) if weight is None else {**params, "sample_weight": weight}
        if _routing_enabled():
            routed = process_routing(self, "fit", sample_weight=weight, **params)
            given, scored = routed.splitter.split, routed.scorer.score
        labels = rows.classes[rows.codes]
        return list(check_cv(self.cv, labels, classifier=True).split(rows.X, labels, **given)), scored

    def _ratios(self) -> tuple[list[float], bool]:
        """Shares of L1 to try, and whether they are no dimension of the attributes."""
        given = self.l1_ratios
        if isinstance(given, str):
            given = None
            warnings.warn(
                "The default value for l1_ratios will change from None to (0.0,) in version 1.10. From version "
                "1.10 onwards, only array-like with values in [0, 1] will be allowed, None will be forbidden. To "
                "avoid this warning, explicitly set a value, e.g. l1_ratios=(0,).",
                FutureWarning,
                stacklevel=3,
            )
        elif given is None and self.penalty == "deprecated":
            warnings.warn(
                "'l1_ratios=None' was deprecated in version 1.8 and will trigger an error in 1.10. Use an "
                "array-like with values in [0, 1] instead.",
                FutureWarning,
                stacklevel=3,
            )
        penalty = self._named(given)
        self._check_solver(penalty)
        if penalty == "elasticnet" and not _shares(given):
            raise InvalidInput(
                f"l1_ratios must be an array-like of numbers between 0 and 1; got (l1_ratios={given!r})"
            )
        if penalty != "elasticnet" and given is not None and self.penalty != "deprecated":
            warnings.warn(
                f"l1_ratios parameter is only used when penalty is 'elasticnet'. Got (penalty={penalty})",
                stacklevel=3,
            )
        if given is None:
            return [1.0 if penalty == "l1" else 0.0], True
        return [float(ratio) for ratio in given], False

    def _named(self, ratios: Any) -> str:
        """The penalty that the parameters say, the deprecated one included."""
        if self.penalty == "deprecated":
            shares = np.zeros(1) if ratios is None else np.asarray(ratios)
            return "l2" if (shares == 0).all() else "l1" if (shares == 1).all() else "elasticnet"
        warnings.warn(
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To avoid this warning, leave "
            "'penalty' set to its default value and use 'l1_ratios' and 'Cs' instead. Use l1_ratios=(0,) instead "
            "of penalty='l2', l1_ratios=(1,) instead of penalty='l1', l1_ratios set to floats between 0 and 1 "
            "instead of penalty='elasticnet', and Cs=(np.inf,) instead of penalty=None.",
            FutureWarning,
            stacklevel=4,
        )
        return str(self.penalty)

    def _legacy(self) -> bool:
        """Whether attributes are those of before scikit-learn 1.10."""
        name = type(self).__name__
        if isinstance(self.scoring, str) and self.scoring == "warn":
            warnings.warn(
                "The default value of the parameter 'scoring' will change from None, i.e. accuracy, to "
                "'neg_log_loss' in version 1.11. To silence this warning, explicitly set the scoring parameter: "
                "scoring='neg_log_loss' for the new, scoring='accuracy' or scoring=None for the old default.",
                FutureWarning,
                stacklevel=3,
            )
        if self.use_legacy_attributes != "warn":
            return bool(self.use_legacy_attributes)
        warnings.warn(
            f"The fitted attributes of {name} will be simplified in scikit-learn 1.10 to remove redundancy. "
            "Set`use_legacy_attributes=False` to enable the new behavior now, or set it to `True` to silence this "
            "warning during the transition period while keeping the deprecated behavior for the time being. The "
            "default value of use_legacy_attributes will change from True to False in scikit-learn 1.10. See the "
            f"docstring of {name} for more details.",
            FutureWarning,
            stacklevel=3,
        )
        return True

    def _walk(
        self, rows: LabelledRows, train: Any, test: Any, ratio: float, for_scorer: dict[str, Any]
    ) -> Walk:
        """Fit the rows of `train` at every C, from the strongest penalty on, and score those of `test`."""
        part, scorer = rows.part(train), _of_all_classes(self._get_scorer(), rows.classes)
        X, labels, n = rows.X[test], rows.classes[rows.codes[test]], len(rows.codes)
        given = {name: _of(value, test, n) for name, value in for_scorer.items()}
        coefs, scores, counts = {}, {}, {}
        start: torch.Tensor | None = None
        for i in np.argsort(self.Cs_, kind="stable"):
            found = self._solved(part, float(self.Cs_[i]), ratio, start)
            start, counts[i] = found.coef, found.history.seen
            coefs[i] = found.coef.numpy().T[:, : rows.X.shape[1] + int(self.fit_intercept)]
            scores[i] = scorer(self._fitted(rows, found.coef.numpy()), X, labels, **given)
        order = range(len(self.Cs_))
        return Walk(
            np.stack([coefs[i] for i in order]),
            np.array([scores[i] for i in order], dtype=np.float64),
            np.array([counts[i] for i in order], dtype=np.int32),
        )

    def _fitted(self, rows: LabelledRows, coef: Array) -> LogisticRegression:
        """A classifier with these coefficients, shape (p + 1, d)."""
        made = LogisticRegression(fit_intercept=self.fit_intercept)
        made.classes_, made.n_features_in_ = rows.classes, rows.X.shape[1]
        made.coef_, made.intercept_ = coef[:-1].T, coef[-1]
        return made

    def _choose(self, rows: LabelledRows, walks: list[list[Walk]], ratios: list[float]) -> None:
        """Set the coefficients and what was chosen: of all rows, or the mean of what each fold finds best."""
        scores = np.stack([[walk.scores for walk in fold] for fold in walks]).swapaxes(1, 2)
        if self.refit:
            total = scores.sum(axis=0)
            i, j = np.unravel_index(np.argmax(total), total.shape)
            self.C_, self.l1_ratio_ = float(self.Cs_[i]), ratios[j]
            start = np.mean([fold[j].coefs[i] for fold in walks], axis=0).T
            coef = self._solved(rows, self.C_, self.l1_ratio_, self._whole(start)).coef.numpy()
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

    def _keep_paths(self, walks: list[list[Walk]], ratios: list[float], *, flat: bool, legacy: bool) -> None:
        """Set what is known of every fold, in the new shapes or in those by class."""
        paths = np.stack([[walk.coefs for walk in fold] for fold in walks])  # folds, ratios, Cs, decisions, p
        scores = np.stack([[walk.scores for walk in fold] for fold in walks])
        counts = np.stack([[walk.iterations for walk in fold] for fold in walks])
        self.l1_ratios_ = np.asarray([None] if flat else ratios)
        if not legacy:
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


def _of_all_classes(scorer: Any, classes: NDArray[Any]) -> Any:
    """A scorer that knows all classes, where its function takes them: a fold may lack some."""
    known = inspect.signature(scorer._score_func).parameters if hasattr(scorer, "_score_func") else {}
    if "labels" not in known:
        return scorer
    told: dict[str, Any] = {"labels": classes}
    if len(classes) == 2 and "pos_label" in known:
        told["pos_label"] = classes[1]
    return make_scorer(
        scorer._score_func,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **{**told, **scorer._kwargs},
    )


def _shares(ratios: Any) -> bool:
    """Whether these are numbers between 0 and 1, one at least."""
    return (
        ratios is not None
        and len(ratios) > 0
        and all(isinstance(ratio, Real) and 0 <= float(ratio) <= 1 for ratio in ratios)
    )


def _of(value: Any, index: Any, n: int) -> Any:
    """The part of a value that belongs to some rows, if it has one for each row."""
    return np.asarray(value)[index] if np.ndim(value) and len(value) == n else value
