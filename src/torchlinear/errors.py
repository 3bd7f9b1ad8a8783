"""What can go wrong, by name.

Misuse raises: the message names the argument, what came, what was expected and the remedy.
Numerical failure never raises; it is a `Status` on the solution (see `loop.py`).
"""

__all__ = [
    "ConvergenceWarning",
    "DataError",
    "InvalidInput",
    "MissingExtra",
    "ModelFileError",
    "RankWarning",
    "RowsNeeded",
    "TorchlinearError",
    "TorchlinearWarning",
]


class TorchlinearError(Exception):
    """Base of every error that torchlinear raises."""


class InvalidInput(TorchlinearError, ValueError):
    """An argument is not what the function takes."""


class DataError(TorchlinearError, ValueError):
    """The rows or columns cannot be fitted as they are: missing values, text among numbers, no rows."""


class ModelFileError(TorchlinearError, ValueError):
    """A file is not a torchlinear model, or is damaged."""


class RowsNeeded(TorchlinearError, ValueError):
    """The question needs the rows again, and this fit no longer holds them; pass `data=`."""


class MissingExtra(TorchlinearError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class TorchlinearWarning(UserWarning):
    """Base of every warning that torchlinear emits."""


class RankWarning(TorchlinearWarning):
    """Columns depend on one another, and some were dropped (they are named)."""


class ConvergenceWarning(TorchlinearWarning):
    """A fit ended before its certificate was small."""
