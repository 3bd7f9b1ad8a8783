"""Sums over rows in compressed sparse row form: `starts`, `columns` and `values`, as scipy's and torch's CSR.

Only what is stored is touched, so a pass costs the stored numbers, not rows times columns. Sums are about zero:
sparse columns lie near it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled

__all__ = ["Csr", "moments", "predict", "pull", "spread"]

Array = NDArray[np.float64]

_CSR = "const {0}[::1], const {0}[::1], const {1}[::1]"
_KINDS = [(index, value) for index in ("int64", "int32") for value in ("float64", "float32")]


class Csr(NamedTuple):
    """Rows in compressed sparse row form.

    Attributes
    ----------
    starts : ndarray of int, shape (n + 1,)
        Where each row begins among what is stored.
    columns : ndarray of int, shape (stored,)
        Column of each stored value.
    values : ndarray of float, shape (stored,)
        What is stored.
    """

    starts: NDArray[Any]
    columns: NDArray[Any]
    values: NDArray[Any]


def _signatures(rest: str) -> list[str]:
    return [f"void({_CSR.format(index, value)}, {rest})" for index, value in _KINDS]


def predict(rows: Csr, beta: Array, offset: Array) -> Array:
    """Compute ``X beta + offset``, shape (n, k), for beta (p, k) and offset (k,).

    Examples
    --------
    >>> import numpy as np
    >>> rows = Csr(np.array([0, 1, 1]), np.array([1]), np.array([2.0]))  # [[0, 2], [0, 0]]
    >>> predict(rows, np.array([[5.0], [3.0]]), np.array([1.0]))
    array([[7.],
           [1.]])
    """
    eta = np.empty((len(rows.starts) - 1, beta.shape[1]))
    eta[:] = offset
    _predict(*rows, np.ascontiguousarray(beta), eta)
    return eta


def pull(rows: Csr, r: Array, n_features: int) -> Array:
    """Compute ``X' r``, shape (p, k), for r of shape (n, k)."""
    sums = np.zeros((n_features, r.shape[1]))
    _pull(*rows, np.ascontiguousarray(r), sums)
    return sums


def spread(rows: Csr, weight: Array, n_features: int) -> tuple[Array, Array]:
    """Sum ``w x`` and ``w x^2`` of each column; both shape (p,)."""
    total, squares = np.zeros(n_features), np.zeros(n_features)
    _spread(*rows, weight, total, squares)
    return total, squares


def moments(rows: Csr, y: Array, weight: Array, n_features: int) -> Array:
    """Sum ``w z z'`` for z = [x, y], shape (p + k, p + k)."""
    p, k = n_features, y.shape[1]
    cross = np.zeros((p + k, p + k))
    _moments(*rows, np.ascontiguousarray(y), weight, cross)
    cross[p:, p:] = y.T @ (weight[:, None] * y)
    lower = np.tril_indices(p + k, -1)
    cross[lower] = cross.T[lower]
    return cross


@compiled(*_signatures("const float64[:, ::1], float64[:, ::1]"))
def _predict(starts: Any, columns: Any, values: Any, beta: Array, eta: Array) -> None:
    k = eta.shape[1]
    for i in range(eta.shape[0]):
        for s in range(starts[i], starts[i + 1]):
            j, x = columns[s], values[s]
            for o in range(k):
                eta[i, o] += x * beta[j, o]


@compiled(*_signatures("const float64[:, ::1], float64[:, ::1]"))
def _pull(starts: Any, columns: Any, values: Any, r: Array, sums: Array) -> None:
    k = r.shape[1]
    for i in range(r.shape[0]):
        for s in range(starts[i], starts[i + 1]):
            j, x = columns[s], values[s]
            for o in range(k):
                sums[j, o] += x * r[i, o]


@compiled(*_signatures("const float64[::1], float64[::1], float64[::1]"))
def _spread(starts: Any, columns: Any, values: Any, weight: Array, total: Array, squares: Array) -> None:
    for i in range(weight.size):
        w = weight[i]
        for s in range(starts[i], starts[i + 1]):
            j, x = columns[s], np.float64(values[s])
            total[j] += w * x
            squares[j] += w * x * x


@compiled(*_signatures("const float64[:, ::1], const float64[::1], float64[:, ::1]"))
def _moments(starts: Any, columns: Any, values: Any, y: Array, weight: Array, cross: Array) -> None:
    """Add up the upper triangle; columns of a row need no order."""
    p = cross.shape[0] - y.shape[1]
    for i in range(weight.size):
        for s in range(starts[i], starts[i + 1]):
            a, wx = columns[s], weight[i] * np.float64(values[s])
            for t in range(starts[i], starts[i + 1]):
                b = columns[t]
                if b >= a:
                    cross[a, b] += wx * np.float64(values[t])
            for o in range(y.shape[1]):
                cross[a, p + o] += wx * y[i, o]
