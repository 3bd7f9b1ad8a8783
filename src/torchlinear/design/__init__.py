"""Design: from a table's columns, or a formula over them, to blocks of numbers; learnt once, then replayed.

In reading order: `design` (the face), `encoding` (what an encoder is; the plain one), `learning` (what
is learnt of columns), `packing` and `streaming` (from Arrow batches to blocks), `missing` (what is said of
gaps); for formulas `formulas` (text to terms), `formula_learning`, `replay`, `powers`; `documents` is JSON.
"""

from torchlinear.design.design import Description, Design

__all__ = ["Description", "Design"]
