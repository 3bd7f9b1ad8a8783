"""Tensors, frames and sparse matrices of the caller as arrays, and results as what the caller has."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from torchlinear.sparse import as_csr, is_sparse

__all__ = ["as_tensor", "device_of", "like", "to_dense", "to_numpy"]


def to_numpy(values: Any) -> Any:
    """A tensor as an array that shares its memory where it can, a sparse one as a CSR array; else as it is."""
    if is_sparse(values) and isinstance(values, torch.Tensor):
        X = as_csr(values)
        parts = (X.values().numpy(), X.col_indices().numpy(), X.crow_indices().numpy())
        return csr_array(parts, shape=tuple(X.shape))
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def to_dense(values: Any) -> NDArray[Any]:
    """Numbers of any kind, those of a sparse matrix too, as an array."""
    array = to_numpy(values)
    return np.asarray(array.toarray() if is_sparse(array) else array)


def device_of(values: Any) -> torch.device | None:
    """Where a tensor lies; None for anything else."""
    return values.device if isinstance(values, torch.Tensor) else None


def like(device: torch.device | None, values: Any) -> Any:
    """An array as a tensor on `device`; the array itself without one."""
    return values if device is None else torch.as_tensor(values, device=device)


def as_tensor(array: NDArray[Any]) -> torch.Tensor:
    """A tensor over the array's memory; a copy where torch could not use it."""
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    return torch.from_numpy(array)
