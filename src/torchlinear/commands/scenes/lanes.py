"""The algorithms of the scenes, and where each of them ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

import torchlinear as tl

__all__ = ["Finish", "Lane", "one_thread", "train"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One algorithm.

    Attributes
    ----------
    name : str
        What textbooks call it.
    call : str
        How it is written with PyTorch; `make` does it.
    make : callable
        The optimiser for given parameters.
    batch_size : int, optional
        Rows of a step; all of them by default.
    """

    name: str
    call: str
    make: Callable[[Iterable[Tensor]], optim.Optimizer]
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Where an algorithm ended.

    Attributes
    ----------
    name, call : str
        Of its lane.
    epoch : Tensor, shape (e,)
        Epochs, from 0, whose loss is known.
    loss : Tensor, shape (e,), float64
        Loss of these epochs.
    epochs : int
        Epochs that were run.
    seconds : float
        Wall-clock time of the training alone.
    module : nn.Module
        The trained model.
    """

    name: str
    call: str
    epoch: Tensor
    loss: Tensor
    epochs: int
    seconds: float
    module: Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: for so few points more of them only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(lane: Lane, model: nn.Module, x: Tensor, y: Tensor, criterion: nn.Module, epochs: int) -> Finish:
    """Train `model` by `lane` with `tl.train`.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C was pressed.
    """
    fit = tl.train(
        model,
        x,
        y,
        criterion=criterion,
        optimizer=lane.make(model.parameters()),
        epochs=epochs,
        batch_size=lane.batch_size,
        generator=torch.Generator().manual_seed(0),
    )
    if fit.status is tl.Status.INTERRUPTED:
        raise KeyboardInterrupt
    seconds = fit.solution.seconds
    return Finish(lane.name, lane.call, fit.history.epoch, fit.history.loss, len(fit.history), seconds, model)
