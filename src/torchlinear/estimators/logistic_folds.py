"""One fold of `LogisticRegressionCV`: what rows held out say of coefficients."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import make_scorer

from torchlinear.estimators.labelled_rows import LabelledRows
from torchlinear.estimators.logistic import LogisticRegression

__all__ = ["HeldOut", "Walk"]

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


class HeldOut:
    """Rows of a fold that score coefficients.

    Parameters
    ----------
    rows : LabelledRows
        All rows.
    index : ndarray
        Which are held out.
    scorer : callable
        A scorer of scikit-learn.
    params : dict
        What it is given besides: parts of what has a value for each row.
    """

    def __init__(self, rows: LabelledRows, index: Any, scorer: Any, params: dict[str, Any]) -> None:
        self.scorer, self.classes = _of_all_classes(scorer, rows.classes), rows.classes
        self.X, self.labels = rows.X[index], rows.classes[rows.codes[index]]
        self.params = {name: _of(value, index, len(rows.codes)) for name, value in params.items()}

    def score(self, coef: Array) -> float:
        """The score of coefficients, shape (p + 1, d)."""
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = self.classes, self.X.shape[1]
        model.coef_, model.intercept_ = coef[:-1].T, coef[-1]
        return float(self.scorer(model, self.X, self.labels, **self.params))


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


def _of(value: Any, index: Any, n: int) -> Any:
    """The part of a value that belongs to some rows, if it has one for each row."""
    return np.asarray(value)[index] if np.ndim(value) and len(value) == n else value
