"""Laws of every source in the registry: the same table in another form gives the same blocks, and the same fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import torchlinear as tl
from torchlinear.design import Design
from torchlinear.sources import REGISTRY, read

N = 3_000

Write = Callable[[pd.DataFrame, Path], Any]


def _file(ending: str, write: Callable[[pd.DataFrame, Path], None]) -> Write:
    def written(frame: pd.DataFrame, folder: Path) -> Path:
        path = folder / f"table.{ending}"
        write(frame, path)
        return path

    return written


FORMS: dict[str, dict[str, Write]] = {
    "frame": {
        "pandas": lambda frame, folder: frame,
        "polars": lambda frame, folder: pl.from_pandas(frame),
        "arrow": lambda frame, folder: pl.from_pandas(frame).to_arrow(),
        "dict": lambda frame, folder: {name: frame[name].to_numpy() for name in frame},
    },
    "sql": {
        "csv": _file("csv", lambda frame, path: frame.to_csv(path, index=False)),
        "parquet": _file("parquet", lambda frame, path: frame.to_parquet(path, row_group_size=700)),
        "query": _file("parquet", lambda frame, path: frame.to_parquet(path)),
    },
}


def test_every_source_is_here() -> None:
    assert set(FORMS) == set(REGISTRY.entries)


@pytest.fixture
def frame(rng: np.random.Generator) -> pd.DataFrame:
    city = rng.choice(["Lyon", "Paris", "Łódź"], size=N)
    area, rooms = rng.normal(size=N) * 30 + 100, rng.integers(1, 6, size=N)
    price = 3.0 * area + rooms + 10.0 * (city == "Paris") + rng.normal(size=N)
    return pd.DataFrame({"area": area, "rooms": rooms, "city": city, "price": price, "trust": rng.random(N)})


@pytest.mark.parametrize(("source", "form"), [(source, form) for source in FORMS for form in FORMS[source]])
def test_the_same_blocks_and_the_same_fit(
    source: str, form: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    data = FORMS[source][form](frame, tmp_path)
    if form == "query":
        data = f"SELECT * FROM '{data}'"
    table = read(data)
    assert type(table).__module__ == REGISTRY.entries[source].path.split(":")[0].join(["torchlinear.", ""])
    design = Design.learn(table, target="price", weights="trust")
    rows = design.rows(table)
    blocks = [block for shard in rows.shards() for block in rows.blocks(shard)]
    truth = np.column_stack(
        [frame["area"], frame["rooms"], frame["city"] == "Paris", frame["city"] == "Łódź"]
    )
    np.testing.assert_array_equal(torch.cat([block.X for block in blocks]), truth)
    np.testing.assert_array_equal(torch.cat([block.y for block in blocks])[:, 0], frame["price"])
    np.testing.assert_array_equal(torch.cat([block.weight for block in blocks]), frame["trust"])  # type: ignore[misc]
    fit = tl.fit(data, "price", weights="trust")
    reference = tl.fit(truth, frame["price"], weights=frame["trust"].to_numpy())
    assert torch.equal(fit.solution.coef, reference.solution.coef)
    np.testing.assert_allclose(fit.predict(data), reference.predict(truth), rtol=1e-14)
