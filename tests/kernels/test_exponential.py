"""The exponential and the logarithm of the kernels against mpmath, one argument at a time and in loops."""

import math

import mpmath
import numpy as np
import pytest

from torchlinear.kernels import compiled
from torchlinear.kernels.exponential import exp, log1p

ULPS = 2.0  # units in the last place, the promise of the module

RNG = np.random.default_rng(5)
EXPONENTS = np.r_[
    RNG.uniform(-746.0, 710.0, 4_000),
    RNG.normal(size=2_000),
    RNG.normal(size=500) * 10.0 ** RNG.uniform(-18, 0, 500),
    RNG.uniform(-745.2, -708.0, 500),  # results that are subnormal
    np.arange(-300, 300) * math.log(2.0) / 2.0,  # where the nearest multiple of log 2 changes
    [0.0, -0.0, 800.0, -800.0, 709.782712893384, 709.782712893385, -745.1332191019411, -745.1332191019412],
    [1e300, -1e300, 5e-324],
]
ARGUMENTS = np.r_[
    RNG.uniform(0.0, 1.0, 3_000),
    RNG.uniform(0.0, 100.0, 1_000),
    10.0 ** RNG.uniform(-320, 308, 3_000),
    np.sqrt(2.0) - 1.0 + RNG.normal(size=500) * 1e-3,  # where the power of two changes
    2.0 ** np.arange(-60, 70) - 1.0 + 1e-3,
    [0.0, 1.0, 2.0**52, 2.0**53, 2.0**54, 1.7e308, 5e-324, 2.2250738585072014e-308],
]
ARGUMENTS = ARGUMENTS[ARGUMENTS >= 0]


@compiled("void(const float64[::1], float64[::1])")
def exponentials(x, out):
    for i in range(x.size):
        out[i] = exp(x[i])


@compiled("void(const float64[::1], float64[::1])")
def logarithms(x, out):
    for i in range(x.size):
        out[i] = log1p(x[i])


def in_loop(kernel, x):
    out = np.empty_like(x)
    kernel(x, out)
    return out


def ulps(got, truth):
    """How many units in the last place each number is away from the truth; 0 where both overflow."""
    away = []
    for one, true in zip(got.tolist(), truth, strict=True):
        near = float(true)
        if math.isinf(near) or math.isinf(one):
            away.append(0.0 if one == near else math.inf)
        else:
            away.append(float(abs(mpmath.mpf(one) - true) / mpmath.mpf(float(np.spacing(abs(near))))))
    return np.array(away)


@pytest.mark.parametrize(
    ("kernel", "one", "reference", "x"),
    [(exponentials, exp, mpmath.exp, EXPONENTS), (logarithms, log1p, mpmath.log1p, ARGUMENTS)],
    ids=["exp", "log1p"],
)
def test_within_two_units_of_the_last_place(kernel, one, reference, x):
    with mpmath.workprec(200):
        truth = [reference(mpmath.mpf(value)) for value in x.tolist()]
        assert ulps(in_loop(kernel, x), truth).max() <= ULPS
        assert ulps(np.array([one(value) for value in x.tolist()]), truth).max() <= ULPS
        few = slice(None, None, 20)
        plain = np.array([float(one.function(value)) for value in x[few].tolist()])
        assert ulps(plain, truth[few]).max() <= ULPS


def test_infinities_and_nan():
    assert in_loop(exponentials, np.array([np.inf, -np.inf])).tolist() == [np.inf, 0.0]
    assert in_loop(logarithms, np.array([np.inf, 0.0])).tolist() == [np.inf, 0.0]
    assert np.isnan(in_loop(exponentials, np.array([np.nan]))).all()
    assert np.isnan(in_loop(logarithms, np.array([np.nan, -1.0, -2.0, -np.inf]))).all()


def test_the_exponential_of_zero_is_one_and_rises():
    assert exp(0.0) == 1.0
    values = in_loop(exponentials, np.linspace(-20.0, 20.0, 4_001))
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("kernel", [exponentials, logarithms], ids=["exp", "log1p"])
def test_a_result_does_not_depend_on_its_place_in_the_loop(kernel):
    """Loops run several elements at a time and a rest one by one: the bits are the same."""
    x = np.abs(RNG.normal(size=67) * 10)
    whole = in_loop(kernel, x)
    for start in range(9):
        np.testing.assert_array_equal(in_loop(kernel, x[start:].copy()), whole[start:])
