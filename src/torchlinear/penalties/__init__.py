"""Penalties: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry("penalty", {"l2": Entry("penalties.l2:L2", "Ridge: alpha / 2 times the sum of squares.")})
