"""Engines: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry("engine", {"local": Entry("engines.local:Local", "Threads of this process.")})
