"""What can go wrong, by name.

Misuse raises: the message names the argument, what came, what was expected and the remedy.
Numerical failure never raises; it is a `Status` on the solution (see `loop.py`).
"""

import sys
import warnings
from pathlib import Path

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
    "warn_caller",
]

PACKAGE = str(Path(__file__).parent)


class TorchlinearError(Exception):
    """Base of every error that torchlinear raises.

    >>> import torchlinear as tl
    >>> try:
    ...     tl.load("no-such-file.safetensors")
    ... except tl.TorchlinearError as error:
    ...     print(error)
    no such file: 'no-such-file.safetensors'.
    """


class InvalidInput(TorchlinearError, ValueError):
    """An argument is not what the function takes.

    >>> import torchlinear as tl
    >>> try:
    ...     tl.fit([[1.0], [2.0], [4.0]], [1.0, 2.0])
    ... except tl.InvalidInput as error:
    ...     print(error)
    y has shape (2,) for 3 rows of X; expected (3,) or (3, k).
    """


class DataError(TorchlinearError, ValueError):
    """The rows or columns cannot be fitted as they are: missing values, text among numbers, no rows.

    >>> import torchlinear as tl
    >>> try:
    ...     tl.fit([[1.0], [float("nan")], [4.0]], [1.0, 2.0, 3.0])
    ... except tl.DataError as error:
    ...     print(error)
    values are NaN or inf (x: 1); drop those rows or fill them in first.
    """


class ModelFileError(TorchlinearError, ValueError):
    """A file is not a torchlinear model, or is damaged.

    >>> import torchlinear as tl
    >>> from pathlib import Path
    >>> _ = Path("notes.safetensors").write_text("not a model")
    >>> try:
    ...     tl.load("notes.safetensors")
    ... except tl.ModelFileError as error:
    ...     print(error)
    'notes.safetensors' is not a readable torchlinear model ...
    """


class RowsNeeded(TorchlinearError, ValueError):
    """The question needs the rows again, and this fit no longer holds them; pass `data=`.

    >>> import torchlinear as tl
    >>> tl.fit([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0]).save("line.safetensors")
    >>> try:
    ...     tl.load("line.safetensors").plot()
    ... except tl.RowsNeeded as error:
    ...     print(error)
    this fit holds no rows (it was loaded from a file); pass the rows to draw: plot(data=...).
    """


class MissingExtra(TorchlinearError, ImportError):
    """An optional dependency is not installed; the message names the extra.

    It is an `ImportError` too, so code that guards an import needs no change:

    >>> import torchlinear as tl
    >>> issubclass(tl.MissingExtra, ImportError)
    True
    """


class TorchlinearWarning(UserWarning):
    """Base of every warning that torchlinear emits.

    >>> import warnings
    >>> import torchlinear as tl
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", tl.TorchlinearWarning)
    ...     fit = tl.fit([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]], [1.0, 2.0, 4.0])
    >>> fit.equation
    'y = 1 x0 + 0'
    """


class RankWarning(TorchlinearWarning):
    """Columns depend on one another, and some were dropped (they are named).

    >>> import warnings
    >>> import torchlinear as tl
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     fit = tl.fit([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]], [1.0, 2.0, 3.0])
    >>> print(caught[0].message)
    dropped x1: constant, or a linear combination of the columns before it; ...
    """


class ConvergenceWarning(TorchlinearWarning):
    """A fit ended before its certificate was small.

    >>> import warnings
    >>> import torch
    >>> import torchlinear as tl
    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
    >>> x = torch.tensor([[1.0], [2.0], [4.0]])
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     fit = tl.train(model, x, 2 * x, criterion=torch.nn.MSELoss(), optimizer=optimizer, epochs=50)
    >>> print(caught[0].message)
    training diverged: the loss grew without bound, ...
    """


def warn_caller(message: str, category: type[Warning] = TorchlinearWarning) -> None:
    """Warn, naming the line of the caller: the first that is not torchlinear's, however deep it was called from."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
