"""The losses of scikit-learn's SGD estimators, a row at a time: values and slopes, term by term in its order.

>>> from torchlinear.kernels import sgd_losses
>>> sgd_losses.judge(sgd_losses.SQUARED_HINGE, 1.0, 0.5, 1.0, True)
(0.25, -1.0)
"""

from __future__ import annotations

import math

from torchlinear.kernels import inlined
from torchlinear.kernels.exponential import log1p

__all__ = ["HINGE", "HUBER", "INSENSITIVE", "LOG", "MODIFIED_HUBER", "SQUARED", "SQUARED_HINGE"]
__all__ += ["SQUARED_INSENSITIVE", "judge"]

SQUARED, HUBER, INSENSITIVE, SQUARED_INSENSITIVE, HINGE, SQUARED_HINGE, LOG, MODIFIED_HUBER = range(8)


@inlined
def judge(loss: int, y: float, p: float, margin: float, valued: bool) -> tuple[float, float]:
    """Loss of a prediction, where it is `valued`, and its slope."""
    if loss == LOG:
        if p <= -37.0:  # 1 + exp(p) is 1
            e = math.exp(p)
            return (e - p if y > 0.0 else e), (e - 1.0 if y > 0.0 else e)
        e = math.exp(-p)
        value = 0.0
        if valued:
            value = p + log1p(e) if p > 0.0 else log1p(1.0 / e)
            value -= p if y > 0.0 else 0.0
        return value, (-e if y > 0.0 else 1.0) / (1.0 + e)
    if loss == HINGE:
        z = y * p
        return (margin - z, -y) if z <= margin else (0.0, 0.0)
    if loss == SQUARED:
        r = p - y
        return 0.5 * r * r, r
    if loss == SQUARED_HINGE:
        z = margin - y * p
        return (z * z, -2.0 * y * z) if z > 0.0 else (0.0, 0.0)
    if loss == MODIFIED_HUBER:
        z = y * p
        if z >= 1.0:
            return 0.0, 0.0
        return ((1.0 - z) * (1.0 - z), -2.0 * y * (1.0 - z)) if z >= -1.0 else (-4.0 * z, -4.0 * y)
    r = p - y
    sign = 1.0 if r >= 0.0 else -1.0
    if loss == HUBER:
        return (0.5 * r * r, r) if abs(r) <= margin else (margin * (abs(r) - 0.5 * margin), margin * sign)
    excess = abs(r) - margin
    if not excess > 0.0:
        return 0.0, 0.0
    return (excess, sign) if loss == INSENSITIVE else (excess * excess, 2.0 * sign * excess)
