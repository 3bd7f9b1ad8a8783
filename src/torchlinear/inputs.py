"""What users pass, turned into rows: tensors and arrays directly, files and frames through a design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from torchlinear.errors import InvalidInput
from torchlinear.labels import Coded, Label, code
from torchlinear.losses.base import Loss
from torchlinear.offsets import exposures, placed, refuse, shift_of
from torchlinear.rows import Rows, TensorRows, default_names
from torchlinear.sparse import SparseRows, features, is_sparse
from torchlinear.values import (
    as_offset,
    as_targets,
    as_weights,
    column_names,
    described,
    is_frame,
    is_tabular,
    labels,
    n_rows,
    unused,
    with_columns,
)

if TYPE_CHECKING:
    from torchlinear.design import Design

__all__ = ["Prepared", "prepare", "resolve_device"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows to fit, and what is known about them.

    Attributes
    ----------
    rows : Rows
        Features and targets; labels as the numbers of their classes.
    design : Design or None
        What made them of a table; None for tensors and arrays.
    weighted : bool
        Whether weights came along.
    classes : tuple of str, bool, int or float, or None
        The classes of labels, sorted.
    offset : str or None
        The offset in words. Rows of a loss of ``y - eta`` come with it taken off their targets, others beside them.
    """

    rows: Rows
    design: Design | None
    weighted: bool
    classes: tuple[Label, ...] | None = None
    offset: str | None = None

    def outputs(self, loss: Loss) -> tuple[str, ...]:
        """Names of the columns of the coefficients of `loss`: targets, or classes that interact."""
        if self.classes is None or loss.separable:
            return self.rows.targets
        return tuple(map(str, self.classes))


def prepare(
    data: Any,
    target: Any,
    *,
    formula: str | None,
    columns: Sequence[str] | None,
    weights: Any,
    missing: Literal["error", "drop", "mean"],
    intercept: bool,
    device: str | torch.device,
    loss: Loss | None = None,
    offset: Any = None,
    exposure: Any = None,
) -> Prepared:
    """Rows of `data`, with `target` and `weights`; see `torchlinear.fit` for what each may be.

    The target of a `loss` on labels becomes the numbers of its classes.
    """
    refuse(loss, offset, exposure)
    place = resolve_device(device)
    if is_tabular(data):
        roles = {"weights": weights, "offset": offset, "exposure": exposure}
        if target is not None and not (_names(target) and not _labels_of(data, target, loss)):
            data, target, columns = _with_target(data, target, columns, roles, loss)
        data, roles = _with_roles(data, roles)
        return _prepare_table(data, target, formula, columns, roles, missing, intercept, place, loss)
    if formula is not None or columns is not None:
        given = "formula" if formula is not None else "columns"
        raise InvalidInput(
            f"{given}= names columns, but the data is {described(data)} without named columns; pass a data frame or "
            "a file."
        )
    for role, given in (("weights", weights), ("offset", offset), ("exposure", exposure)):
        if isinstance(given, str):
            raise InvalidInput(
                f"{role}={given!r} names a column, but the data is {described(data)}; pass its values, one for each "
                "row."
            )
    if target is None:
        raise InvalidInput(
            "target is missing: pass fit(X, y), or a frame or file with the name of its target column."
        )
    X = features(data)
    if _names(target) and not (_labelled(loss) and len(target) == X.shape[0] and not isinstance(target, str)):
        raise InvalidInput(
            f"target={target!r} names a column, but the data is {described(data)}; pass the values of y."
        )
    coded = _coded(target, X.shape[0], loss)
    y = coded.y
    weight = None if weights is None else as_weights(weights, X.shape[0])
    shift = shift_of(offset, exposure, X.shape[0])
    if place is not None:
        if place.type != "cpu" and is_sparse(X):
            raise InvalidInput(f"device={str(place)!r} takes dense rows; sparse ones are fitted on the CPU.")
        X, y = X.to(place), y.to(place)
    kind = SparseRows if is_sparse(X) else TensorRows
    rows: Rows = kind(X, y, weight, names=labels(data), targets=labels(target), offset=shift)
    words = [text for text, given in (("offset", offset), ("log(exposure)", exposure)) if given is not None]
    return Prepared(placed(rows, loss), None, weight is not None, coded.classes, " + ".join(words) or None)


def _labelled(loss: Loss | None) -> bool:
    return loss is not None and loss.labels


