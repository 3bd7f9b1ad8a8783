"""LinearSVC and LinearSVR keep scikit-learn's contract and its values."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from torchlinear import LinearSVC, LinearSVR


@parametrize_with_checks(
    [
        LinearSVC(),
        LinearSVC(loss="hinge"),
        LinearSVC(penalty="l1"),
        LinearSVC(fit_intercept=False),
        LinearSVR(),
        LinearSVR(epsilon=0.1, fit_intercept=False),
        LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.1),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
