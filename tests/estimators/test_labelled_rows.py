"""Rows with labels: numbers for labels, weights of classes, one class against the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import torchlinear as tl
from torchlinear.estimators.labelled_rows import LabelledRows, RowsAgainstRest

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]


def test_labels_become_numbers() -> None:
    rows = LabelledRows(tl.RidgeClassifier(), IRIS, NAMES, None)
    assert rows.classes.tolist() == ["setosa", "versicolor", "virginica"]
    assert rows.outputs == 3
    np.testing.assert_array_equal(rows.y[:, 0], SPECIES)
    np.testing.assert_array_equal(rows.indicators(0.0), np.eye(3)[SPECIES])
    with pytest.raises(
        tl.InvalidInput, match="at least 2 classes in the data, but the data contains only one"
    ):
        LabelledRows(tl.RidgeClassifier(), IRIS, np.ones(150), None).need_two_classes()


def test_labels_may_be_some_of_those_that_are_known() -> None:
    known = np.array(["a", "setosa", "versicolor", "virginica"])
    rows = LabelledRows(tl.RidgeClassifier(), IRIS, NAMES, None, known=known)
    np.testing.assert_array_equal(rows.codes, SPECIES + 1)
    with pytest.raises(tl.InvalidInput, match=r"y has the labels \['virginica'\]; expected some of"):
        LabelledRows(tl.RidgeClassifier(), IRIS, NAMES, None, known=known[:3])


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_weigh_in_their_own_problem(classes: int, rng: np.random.Generator) -> None:
    y, weight = SPECIES % classes, rng.uniform(0.5, 2.0, 150)
    rows = RowsAgainstRest(tl.LinearSVC(class_weight={0: 3.0, 1: 0.5}), IRIS, y, weight)
    problems = list(rows.problems())
    assert len(problems) == rows.outputs == (1 if classes == 2 else 3)
    factors = [3.0, 0.5, 1.0]
    for number, problem in zip([1] if classes == 2 else range(3), problems):
        others = 3.0 if classes == 2 else 1.0
        np.testing.assert_array_equal(problem.y[:, 0], y == number)
        np.testing.assert_allclose(problem.weights, weight * np.where(y == number, factors[number], others))


CLASSIFIERS = [tl.LogisticRegression, tl.LinearSVC, tl.RidgeClassifier, tl.SGDClassifier]


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_negative_weights_of_classes_are_refused(make: Any) -> None:
    with pytest.raises(
        tl.InvalidInput, match=r"class_weight=\{0: -1.0, 1: 1.0\}: expected weights of at least 0"
    ):
        make(class_weight={0: -1.0, 1: 1.0}).fit(IRIS[:100], SPECIES[:100])


@pytest.mark.parametrize("make", [tl.LogisticRegression, tl.RidgeClassifier])
def test_weights_of_classes_that_leave_nothing_are_refused(make: Any) -> None:
    with pytest.raises(tl.InvalidInput, match="leaves no row a weight above 0"):
        make(class_weight={0: 0.0, 1: 0.0}).fit(IRIS[:100], SPECIES[:100])
