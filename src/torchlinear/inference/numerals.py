"""Numbers and names as people read them: digits that the standard error supports, aligned at the point."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

__all__ = ["aligned", "magnitude", "pad", "printable", "probability", "row", "significant", "width"]

ERROR_DIGITS = 3  # of a standard error
MOST_DIGITS = 7  # of a coefficient, however small its standard error
LOWEST, HIGHEST = -5, 7  # powers of ten between which numbers are written without an exponent


def row(coef: float, error: float, low: float, high: float) -> tuple[str, str, str, str]:
    """Write a coefficient, its standard error and its interval, to the digits that its error supports.

    Examples
    --------
    >>> row(3.087123, 0.0412, 3.0043, 3.16995)
    ('3.0871', '0.0412', '3.0043', '3.1700')
    >>> row(7.32059160401e-7, 1.578e-10, 7.317e-7, 7.324e-7)
    ('7.32059e-07', '1.58e-10', '7.31700e-07', '7.32400e-07')
    """
    if not (math.isfinite(coef) and math.isfinite(error) and error > 0):
        return tuple("" if math.isnan(value) else f"{value:.6g}" for value in (coef, error, low, high))  # type: ignore[return-value]
    top = magnitude(max(abs(low), abs(high)))
    units = 0 if top == -1 else top  # 0.8 beside 3.2 gets no more decimals than that
    decimals = min(ERROR_DIGITS - 1 - magnitude(error), MOST_DIGITS - 1 - units)
    if top > HIGHEST or (top < LOWEST and decimals > MOST_DIGITS):
        digits = max(top + decimals, 1)
        return f"{coef:.{digits}e}", f"{error:.2e}", f"{low:.{digits}e}", f"{high:.{digits}e}"
    places = max(decimals, 0)
    spread = f"{error:.{places}f}" if magnitude(error) >= 1 - places or places == 0 else f"{error:.2e}"
    return f"{coef:.{places}f}", spread, f"{low:.{places}f}", f"{high:.{places}f}"


def significant(value: float, digits: int = 4) -> str:
    """`value` with so many significant digits, zeros kept; an exponent when it is very large or small."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if not LOWEST <= magnitude(value) <= HIGHEST:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - magnitude(value), 0)}f}"


def probability(p: float) -> str:
    """Write p as journals do: ``.014``, ``<.001``, ``1.000``; an empty text for NaN."""
    if math.isnan(p):
        return ""
    return "<.001" if p < 0.0005 else f"{p:.3f}".removeprefix("0")


def magnitude(value: float) -> int:
    """Power of ten of the leading digit; 0 for zero."""
    return math.floor(math.log10(abs(value))) if value else 0


def printable(name: str) -> str:
    """`name` on one line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in name)


def width(text: str) -> int:
    """Columns of a terminal that `text` takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def pad(text: str, columns: int) -> str:
    """`text` with spaces after it, so many columns wide."""
    return text + " " * (columns - width(text))


def aligned(column: Sequence[str]) -> list[str]:
    """Numbers filled with spaces so that their points stand below one another, all equally wide."""
    parts = [(text.partition(".")[0], text[len(text.partition(".")[0]) :]) for text in column]
    before, after = (max((len(part[side]) for part in parts), default=0) for side in (0, 1))
    return [whole.rjust(before) + rest.ljust(after) for whole, rest in parts]
