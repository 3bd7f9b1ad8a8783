"""Models as files: one ``.safetensors`` file, tensors and a JSON header, which nothing in it can turn into code.

The header's metadata holds one JSON document, checked field by field on reading. Its `schema` number grows when
a field changes its meaning; files of a newer schema are refused with the version to install.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import fields, is_dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from torchlinear.design import Design
from torchlinear.design.documents import classes_from_list
from torchlinear.errors import ModelFileError
from torchlinear.information import Information
from torchlinear.leastsquares import LeastSquares
from torchlinear.loop import History, Status
from torchlinear.losses import REGISTRY as LOSSES
from torchlinear.losses.base import Loss
from torchlinear.sandwich import Sandwich
from torchlinear.solution import Solution

__all__ = ["read", "write"]

FORMAT = "torchlinear"
SCHEMA = 2  # 2 knows losses with their options, classes, offsets and maximum likelihood
_EVIDENCE = ("rss", "tss", "inverse", "mean")
_INFORMATION = ("inverse", "pearson", "deviance", "null_deviance", "log_likelihood", "moved")


def write(path: str | PathLike[str], solution: Solution, design: Design | None, like: Tensor | None) -> None:
    """Write a model to `path`: to a temporary file beside it first, which then replaces it in one step.

    Parameters
    ----------
    path : str or path
        Where the file goes.
    solution : Solution
        The model.
    design : Design or None
        How columns become numbers, for models of frames and files.
    like : Tensor or None
        A tensor of the dtype that the module's parameters take.

    Raises
    ------
    ModelFileError
        When the file cannot be written; an old file at `path` is then as it was.
    """
    tensors, document = _packed(solution, design, like)
    payload = save(tensors, metadata={"format": FORMAT, "model": json.dumps(document, ensure_ascii=False)})
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent or ".", prefix=f".{path.name}.")
    except OSError as error:
        raise ModelFileError(f"cannot write {str(path)!r}: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise ModelFileError(f"cannot write {str(path)!r}: {error.strerror}; nothing was changed.") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def read(path: str | PathLike[str]) -> tuple[Solution, Design | None, Tensor | None]:
    """Read what `write` wrote.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, or not a torchlinear model.
    """
    if not Path(path).is_file():
        raise ModelFileError(f"no such file: {str(path)!r}.")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelFileError(
                    f"{str(path)!r} is a safetensors file, but not a torchlinear model; "
                    "fit.save() writes one."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
        document = json.loads(metadata["model"])
        if document["schema"] > SCHEMA:
            raise ModelFileError(
                f"{str(path)!r} was written by torchlinear {document['version']}, which is newer than this one; "
                "upgrade torchlinear to read it."
            )
        return _unpacked(tensors, document)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{str(path)!r} is not a readable torchlinear model ({type(error).__name__}: {error}); it may be "
            "truncated or of another format. fit.save() writes one."
        ) from None


def _packed(
    solution: Solution, design: Design | None, like: Tensor | None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from torchlinear import __version__

    tensors = {
        "coef": solution.coef.contiguous(),
        "history.loss": solution.history.loss.contiguous(),
    }
    evidence = solution.evidence
    if evidence is not None:
        for name in _EVIDENCE:
            tensors[f"evidence.{name}"] = torch.from_numpy(np.ascontiguousarray(getattr(evidence, name)))
        tensors["evidence.dependent"] = torch.from_numpy(evidence.dependent.copy())
    information = solution.information
    if information is not None:
        for name in _INFORMATION:
            tensors[f"information.{name}"] = torch.from_numpy(
                np.ascontiguousarray(getattr(information, name))
            )
        tensors["information.dependent"] = torch.from_numpy(information.dependent.copy())
        if information.joint is not None:
            tensors["information.joint"] = torch.from_numpy(np.ascontiguousarray(information.joint))
    between = solution.sandwich
    if between is not None:
        tensors["sandwich.dependent"] = torch.from_numpy(between.dependent.copy())
        for name, covariance in between.covariances.items():
            tensors[f"sandwich.covariance.{name}"] = torch.from_numpy(np.ascontiguousarray(covariance))
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "names": list(solution.names),
        "targets": list(solution.targets),
        "intercept": solution.intercept,
        "loss": solution.loss,
        "family": None if solution.family is None else _family_to_dict(solution.family),
        "offset": solution.offset,
        "classes": None if solution.classes is None else list(solution.classes),
        "penalty": solution.penalty,
        "solver": solution.solver,
        "status": solution.status.name,
        "certificate": None if math.isnan(solution.certificate) else solution.certificate,
        "optimum": solution.optimum,
        "rows": solution.rows,
        "seconds": solution.seconds,
        "weight_type": solution.weight_type,
        "history": {"seen": solution.history.seen, "stride": solution.history.stride},
        "evidence": None
        if evidence is None
        else {
            "condition": evidence.condition,
            "rows": evidence.rows,
            "weight": evidence.weight,
            "log_weight": evidence.log_weight,
        },
        "information": None
        if information is None
        else {
            "rows": information.rows,
            "weight": information.weight,
            "dispersed": information.dispersed,
        },
        "sandwich": None
        if between is None
        else {
            "rows": between.rows,
            "weight": between.weight,
            "normal": between.normal,
            "words": dict(between.words),
        },
        "dtype": None if like is None else str(like.dtype).removeprefix("torch."),
        "design": None if design is None else design.to_dict(),
    }
    return tensors, document


def _unpacked(
    tensors: dict[str, Tensor], document: dict[str, Any]
) -> tuple[Solution, Design | None, Tensor | None]:
    names, targets = _texts(document["names"]), _texts(document["targets"])
    coef = _shaped(tensors["coef"], (len(names) + 1, len(targets)))
    history = History.restored(tensors["history.loss"], **_integers(document["history"], "seen", "stride"))
    certificate = document["certificate"]
    solution = Solution(
        coef=coef,
        names=names,
        targets=targets,
        intercept=bool(document["intercept"]),
        loss=str(document["loss"]),
        family=_family(document),
        offset=None if document.get("offset") is None else str(document["offset"]),
        classes=None if document.get("classes") is None else classes_from_list(document["classes"]),
        penalty=str(document["penalty"]),
        solver=str(document["solver"]),
        status=Status[document["status"]],
        history=history,
        certificate=math.nan if certificate is None else float(certificate),
        seconds=float(document["seconds"]),
        weight_type=None if document["weight_type"] is None else str(document["weight_type"]),
        optimum=None if document["optimum"] is None else float(document["optimum"]),
        rows=None if document.get("rows") is None else int(document["rows"]),
        evidence=None if document["evidence"] is None else _evidence(tensors, document["evidence"], coef),
        information=None
        if document.get("information") is None
        else _information(tensors, document["information"], coef),
        sandwich=None if document.get("sandwich") is None else _sandwich(tensors, document["sandwich"], coef),
    )
    like = {None: None, "float32": torch.float32, "float64": torch.float64}[document["dtype"]]
    design = None if document["design"] is None else Design.from_dict(document["design"])
    return solution, design, None if like is None else torch.empty(0, dtype=like, device="cpu")


def _evidence(tensors: dict[str, Tensor], document: dict[str, Any], coef: Tensor) -> LeastSquares:
    p, k = coef.shape[0] - 1, coef.shape[1]
    shapes = {"rss": (k,), "tss": (k,), "inverse": (p + 1, p + 1), "mean": (p + k,)}
    arrays = {name: _shaped(tensors[f"evidence.{name}"], shape).numpy() for name, shape in shapes.items()}
    return LeastSquares(
        coef=coef.numpy(),
        invert=partial(np.asarray, arrays.pop("inverse")),
        dependent=_shaped(tensors["evidence.dependent"], (p,), torch.bool).numpy(),
        condition=float(document["condition"]),
        rows=int(document["rows"]),
        weight=float(document["weight"]),
        log_weight=float(document["log_weight"]),
        **arrays,
    )


def _information(tensors: dict[str, Tensor], document: dict[str, Any], coef: Tensor) -> Information:
    p, k = coef.shape[0] - 1, coef.shape[1]
    shapes = {name: (k,) for name in _INFORMATION} | {"inverse": (k, p + 1, p + 1), "moved": (p, k)}
    return Information(
        dependent=_shaped(tensors["information.dependent"], (p,), torch.bool).numpy(),
        rows=int(document["rows"]),
        weight=float(document["weight"]),
        dispersed=bool(document["dispersed"]),
        **{name: _shaped(tensors[f"information.{name}"], shape).numpy() for name, shape in shapes.items()},
        joint=None
        if "information.joint" not in tensors
        else _shaped(tensors["information.joint"], (k, p + 1, k, p + 1)).numpy(),
    )


def _sandwich(tensors: dict[str, Tensor], document: dict[str, Any], coef: Tensor) -> Sandwich:
    p, k = coef.shape[0] - 1, coef.shape[1]
    words = {str(name): str(text) for name, text in document["words"].items()}
    found = {
        name: _shaped(tensors[f"sandwich.covariance.{name}"], (k, p + 1, p + 1)).numpy() for name in words
    }
    return Sandwich(
        covariances=found,
        words=words,
        dependent=_shaped(tensors["sandwich.dependent"], (p,), torch.bool).numpy(),
        rows=int(document["rows"]),
        weight=float(document["weight"]),
        normal=bool(document["normal"]),
    )


def _family_to_dict(loss: Loss) -> dict[str, Any]:
    """The name of a loss and its options, which are numbers and texts."""
    options: dict[str, Any] = (
        {f.name: getattr(loss, f.name) for f in fields(loss)} if is_dataclass(loss) else {}
    )
    known = loss.name in LOSSES.entries and LOSSES.load(loss.name) is type(loss)
    if not known or not _plain(options):
        raise ModelFileError(
            f"the loss {type(loss).__name__} is not one of torchlinear's, so that its model cannot be saved; keep "
            "fit.module instead (torch.save)."
        )
    return {"name": loss.name, "options": options}


def _family(document: dict[str, Any]) -> Loss | None:
    """The loss of `_family_to_dict`; that of files of the first schema, which knew one."""
    if document["schema"] == 1:
        return LOSSES.load("squared")() if document["loss"] == "squared" else None
    stored = document["family"]
    if stored is None:
        return None
    if not _plain(stored["options"]):
        raise TypeError(f"options of a loss are numbers and texts, got {stored['options']!r}")
    made: Loss = LOSSES.load(stored["name"])(**stored["options"])
    return made


def _plain(options: dict[str, Any]) -> bool:
    return all(isinstance(value, str | int | float | None) for value in options.values())


def _shaped(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    if tuple(tensor.shape) != shape or tensor.dtype != dtype:
        raise ValueError(f"a tensor is {tensor.dtype} {tuple(tensor.shape)}, expected {dtype} {shape}")
    return tensor


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("names are not a list of texts")
    return tuple(values)


def _integers(document: dict[str, Any], *names: str) -> dict[str, int]:
    return {name: int(document[name]) for name in names}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
