"""Rows with labels: which class each has, what classes weigh, and one class against the rest."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearEstimator, TrainingRows

__all__ = ["LabelledRows", "RowsAgainstRest"]


class LabelledRows(TrainingRows):
    """Validated rows of a classifier, with labels as numbers.

    Parameters
    ----------
    estimator : LinearClassifier
        The estimator; its `class_weight`, if it has one, multiplies the weights.
    X, y, sample_weight, reset
        As of `TrainingRows`, with labels of any kind in y, shape (n,).
    known : ndarray, shape (c,), optional
        The sorted labels that there are; those of the rows by default.

    Attributes
    ----------
    classes : ndarray, shape (c,)
        Sorted labels.
    codes : ndarray of int, shape (n,)
        Which of the classes each row has.
    y : ndarray, shape (n, 1), float64
        The codes as the target of a loss on labels.
    """

    numeric = False

    def __init__(
        self,
        estimator: LinearEstimator,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        reset: bool = True,
        known: NDArray[Any] | None = None,
    ) -> None:
        self._known = known
        super().__init__(estimator, X, y, sample_weight, reset)
        self.flat = False  # coef_ always has a row for each decision
        self._weigh_classes(getattr(estimator, "class_weight", None))

    def _numbers(self, targets: NDArray[Any]) -> NDArray[Any]:
        labels = column_or_1d(targets, warn=True)
        check_classification_targets(labels)
        found, codes = np.unique(labels, return_inverse=True)
        self.classes = found if self._known is None else self._known
        unknown = np.setdiff1d(found, self.classes)
        if len(unknown):
            raise InvalidInput(
                f"y has the labels {unknown.tolist()}; expected some of those that the first call of partial_fit "
                f"was told of: {self.classes.tolist()}."
            )
        self.codes = np.searchsorted(self.classes, found)[codes]
        return np.asarray(self.codes[:, np.newaxis].astype(np.float64))

    def _weigh_classes(self, class_weight: Any) -> None:
        """Multiply the weights of rows by those of their classes."""
        if class_weight is None:
            return
        self.weight = _at_least_0(self.weights * self._by_class(class_weight), class_weight)
        if not self.weight.any():
            raise InvalidInput(f"class_weight={class_weight!r} leaves no row a weight above 0.")

    def _by_class(self, class_weight: Any) -> NDArray[Any]:
        """What `class_weight` says of each row, shape (n,)."""
        return np.asarray(self._factors(class_weight, self.weight)[self.codes])

    def _factors(self, class_weight: Any, weight: NDArray[np.float64] | None) -> NDArray[Any]:
        """What `class_weight` says of each class, shape (c,); "balanced" of weights, or of rows without any."""
        labels = self.classes[self.codes]
        return np.asarray(
            compute_class_weight(class_weight, classes=self.classes, y=labels, sample_weight=weight)
        )

    @property
    def outputs(self) -> int:
        """Decisions: one of two classes, of more one for each."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def part(self, index: Any) -> Self:
        """Some of the rows, by number or mask; of the same classes."""
        some = copy(self)
        some.X, some.y, some.codes = self.X[index], self.y[index], self.codes[index]
        some.weight = None if self.weight is None else self.weight[index]
        return some

    def need_two_classes(self) -> None:
        """Refuse rows of one class."""
        if len(self.classes) < 2:
            raise InvalidInput(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {self.classes[0]!r}"
            )

    def indicators(self, low: float = -1.0) -> NDArray[np.float64]:
        """A column for each class, 1 where a row has it and `low` elsewhere; of two classes, for the second only."""
        columns = np.arange(len(self.classes)) if len(self.classes) > 2 else np.array([1])
        return np.where(self.codes[:, np.newaxis] == columns, 1.0, low)


class RowsAgainstRest(LabelledRows):
    """Validated rows of a classifier that tells each class from all others, or of two the second from the first.

    Attributes
    ----------
    factors : ndarray, shape (c,)
        What `class_weight` says of each class: of two it weights the rows of both, of more in each problem those of
        its own class only, as in liblinear and in scikit-learn's SGD.
    """

    balances_weights: ClassVar[bool] = True  # whether "balanced" looks at weights of rows, or at their number

    def _weigh_classes(self, class_weight: Any) -> None:
        weight = self.weight if self.balances_weights else None
        self.factors = _at_least_0(self._factors(class_weight, weight), class_weight)

    def against_rest(self, number: int) -> Self:
        """The same rows with 1 for a class and 0 for the others as targets, weighted for this problem."""
        one = copy(self)
        mine = self.codes == number
        one.y = mine.astype(np.float64)[:, np.newaxis]
        others = self.factors[0] if len(self.classes) == 2 else 1.0
        factors = np.where(mine, self.factors[number], others)
        if (factors != 1.0).any():
            one.weight = self.weights * factors
        return one

    def problems(self) -> Iterator[Self]:
        """The rows of every decision: of two classes those of the second, of more those of each."""
        return map(self.against_rest, [1] if self.outputs == 1 else range(self.outputs))


def _at_least_0(weights: NDArray[np.float64], class_weight: Any) -> NDArray[np.float64]:
    """The weights; refused where one is negative."""
    if (weights < 0).any():
        raise InvalidInput(f"class_weight={class_weight!r}: expected weights of at least 0.")
    return weights
