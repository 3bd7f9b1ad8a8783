"""Sparse rows: X in compressed sparse row form, which never becomes dense."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from torchlinear.block import Block
from torchlinear.errors import DataError
from torchlinear.rows import SHARD_ROWS, Rows, default_names
from torchlinear.values import as_features

__all__ = ["SparseRows", "as_csr", "features", "is_sparse"]

with warnings.catch_warnings():  # torch says once in a process that the layout is new
    warnings.simplefilter("ignore", UserWarning)
    torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1), device="cpu")


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix of scipy or a sparse tensor of torch."""
    if isinstance(X, Tensor):
        return X.layout is not torch.strided
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


def as_csr(X: Any) -> Tensor:
    """A sparse matrix of scipy or a sparse tensor of torch as a tensor in CSR form, float32 or float64.

    Examples
    --------
    >>> import scipy.sparse
    >>> as_csr(scipy.sparse.csc_array([[0.0, 2.0], [1.0, 0.0]])).values()
    tensor([2., 1.], dtype=torch.float64)
    """
    if isinstance(X, Tensor):
        csr: Tensor = X.detach().to_sparse_csr().cpu()
        return csr if csr.dtype in (torch.float32, torch.float64) else csr.double()
    X = X.tocsr()
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    parts = (X.indptr, X.indices, X.data)
    owned = [a if a.flags.writeable and a.flags.c_contiguous else a.copy() for a in parts]
    if owned[0].dtype != owned[1].dtype:
        owned[0], owned[1] = owned[0].astype(np.int64), owned[1].astype(np.int64)
    starts, columns, values = (torch.from_numpy(a) for a in owned)
    return _csr(starts, columns, values, X.shape)


def features(X: Any, name: str = "X") -> Tensor:
    """A float tensor of shape (n, p), of anything that is rows of numbers: in CSR layout where it is sparse."""
    if not is_sparse(X):
        return as_features(X, name)
    if X.ndim != 2 or 0 in X.shape:
        raise DataError(
            f"{name} has shape {tuple(X.shape)}; expected (n, p), with a row and a column at least."
        )
    return as_csr(X)


class SparseRows(Rows):
    """Sparse rows that lie in memory.

    Parameters
    ----------
    X : Tensor, shape (n, p), CSR layout, float32 or float64
        Features.
    y : Tensor, shape (n, k)
        Targets.
    weight, offset : Tensor, shape (n,), optional
        Row weights; what the linear predictor has besides features and intercept.
    names, targets : sequences of str
        Names of the features and the targets.
    """

    in_memory = True
    dense = False

    def __init__(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        offset: Tensor | None = None,
    ) -> None:
        self.X, self.y, self.weight, self.offset = X, y, weight, offset
        self.has_offset = offset is not None
        self.n_rows = X.shape[0]
        self.names = tuple(names or default_names("x", X.shape[1]))
        self.targets = tuple(targets or default_names("y", y.shape[1]))

    def shards(self) -> Sequence[int]:
        """First row of each shard."""
        return range(0, max(self.X.shape[0], 1), SHARD_ROWS)

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        """The shard as one block: views, no copy of what is stored."""
        if start == 0:
            part = slice(shard, shard + SHARD_ROWS)
            yield Block(
                _rows(self.X, shard, min(shard + SHARD_ROWS, len(self.y))),
                self.y[part],
                None if self.weight is None else self.weight[part],
                None,
                None if self.offset is None else self.offset[part],
            )

    def columns(self, chosen: Tensor) -> SparseRows:
        """The same rows with some of their features, copied."""
        parts = (self.X.values(), self.X.col_indices(), self.X.crow_indices())
        whole = csr_array(tuple(part.numpy() for part in parts), shape=tuple(self.X.shape))
        names = [self.names[j] for j in chosen.tolist()]
        X = as_csr(whole[:, chosen.numpy()])
        return SparseRows(X, self.y, self.weight, names=names, targets=self.targets, offset=self.offset)


def _rows(X: Tensor, first: int, last: int) -> Tensor:
    if first == 0 and last == X.shape[0]:
        return X
    starts = X.crow_indices()[first : last + 1]
    stored = slice(int(starts[0]), int(starts[-1]))
    return _csr(starts - starts[0], X.col_indices()[stored], X.values()[stored], (last - first, X.shape[1]))


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, size=tuple(shape), check_invariants=False)
