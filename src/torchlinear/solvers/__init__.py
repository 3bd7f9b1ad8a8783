"""Solvers: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry(
    "solver",
    {
        "cholesky": Entry("solvers.cholesky:Cholesky", "Exact: normal equations, one pass over the rows."),
        "qr": Entry("solvers.qr:QR", "Exact: orthogonal triangularisation, for badly conditioned columns."),
    },
)
