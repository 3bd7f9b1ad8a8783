"""Block: the one seam to the rows.

Everything that a solver or a statistic needs of the rows is asked of a `Block`: predictions
``X b``, pulls ``X' r``, second moments, the triangle of a QR. Whether X is row-major or the transpose of
a (p, n) buffer, float32 or float64, on the CPU or a GPU, weighted or not, is decided here and nowhere
else. Sums are float64 whatever the dtype of X.

`Rows` is where blocks come from: a fixed number of shards, known from the data alone, each a sequence of
blocks of fixed sizes in a fixed order. So results do not depend on how many threads add them up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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

__all__ = [
    "SHARD_ROWS",
    "Block",
    "Rows",
    "Sample",
    "TensorRows",
    "deducted",
    "default_names",
    "drawn",
    "sample",
    "taken",
]

SHARD_ROWS = 131_072  # rows of an in-memory shard: 20 float64 columns are 20 MB, 8 shards a million rows
SHARD_NUMBERS = 20 * SHARD_ROWS  # wider rows are cut to as many numbers, so that threads share them
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


class Rows(ABC):
    """Where blocks come from.

    Attributes
    ----------
    names : tuple of str
        Names of the p features.
    targets : tuple of str
        Names of the k targets.
    n_rows : int or None
        Rows, when known before they are read.
    in_memory : bool
        Whether another pass costs no more than reading memory.
    has_offset : bool
        Whether blocks come with an offset.
    dense : bool
        Whether X of the blocks is dense: only then can its sums be double-double.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    n_rows: int | None = None
    in_memory: bool = False
    has_offset: bool = False
    dense: bool = True

    @abstractmethod
    def shards(self) -> Sequence[Any]:
        """Recipes of the shards; their number depends on the data alone."""

    @abstractmethod
    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        """Blocks of one shard in their fixed order, from block `start`."""

    @property
    def n_features(self) -> int:
        """p."""
        return len(self.names)

    @property
    def n_outputs(self) -> int:
        """k."""
        return len(self.targets)


class TensorRows(Rows):
    """Rows that lie in memory as tensors.

    Parameters
    ----------
    X : Tensor, shape (n, p)
        Features, float32 or float64.
    y : Tensor, shape (n, k)
        Targets.
    weight : Tensor, shape (n,), optional
        Row weights.
    names, targets : sequences of str
        Names of the features and the targets.
    low : Tensor, shape (n, p), optional
        Low words of double-double columns.
    offset : Tensor, shape (n,), optional
        What the linear predictor has besides features and intercept.
    """

    in_memory = True

    def __init__(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        low: Tensor | None = None,
        offset: Tensor | None = None,
    ) -> None:
        self.X, self.y, self.weight, self.low, self.offset = X, y, weight, low, offset
        self.has_offset = offset is not None
        self.n_rows = X.shape[0]
        self.names = tuple(names or default_names("x", X.shape[1]))
        self.targets = tuple(targets or default_names("y", y.shape[1]))

    def shards(self) -> Sequence[int]:
        """First row of each shard."""
        return range(0, max(self.X.shape[0], 1), self._shard)

    @property
    def _shard(self) -> int:
        """Rows of a shard: equal shares, and not so few that their second moments would outweigh them."""
        n, p = self.X.shape
        most = min(SHARD_ROWS, max(SHARD_NUMBERS // max(p, 1), 4 * p))
        return SHARD_ROWS if most == SHARD_ROWS else -(-n // max(-(-n // most), 1)) or 1

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        """The shard as one block: views, no copy."""
        if start == 0:
            part = slice(shard, shard + self._shard)
            yield Block(
                self.X[part],
                self.y[part],
                None if self.weight is None else self.weight[part],
                None if self.low is None else self.low[part],
                None if self.offset is None else self.offset[part],
            )

    def spaced(self, count: int) -> TensorRows:
        """`count` evenly spaced ones of these rows, copied."""
        every = torch.linspace(0, len(self.X) - 1, count, dtype=torch.float64).round().long()
        weight, low, offset = (
            None if part is None else part[every] for part in (self.weight, self.low, self.offset)
        )
        X, y = self.X[every], self.y[every]
        return TensorRows(X, y, weight, names=self.names, targets=self.targets, low=low, offset=offset)


class _Deducted(Rows):
    """Rows of another source with the offset taken off the targets."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.names, self.targets = rows, rows.names, rows.targets
        self.n_rows, self.in_memory = rows.n_rows, rows.in_memory

    def shards(self) -> Sequence[Any]:
        return self.rows.shards()

    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        for block in self.rows.blocks(shard, start):
            assert block.offset is not None
            yield replace(block, y=block.y.double() - block.offset.to(block.y.device)[:, None], offset=None)


def deducted(rows: Rows) -> Rows:
    """The same rows with the offset taken off the targets: all the same to a loss of ``y - eta``."""
    if not rows.has_offset:
        return rows
    if not isinstance(rows, TensorRows):
        return _Deducted(rows)
    assert rows.offset is not None
    y = rows.y.double() - rows.offset.to(rows.y.device)[:, None]
    return TensorRows(rows.X, y, rows.weight, names=rows.names, targets=rows.targets, low=rows.low)


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


def _times(X: Tensor, beta: Tensor) -> Tensor:
    """``X beta``: on the CPU by NumPy's BLAS, which takes half the time of torch's where beta is narrow (measured)."""
    if X.device.type != "cpu":
        return X @ beta
    return torch.from_numpy(X.detach().numpy() @ beta.detach().numpy())


def default_names(letter: str, count: int) -> tuple[str, ...]:
    """``('x',)`` for one column, ``('x0', 'x1', ...)`` for more."""
    return (letter,) if count == 1 else tuple(f"{letter}{j}" for j in range(count))


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows as arrays.

    Attributes
    ----------
    X : ndarray, shape (m, p), float64
        Features.
    y : ndarray, shape (m, k), float64
        Targets.
    offset : ndarray, shape (m,), float64
        Offsets; zeros without.
    total : int
        Of how many rows these are.
    """

    X: Array
    y: Array
    offset: Array
    total: int


def sample(rows: Rows, most: int = 2_000) -> tuple[Array, Array, int]:
    """Up to `most` evenly spaced rows as arrays X (m, p) and y (m, k), float64, and how many rows there are."""
    found = drawn(rows, most)
    return found.X, found.y, found.total


def drawn(rows: Rows, most: int = 2_000) -> Sample:
    """Up to `most` evenly spaced rows."""
    total = rows.n_rows
    if total is None:
        total = sum(block.X.shape[0] for shard in rows.shards() for block in rows.blocks(shard))
    wanted = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(np.int64))
    X, y, offset, first = [], [], [], 0
    for shard in rows.shards():
        for block in rows.blocks(shard):
            count = block.X.shape[0]
            here = torch.from_numpy(wanted[(wanted >= first) & (wanted < first + count)] - first)
            X.append(taken(block.X, here.to(block.X.device)).to_dense().double().cpu().numpy())
            y.append(block.y[here.to(block.y.device)].double().cpu().numpy())
            shift = torch.zeros(count) if block.offset is None else block.offset
            offset.append(shift[here.to(shift.device)].double().cpu().numpy())
            first += count
    return Sample(np.vstack(X), np.vstack(y), np.concatenate(offset), total)
