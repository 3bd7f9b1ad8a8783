"""Offsets: what a linear predictor has besides features and intercept, from arguments to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.rows import Rows, deducted
from torchlinear.values import as_exposure, as_offset, described, is_frame, n_rows, with_columns

if TYPE_CHECKING:
    from torchlinear.design import Design

__all__ = ["exposures", "placed", "refuse", "shift_of", "shifted"]


def shift_of(offset: Any, exposure: Any, rows: int) -> Tensor | None:
    """The values of an offset and of the logarithm of an exposure added up, shape (n,); None without either."""
    parts = [] if offset is None else [as_offset(offset, rows)]
    if exposure is not None:
        parts.append(as_exposure(exposure, rows).to(parts[0].device if parts else None))
    return sum(parts[1:], parts[0]) if parts else None


def placed(rows: Rows, loss: Loss | None) -> Rows:
    """Rows with their offset where `loss` takes it: off the targets, or beside the features."""
    return deducted(rows) if loss is None or loss.quadratic or loss.piecewise else rows


def refuse(loss: Loss | None, offset: Any, exposure: Any) -> None:
    """Refuse an offset that would change nothing, and an exposure without logarithm."""
    if loss is None:
        return
    if not loss.separable and (offset is not None or exposure is not None):
        given = "offset" if offset is not None else "exposure"
        raise InvalidInput(
            f"{given}= shifts the scores of all classes alike, which changes nothing with loss={loss.name!r}; leave "
            "it out."
        )
    link = getattr(loss, "link", "identity")
    if exposure is not None and link != "log":
        raise InvalidInput(
            f"exposure= takes the log link, where it multiplies the mean, but loss={loss.name!r} has the {link} link; "
            "use link='log', or pass what is to be added as offset=."
        )


def exposures(exposure: Any, rows: int) -> Tensor:
    """Exposures as a tensor of shape (n,), checked."""
    return as_exposure(exposure, rows).exp()


def shifted(new: Any, design: Design, *, offset: Any, exposure: Any) -> Any:
    """A frame with the values of an offset or exposure in the columns that `design` reads them from."""
    if not is_frame(new):
        raise InvalidInput(
            f"offset= and exposure= go with a frame in memory; {described(new)} has them in its columns."
        )
    columns = {
        "offset": (design.offset_column, offset, as_offset),
        "exposure": (design.exposure, exposure, exposures),
    }
    added = {}
    for role, (name, given, checked) in columns.items():
        if given is not None and name is None:
            raise InvalidInput(
                f"{role}= is given, but the model takes {design.shift} from the columns of the new rows; leave it out."
            )
        if given is not None and name is not None:
            added[name] = checked(given, n_rows(new)).cpu().numpy()
    return with_columns(new, added)