def _coded(y: Any, rows: int, loss: Loss | None) -> Coded:
    """The values of a target as `loss` takes them."""
    if loss is None or not loss.labels:
        return Coded(as_targets(y, rows), None)
    return code(y, rows, binary=loss.separable)


def _labels_of(frame: Any, target: Any, loss: Loss | None) -> bool:
    """Whether a list of texts are the labels of a frame's rows, rather than names of its columns."""
    if not _labelled(loss) or isinstance(target, str) or not is_frame(frame) or len(target) != n_rows(frame):
        return False
    return not set(target) <= set(column_names(frame))


def _with_target(
    frame: Any, target: Any, columns: Any, roles: dict[str, Any], loss: Loss | None
) -> tuple[Any, list[str], Any]:
    """A frame with the values of a target as columns of it, their names, and those of the features."""
    if not is_frame(frame):
        raise InvalidInput(
            f"target for a file is the name of a column (or names, for several), got {described(target)}."
        )
    y, known = _values_of(target, n_rows(frame), loss), column_names(frame)
    names = labels(target) or unused(default_names("y", len(y)), frame)
    both = [name for name in names if name in known]
    if both:
        raise InvalidInput(f"{both[0]!r} is the target and also a feature; leave it out of the features.")
    if columns is None:
        reserved = {name for name in roles.values() if isinstance(name, str)}
        columns = [name for name in known if name not in reserved]
    return with_columns(frame, dict(zip(names, y))), list(names), columns


def _values_of(target: Any, rows: int, loss: Loss | None) -> list[Any]:
    """The columns of a target; of labels as they are."""
    if not _labelled(loss) or np.ndim(target) > 1:
        return list(as_targets(target, rows).cpu().numpy().T)
    coded = _coded(target, rows, loss)
    if coded.classes is None:
        return list(coded.y.cpu().numpy().T)
    return [np.asarray(coded.classes)[coded.y[:, 0].long().cpu().numpy()]]


def _with_roles(frame: Any, roles: dict[str, Any]) -> tuple[Any, dict[str, str | None]]:
    """A frame with the values of weights, offset and exposure as columns of it, and their names."""
    checks = {"weights": as_weights, "offset": as_offset, "exposure": exposures}
    names: dict[str, str | None] = {}
    for role, given in roles.items():
        names[role] = given
        if given is None or isinstance(given, str):
            continue
        if not is_frame(frame):
            raise InvalidInput(f"{role} for a file is the name of a column, got {described(given)}.")
        (name,) = unused((role,), frame)
        frame = with_columns(frame, {name: checks[role](given, n_rows(frame)).cpu().numpy()})
        names[role] = name
    return frame, names


def _prepare_table(
    data: Any,
    target: Any,
    formula: str | None,
    columns: Sequence[str] | None,
    roles: dict[str, str | None],
    missing: Literal["error", "drop", "mean"],
    intercept: bool,
    place: torch.device | None,
    loss: Loss | None,
) -> Prepared:
    if place is not None and place.type != "cpu":
        raise InvalidInput(
            f"device={str(place)!r} takes tensors; files and frames are fitted on the CPU for now."
        )
    from torchlinear.design import Design  # imports DuckDB, which tensors and arrays never need
    from torchlinear.sources import read

    table = read(data)
    design = Design.learn(
        table,
        formula=formula,
        columns=columns,
        target=target,
        missing=missing,
        intercept=intercept,
        **roles,
        labels=("binary" if loss.separable else "many") if loss is not None and loss.labels else None,
    )
    rows = design.rows(table).collected()  # small tables are read once; large ones stream
    return Prepared(placed(rows, loss), design, roles["weights"] is not None, design.classes, design.shift)


def resolve_device(device: str | torch.device) -> torch.device | None:
    """The device that `device` names; None for "auto", which leaves tensors where they are."""
    if device == "auto":
        return None
    known = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    try:
        place = torch.device(device)
    except RuntimeError:
        raise InvalidInput(f"device={device!r} is not known. Known here: auto, {', '.join(known)}.") from None
    if place.type not in ("cpu", "cuda"):
        raise InvalidInput(f"device={device!r} is not supported. Known here: auto, {', '.join(known)}.")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            f"device={device!r} was asked for, but this torch ({torch.__version__}) sees no CUDA device; "
            "use device='cpu' or device='auto'."
        )
    return place


def _names(target: Any) -> bool:
    return isinstance(target, str) or (
        isinstance(target, (list, tuple)) and bool(target) and all(isinstance(name, str) for name in target)
    )
