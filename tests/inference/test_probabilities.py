"""Tails of Student's t and of F against 50-digit arithmetic, far out and for many degrees of freedom."""

import mpmath
import numpy as np
import pytest

from torchlinear.errors import InvalidInput
from torchlinear.inference.tests import critical, f_probability, t_probability

TOLERANCE = 1e-11  # relative; scipy's incomplete beta function promises a few units in the fifteenth digit
DEGREES = [1, 2, 3, 9.5, 30, 4998, 1e6]


def two_sided(t: float, df: float) -> mpmath.mpf:
    with mpmath.workdps(50):
        t, df = mpmath.mpf(t), mpmath.mpf(df)
        return mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + t * t), regularized=True)


@pytest.mark.parametrize("df", DEGREES)
def test_two_sided_t(df: float) -> None:
    t = np.array([0.0, 0.1, -0.7, 1.96, -2.5, 6.0, 20.0])
    truth = np.array([float(two_sided(value, df)) for value in t])
    np.testing.assert_allclose(t_probability(t, df), truth, rtol=TOLERANCE)


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_critical_value_leaves_the_rest_outside(level: float, df: float) -> None:
    assert float(two_sided(critical(level, df), df)) == pytest.approx(1 - level, rel=TOLERANCE)


@pytest.mark.parametrize("model_df", [1, 4, 30])
@pytest.mark.parametrize("df", [2, 27, 4998, 1_000_000])
def test_upper_tail_of_f(model_df: int, df: int) -> None:
    f = np.array([0.01, 0.9, 3.0, 40.0])
    with mpmath.workdps(50):
        x = [mpmath.mpf(df) / (df + model_df * mpmath.mpf(value)) for value in f]
        half = (mpmath.mpf(df) / 2, mpmath.mpf(model_df) / 2)
        truth = [float(mpmath.betainc(*half, 0, value, regularized=True)) for value in x]
    np.testing.assert_allclose(f_probability(f, model_df, df), truth, rtol=TOLERANCE)


def test_the_ends() -> None:
    assert t_probability(np.array([np.inf, -np.inf, 1e300]), 5.0).tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(t_probability(np.array([1.0, np.nan]), 0.0)).all()
    assert np.isnan(f_probability(np.array([1.0]), 0.0, 5.0)).all()
    assert np.isnan(critical(0.95, 0.0))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan"), "0.95", True, None])
def test_a_level_is_between_zero_and_one(level: object) -> None:
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        critical(level, 10.0)  # type: ignore[arg-type]
