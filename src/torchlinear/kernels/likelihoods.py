"""Value, gradient and curvature of the losses that millions of rows are fitted with, in one pass over them.

Per row, with the linear predictor x and the target t:

    logistic   (max(x, 0) - t x) + log(1 + e),  e = exp(-|x|);     (1 - t) mu - t (1 - mu);     mu (1 - mu)
    poisson    exp(x) - t x;                                       exp(x) - t;                  exp(x)

Nothing cancels: at t = 1 the logistic gradient is -(1 - mu) to the last digit however close mu is to 1.
"""

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled
from torchlinear.kernels.exponential import exp, log1p

__all__ = ["logistic", "poisson"]

Array = NDArray[np.float64]

SIGNATURE = "void(const float64[::1], const float64[::1], float64[::1], float64[::1], float64[::1])"


@compiled(SIGNATURE, fastmath={"contract"})
def logistic(eta: Array, y: Array, value: Array, gradient: Array, curvature: Array) -> None:
    """Write the logistic loss of each row and its two derivatives, all of shape (n,).

    Examples
    --------
    >>> value, gradient, curvature = np.empty((3, 1))
    >>> logistic(np.array([0.0]), np.array([1.0]), value, gradient, curvature)
    >>> value, gradient, curvature
    (array([0.69314718]), array([-0.5]), array([0.25]))
    """
    for i in range(eta.size):
        x, t = eta[i], y[i]
        e = exp(-abs(x))
        near = 1.0 / (1.0 + e)  # the probability of the side that x is on
        far = e * near
        up, down = near if x >= 0.0 else far, far if x >= 0.0 else near
        above = x if x > 0.0 else 0.0
        value[i] = (above - t * x) + log1p(e)
        gradient[i] = (1.0 - t) * up - t * down
        curvature[i] = near * far


@compiled(SIGNATURE)
def poisson(eta: Array, y: Array, value: Array, gradient: Array, mean: Array) -> None:
    """Write the Poisson loss of each row and its two derivatives, the second of which is the mean.

    Examples
    --------
    >>> value, gradient, mean = np.empty((3, 1))
    >>> poisson(np.array([0.0]), np.array([3.0]), value, gradient, mean)
    >>> value, gradient, mean
    (array([1.]), array([-2.]), array([1.]))
    """
    for i in range(eta.size):
        mu = exp(eta[i])
        value[i] = mu - y[i] * eta[i]
        gradient[i] = mu - y[i]
        mean[i] = mu
