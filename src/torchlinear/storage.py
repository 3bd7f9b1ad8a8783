"""Models as files: one ``.safetensors`` file, tensors and a JSON header, which nothing in it can turn into code.

The header's metadata holds one JSON document, checked field by field on reading. Its `schema` number grows when
a field changes its meaning; files of a newer schema are refused with the version to install.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
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
from torchlinear.errors import ModelFileError
from torchlinear.leastsquares import LeastSquares
from torchlinear.loop import History, Status
from torchlinear.solution import Solution

__all__ = ["read", "write"]

FORMAT = "torchlinear"
SCHEMA = 1
_EVIDENCE = ("rss", "tss", "inverse", "mean")


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
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "names": list(solution.names),
        "targets": list(solution.targets),
        "intercept": solution.intercept,
        "loss": solution.loss,
        "penalty": solution.penalty,
        "solver": solution.solver,
        "status": solution.status.name,
        "certificate": None if math.isnan(solution.certificate) else solution.certificate,
        "optimum": solution.optimum,
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
        penalty=str(document["penalty"]),
        solver=str(document["solver"]),
        status=Status[document["status"]],
        history=history,
        certificate=math.nan if certificate is None else float(certificate),
        seconds=float(document["seconds"]),
        weight_type=None if document["weight_type"] is None else str(document["weight_type"]),
        optimum=None if document["optimum"] is None else float(document["optimum"]),
        evidence=None if document["evidence"] is None else _evidence(tensors, document["evidence"], coef),
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
