"""Whole powers in double-double, about 32 digits.

A column of ``x**10`` rounded to float64 holds 16 digits of each value but, where powers are nearly collinear
(NIST's Filip: condition number 1e15), only 7 of the coefficients. The low words carry the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import words

__all__ = ["write_powers"]

Array = NDArray[Any]


def write_powers(x: Array, exponents: tuple[int, ...], high: Array, low: Array) -> None:
    """Write ``x**k`` for each k of `exponents` (ascending) as rows of `high` and `low`, both (len, n).

    The relative error of a power k is below 7 k 2**-106; where a power overflows or leaves the range in which
    products are exact, its low word is 0.
    """
    base = words.of(x)
    power, exponent = base, 1
    with np.errstate(all="ignore"):
        for row, wanted in enumerate(exponents):
            while exponent < wanted:
                power, exponent = words.multiply(power, base), exponent + 1
            plain = np.power(x, wanted)
            exact = np.isfinite(power.high) & np.isfinite(power.low)
            high[row] = np.where(exact, power.high, plain)
            low[row] = np.where(exact, power.low, 0.0)
