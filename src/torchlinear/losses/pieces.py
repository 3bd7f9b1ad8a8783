"""Losses that are straight lines with corners, as sums of hinges: what a solver of quadratic programmes sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pieces"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pieces:
    """The loss of each row as the sum over h of ``share * max(0, at - sign * eta)``.

    Attributes
    ----------
    sign : ndarray, shape (h,)
        1, or -1 for a hinge that opens the other way.
    at : ndarray, shape (h, n)
        Where each hinge begins, times its sign.
    share : ndarray, shape (h, n)
        Its slope, at least 0.
    """

    sign: Array
    at: Array
    share: Array
