"""Block: the one seam to the rows.

Everything that a solver or a statistic needs of the rows is asked of a `Block`: predictions
``X b``, pulls ``X' r``, second moments, the triangle of a QR. Whether X is row-major or the transpose of
a (p, n) buffer, float32 or float64, on the CPU or a GPU, weighted or not, is decided here and nowhere
else. Sums are float64 whatever the dtype of X.

Where blocks come from is `rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels import moments as moment_kernels
from torchlinear.kernels import products as product_kernels
from torchlinear.kernels import refinement as refinement_kernels
from torchlinear.kernels import sparse as sparse_kernels
from torchlinear.kernels import spread as spread_kernels
from torchlinear.kernels import triangle as triangle_kernels
from torchlinear.kernels import words
from torchlinear.statistics import ROUNDING, Moments, Residuals, Spread, Triangle

__all__ = ["Block", "taken"]

SHIFT_ROWS = 1_000

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of numeric rows.

    Attributes
    ----------
    X : Tensor, shape (n, p), float32 or float64
        Features; row-major, the transpose of a contiguous (p, n) buffer, or sparse in CSR layout.
    y : Tensor, shape (n, k), float32 or float64
        Targets.
    weight : Tensor, shape (n,), float64, optional
        Row weights, at least 0.
    low : Tensor, shape (n, p), float64, optional
        Low words of double-double columns: the features are exactly ``X + low``.
    offset : Tensor, shape (n,), float64, optional
        What the linear predictor of each row has besides ``X b + intercept``.
    """

    X: Tensor
    y: Tensor
    weight: Tensor | None = None
    low: Tensor | None = None
    offset: Tensor | None = None

    def predict(self, coef: Tensor) -> Tensor:
        """Linear predictor ``X b + intercept + offset``, shape (n, k), float64; `coef` is (p + 1, k)."""
        return self._shifted(self.linear(coef))

    def flat(self, intercept: Tensor) -> Tensor:
        """Linear predictor ``intercept + offset`` of a model without features, shape (n, k); `intercept` is (k,)."""
        at = intercept.to(self.X.device, torch.float64)
        return self._shifted(at.expand(self.X.shape[0], -1))

    def _shifted(self, eta: Tensor) -> Tensor:
        return eta if self.offset is None else eta + self.offset.to(eta.device).unsqueeze(1)

    def linear(self, coef: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """``X b + intercept``, shape (n, k), float64: what a change of coefficients by `coef` changes.

        In float32, where `dtype` says so, matrix products take half the time.
        """
        if dtype is torch.float32 and self._wide:
            coef = coef.to(self.X.device, dtype)
            return _times(self.X.float(), coef[:-1]) + coef[-1]
        coef = coef.to(self.X.device, torch.float64)
        if self.sparse:
            return torch.from_numpy(sparse_kernels.predict(self._csr(), coef[:-1].numpy(), coef[-1].numpy()))
        X = self._narrow(coef.shape[1])
        if X is None:
            eta = _times(self.X.double(), coef[:-1]) + coef[-1]
        else:
            eta = torch.from_numpy(product_kernels.predict(X, coef[:-1].numpy(), coef[-1].numpy()))
        return eta if self.low is None else eta + self.low @ coef[:-1]

    def pull(self, r: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """Gradient ``[X, 1]' r``, shape (p + 1, k), float64; `r` is (n, k). `dtype` is as in `linear`."""
        if dtype is torch.float32 and self._wide:
            r = r.float()
            return torch.cat([(self.X.float().T @ r).double(), r.sum(dim=0, dtype=torch.float64)[None]])
        r = r.double()
        if self.sparse:
            sums = sparse_kernels.pull(self._csr(), r.numpy(), self.X.shape[1])
            return torch.cat([torch.from_numpy(sums), r.sum(dim=0, keepdim=True)])
        X = self._narrow(r.shape[1])
        pulled = self.X.double().T @ r if X is None else torch.from_numpy(product_kernels.pull(X, r.numpy()))
        return torch.cat([pulled, r.sum(dim=0, keepdim=True)])

    def shift(self) -> Array:
        """A point to take moments about, shape (p + k,): the mean of the first rows with a weight.

        The nearer to the mean of all rows, the less the sums about it cancel. In a constant column it is the
        constant, to the last bit.
        """
        first: Any = slice(SHIFT_ROWS)
        if self.weight is not None and bool((self.weight > 0).any()):
            first = (self.weight > 0).nonzero()[first, 0]
        if self.sparse:  # whose sums are about zero
            mean = torch.nan_to_num(self.y[first].double().mean(dim=0), posinf=0.0, neginf=0.0)
            return np.concatenate([np.zeros(self.X.shape[1]), mean.numpy()])
        few = torch.cat([self.X[first].double(), self.y[first].to(self.X.device).double()], dim=1)
        few = torch.nan_to_num(few, posinf=0.0, neginf=0.0)
        return np.asarray((few[0] + (few - few[0]).mean(dim=0)).cpu().numpy())

    def moments(self, shift: Array, extended: bool = False) -> Moments:
        """Second moments of ``[X, y]``, summed about `shift`; in double-double when `extended`."""
        if self.sparse:
            return self._sparse_moments(shift)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite shows in the sums
            sums = moment_kernels.about(*self._arrays(), shift, extended=extended)
        return Moments.about(
            shift,
            words.of(sums.weight, sums.weight_low),
            self.rows,
            sums.total,
            sums.cross,
            n_features=self.X.shape[1],
            low_words=extended,
            log_weight=self.log_weight,
        )

    def triangle(self, shift: Array, extended: bool = False) -> Triangle:
        """Upper triangle of a QR of the centred ``[X, y]``; in double-double when `extended`.

        Of sparse rows, the Cholesky factor of their moments, which are summed without making them dense.
        """
        if self.sparse:
            return Triangle.of(self._sparse_moments(shift))
        with np.errstate(invalid="ignore", over="ignore"):
            weight, mean, R = triangle_kernels.of_rows(*self._arrays(), shift, extended=extended)
        if extended and self.weight is not None:
            total = words.total(words.of(self.weight.cpu().numpy()))
        else:
            total = words.of(weight)
        return Triangle(
            self.X.shape[1],
            self.rows,
            float(total.high),
            mean,
            R,
            extended,
            self.log_weight,
            float(total.low),
        )

    def spread(self, shift: Array) -> Spread:
        """Means and sums of squares of the columns of ``[X, y]``, summed about `shift`."""
        total_weight = float(self.X.shape[0] if self.weight is None else self.weight.sum())
        with np.errstate(invalid="ignore", over="ignore"):
            total, squares = self._sums(shift)
            delta = total / total_weight if total_weight else np.zeros_like(total)
            centred = squares - delta * total
            centred[centred <= ROUNDING * squares] = 0.0  # a constant column
        return Spread(self.rows, total_weight, shift + delta, centred)

    def _sums(self, shift: Array) -> tuple[Array, Array]:
        """Sums of ``w (z - shift)`` and of its squares, shape (p + k,)."""
        if not self.sparse:
            return spread_kernels.about(*self._arrays(), shift)
        p, weight = self.X.shape[1], self._weights()
        total, squares = sparse_kernels.spread(self._csr(), weight, p)
        t = self.y.double().numpy() - shift[p:]
        return np.append(total, weight @ t), np.append(squares, weight @ np.square(t))

    def residuals(self, centre: Array, beta: Array) -> Residuals:
        """Residuals of ``y - c_y = (x - c_x)' beta`` and their pull on each column, in double-double."""
        if self.sparse:
            return self._sparse_residuals(centre, beta)
        return Residuals(*refinement_kernels.leftover(*self._arrays(), centre, beta))

    def dense(self, start: int, stop: int) -> Tensor:
        """Features of some of the rows, shape (m, p), float64, dense whatever X is: few at a time."""
        numbers = torch.arange(start, min(stop, self.X.shape[0]), device=self.X.device)
        return taken(self.X, numbers).to_dense().double()

    def nonfinite(self) -> Tensor:
        """How many values of each column of ``[X, y]`` are NaN or inf, shape (p + k,)."""
        targets = (~torch.isfinite(self.y)).sum(dim=0).cpu()
        if not self.sparse:
            return torch.cat([(~torch.isfinite(self.X)).sum(dim=0).cpu(), targets])
        bad = self.X.col_indices()[~torch.isfinite(self.X.values())]
        return torch.cat([torch.bincount(bad, minlength=self.X.shape[1]), targets])

    def counted(self) -> Block:
        """The rows with a weight above zero: what the others hold, even inf, must not reach a sum."""
        if self.weight is None or bool((self.weight > 0).all()):
            return self
        seen = self.weight > 0
        y, weight, low, offset = (
            None if part is None else part[seen] for part in (self.y, self.weight, self.low, self.offset)
        )
        assert y is not None
        return Block(taken(self.X, seen.nonzero()[:, 0]), y, weight, low, offset)

    @property
    def rows(self) -> int:
        """Rows with a weight above zero."""
        return self.X.shape[0] if self.weight is None else int((self.weight > 0).sum())

    @property
    def log_weight(self) -> float:
        """Sum of the logarithms of the weights above zero."""
        return 0.0 if self.weight is None else float(self.weight[self.weight > 0].log().sum())

    @property
    def sparse(self) -> bool:
        """Whether X is in CSR layout."""
        return self.X.layout is torch.sparse_csr

    def _csr(self) -> sparse_kernels.Csr:
        X = self.X
        return sparse_kernels.Csr(X.crow_indices().numpy(), X.col_indices().numpy(), X.values().numpy())

    def _weights(self) -> Array:
        return np.ones(len(self.y)) if self.weight is None else self.weight.double().numpy()

    def _sparse_moments(self, shift: Array) -> Moments:
        """Second moments about zero, of features and of targets less their shift."""
        p, weight = self.X.shape[1], self._weights()
        t = np.ascontiguousarray(self.y.double().numpy() - shift[p:])
        rows = self._csr()
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.append(sparse_kernels.spread(rows, weight, p)[0], weight @ t)
            cross = sparse_kernels.moments(rows, t, weight, p)
        return Moments.about(
            np.append(np.zeros(p), shift[p:]),
            words.of(float(weight.sum())),
            self.rows,
            words.of(total),
            words.of(cross),
            n_features=p,
            low_words=False,
            log_weight=self.log_weight,
        )

    def _sparse_residuals(self, centre: Array, beta: Array) -> Residuals:
        """As `residuals`, in float64."""
        p, weight = self.X.shape[1], self._weights()[:, np.newaxis]
        offset = centre[:p] @ beta - centre[p:]
        left = self.y.double().numpy() + sparse_kernels.predict(self._csr(), -beta, offset)
        total = (weight * left).sum(axis=0)
        pull = sparse_kernels.pull(self._csr(), weight * left, p) - np.outer(centre[:p], total)
        return Residuals(words.of(np.vstack([pull, total])), (weight * np.square(left)).sum(axis=0))

    @property
    def _wide(self) -> bool:
        """Whether the rows are such as float32 may hold."""
        return not self.sparse and self.low is None

    def _narrow(self, outputs: int) -> Any:
        """Features as an array, where kernels multiply them faster than BLAS does; else None."""
        if self.X.device.type != "cpu":
            return None
        X = self.X.detach().numpy()
        return X if product_kernels.faster(X, outputs) else None

    def _arrays(self) -> tuple[Any, Any, Any, Any]:
        return tuple(  # type: ignore[return-value]
            None if t is None else t.detach().cpu().numpy() for t in (self.X, self.y, self.weight, self.low)
        )


def _times(X: Tensor, beta: Tensor) -> Tensor:
    """``X beta``: on the CPU by NumPy's BLAS, which takes half the time of torch's where beta is narrow (measured)."""
    if X.device.type != "cpu":
        return X @ beta
    return torch.from_numpy(X.detach().numpy() @ beta.detach().numpy())


def taken(X: Tensor, index: Tensor) -> Tensor:
    """Rows of X, dense or in CSR layout, by their numbers, shape (m,)."""
    if X.layout is torch.strided:
        return X[index]
    starts = X.crow_indices()
    counts = (starts[1:] - starts[:-1])[index]
    ends = counts.cumsum(0)
    stored = torch.arange(int(counts.sum())) + (starts[:-1][index] - (ends - counts)).repeat_interleave(
        counts
    )
    begins = torch.cat([torch.zeros(1, dtype=ends.dtype), ends]).to(starts.dtype)
    return torch.sparse_csr_tensor(
        begins,
        X.col_indices()[stored],
        X.values()[stored],
        size=(len(index), X.shape[1]),
        check_invariants=False,
    )
