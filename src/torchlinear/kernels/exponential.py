"""Exponential and logarithm for inner loops: no branches and no calls, so that loops over them vectorise.

``exp(x) = 2^k exp(r)`` with k the nearest integer to ``x / log 2`` and ``r = x - k log 2``, |r| <= 0.347, in
two words of log 2 (W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980), and
``exp(r)`` by its series. ``log1p(x) = k log 2 + 2 artanh(s)`` with ``1 + x = 2^k (1 + f)``, f between
``sqrt(1/2) - 1`` and ``sqrt(2) - 1``, and ``s = f / (2 + f)``, |s| < 0.172, also by its series.

Results are within 2 units in the last place of the truth for every argument, subnormal results, infinities
and NaN included; the tests compare with mpmath.
"""

import math

import numpy as np

from torchlinear.kernels import compiled

__all__ = ["exp", "log1p"]

LOG2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # 32 bits: its products with small integers are exact
LOG2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
PER_LOG2 = 1.0 / math.log(2.0)
SHIFT = 1.5 * 2.0**52  # added to a small number, leaves the nearest integer in the low bits of the sum
SHIFT_BITS = int(np.float64(SHIFT).view(np.int64))
ONE_BITS = int(np.float64(1.0).view(np.int64))
HALF_ROOT_BITS = int(np.float64(math.sqrt(0.5)).view(np.int64))

# exp(r) = 1 + r + r^2 (E2 + r (E3 + ...)); the first term left out is below 1e-17.
E2, E3, E4, E5, E6, E7 = (1.0 / math.factorial(i) for i in range(2, 8))
E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(i) for i in range(8, 14))
# 2 artanh(s) = 2 s + s^3 (A1 + s^2 (A2 + ...)); the first term left out is below 1e-17.
A1, A2, A3, A4, A5, A6, A7, A8, A9 = (2.0 / (2 * i + 1) for i in range(1, 10))


@compiled("float64(float64)", fastmath={"contract"})
def exp(x: float) -> float:
    """Return e^x: 0 from -745.2 down, inf from 709.8 up."""
    t = -746.0 if x < -746.0 else x
    t = 710.0 if t > 710.0 else t
    shifted = np.float64(t * PER_LOG2 + SHIFT)
    k = shifted - SHIFT
    power = shifted.view(np.int64) - SHIFT_BITS
    r = (t - k * LOG2_HIGH) - k * LOG2_LOW
    q = E8 + r * (E9 + r * (E10 + r * (E11 + r * (E12 + r * E13))))
    q = E2 + r * (E3 + r * (E4 + r * (E5 + r * (E6 + r * (E7 + r * q)))))
    half = power >> 1  # in two factors: neither over- nor underflows
    first = np.int64((half << 52) + ONE_BITS).view(np.float64)
    second = np.int64(((power - half) << 52) + ONE_BITS).view(np.float64)
    return (1.0 + (r + r * r * q)) * first * second


@compiled("float64(float64)", fastmath={"contract"})
def log1p(x: float) -> float:
    """Return log(1 + x) for x >= 0, exact to the last digits for tiny x; NaN below 0."""
    whole = np.float64(1.0 + x)
    power = (whole.view(np.int64) - HALF_ROOT_BITS) >> 52
    k = np.int64(power + SHIFT_BITS).view(np.float64) - SHIFT
    half = power >> 1  # 2^-k in two factors, neither of which underflows
    first = np.int64(ONE_BITS - (half << 52)).view(np.float64)
    second = np.int64(ONE_BITS - ((power - half) << 52)).view(np.float64)
    f = x * first * second - (1.0 - first * second)
    s = f / (2.0 + f)
    z = s * s
    q = A1 + z * (A2 + z * (A3 + z * (A4 + z * (A5 + z * (A6 + z * (A7 + z * (A8 + z * A9)))))))
    value = k * LOG2_HIGH + (f - (s * (f - z * q) - k * LOG2_LOW))  # 2 s = f - s f
    value = np.float64(x) if x == np.inf else value
    return np.nan if x < 0.0 else value
