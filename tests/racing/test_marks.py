"""Marks are evenly spaced on a logarithmic scale, at steps' ends, and never more than asked for."""

import numpy as np
import pytest

from torchlinear.racing.marks import Marks
from torchlinear.solvers.base import Budget, State


@pytest.mark.parametrize(("rows", "batch"), [(1, None), (50, 1), (1_000, 32), (7, 7), (100, 33)])
@pytest.mark.parametrize("epochs", [1, 3, 500])
@pytest.mark.parametrize("frames", [1, 10, 300])
def test_marks_are_where_steps_end(rows: int, batch: int | None, epochs: int, frames: int) -> None:
    moments = Marks.of(epochs, frames, rows, batch).moments
    size = batch or rows
    assert len(moments) <= frames + 1
    assert moments[-1] == (epochs, 0)
    assert list(moments) == sorted(set(moments))
    assert all(cursor % size == 0 and cursor < rows for _, cursor in moments)
    passes = np.array([epoch + cursor / rows for epoch, cursor in moments])
    assert (passes > 0).all()
    if frames == 300 and epochs == 500 and batch == 1:
        assert np.abs(np.diff(np.log(passes[passes > 20]))).max() < 0.06
        assert (passes < 1).sum() > 20


def test_budgets_end_at_the_next_mark() -> None:
    marks = Marks(((0, 20), (1, 0), (5, 0)))
    state = State(None)  # type: ignore[arg-type]
    assert marks.budget(state, Budget(9, 0.1)) == Budget(0, 0.1, 20)
    assert marks.budget(State(None, 0, 20), Budget(9, 0.1)) == Budget(1, 0.1, 0)  # type: ignore[arg-type]
    assert marks.budget(State(None, 3, 0), Budget(9, 0.1)) == Budget(2, 0.1, 0)  # type: ignore[arg-type]
    assert (1, 0) in marks
    assert (2, 0) not in marks
