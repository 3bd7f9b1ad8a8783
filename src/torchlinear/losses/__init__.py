"""Losses: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry(
    "loss",
    {"squared": Entry("losses.squared:Squared", "Squared error, the loss of ordinary least squares.")},
)
