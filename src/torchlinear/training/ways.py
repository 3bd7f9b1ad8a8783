"""Which way to compute an epoch takes least time."""

from __future__ import annotations

from enum import Enum

from torchlinear.kernels import criteria
from torchlinear.training.criteria import Known
from torchlinear.training.modules import Batching
from torchlinear.training.tracing import Affine

__all__ = ["Way", "fastest"]

MOST = 2**27  # numbers that are laid out anew for whole epochs: 1 GiB of float64


class Way(Enum):
    """How an epoch is computed."""

    MOMENTS = "second moments"
    PASSES = "passes over all rows"
    ROWS = "rows"
    EAGER = "eager"


def fastest(batching: Batching, affine: Affine, known: Known | None, epochs: int) -> Way:
    """The way that takes least time, of the squared loss when `known` is None.

    Constants are seconds, measured on two cores of 2.5 GHz. Compiled steps cost nothing to start, and
    PyTorch's 150 us each; but its matrix products are faster.
    """
    seconds = _squared(batching, affine, epochs) if known is None else _known(batching, affine, known, epochs)
    return min(seconds, key=seconds.__getitem__)


def _squared(batching: Batching, affine: Affine, epochs: int) -> dict[Way, float]:
    n, size = batching.n_rows, affine.weight.numel()
    p = size // affine.n_outputs
    steps = epochs * -(-n // batching.size)
    seconds = {
        Way.ROWS: epochs * n * (4e-8 + 1e-9 * p + 3.5e-10 * size) + steps * 7e-9 * size,
        Way.EAGER: steps * (1.5e-4 + 1e-9 * size) + epochs * n * (4e-10 * p + 1.3e-10 * size),
    }
    if not _ordered(batching) and n > p:
        setup = 2e-10 * n * p * p + 3e-9 * p**3
        seconds[Way.MOMENTS] = setup + epochs * (2e-7 + 1e-8 * size + 3e-10 * size * p)
    return seconds


def _known(batching: Batching, affine: Affine, known: Known, epochs: int) -> dict[Way, float]:
    n, size = batching.n_rows, affine.weight.numel()
    p = size // affine.n_outputs
    steps = epochs * -(-n // batching.size)
    entry = 1.5e-8 if known.labels else 4e-9  # what a score costs PyTorch: a softmax more than other losses
    passes = epochs * criteria.seconds(known.criterion, n, p)
    seconds = {
        Way.ROWS: passes + epochs * n * (1e-8 + 2e-9 * p) + steps * 7e-9 * size,
        Way.EAGER: steps * (1.7e-4 + 1e-9 * size)
        + epochs * n * (4e-10 * p + 8e-11 * size + entry * affine.n_outputs),
    }
    if not _ordered(batching) and n * p <= MOST:
        seconds[Way.PASSES] = passes + 3e-9 * n * p
    return seconds


def _ordered(batching: Batching) -> bool:
    """Whether an order is drawn or kept to: even for a single batch the generator moves on as in torch's loop."""
    return batching.batch_size is not None and (batching.shuffle or batching.size < batching.n_rows)
