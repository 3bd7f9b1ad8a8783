"""One table in every form that can be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from torchlinear.sources import read
from torchlinear.sources.base import Table

ROWS = 4_000
FORMS = (
    "csv", "tsv", "csv.gz", "parquet", "folder", "json", "glob", "select", "query", "pandas", "polars",
    "arrow", "dict",
)  # fmt: skip


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Each of the forms."""
    return str(request.param)


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Numbers with gaps, names that are keywords or odd, text with gaps, booleans."""
    rng = np.random.default_rng(7)
    gaps = rng.random(ROWS)
    gaps[::17] = np.nan
    city = rng.choice(["Paris", "Lyon", "Łódź", "上海"], ROWS).astype(object)
    city[5::101] = None
    return pd.DataFrame(
        {
            "at": rng.normal(1e4, 1, ROWS),
            "days": gaps,
            'a "quoted", name': rng.integers(-5, 6, ROWS),
            "面积": rng.standard_normal(ROWS),
            "city": city,
            "flag": rng.random(ROWS) > 0.5,
            "select": rng.standard_normal(ROWS),
        }
    )


@pytest.fixture(scope="session")
def open_as(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Table]:
    """Open the table in one of `FORMS`."""
    folder = tmp_path_factory.mktemp("forms")
    files(frame, folder)
    forms: dict[str, Any] = {
        "folder": folder / "parts",
        "glob": f"{folder}/part?.csv",
        "select": f"SELECT * FROM '{folder}/rows.parquet'",
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "arrow": pa.Table.from_pandas(frame),
        "dict": {name: frame[name].to_numpy() for name in frame},
    }

    def open_one(form: str) -> Table:
        if form == "query":
            return read(folder / "rows.parquet", query="SELECT * FROM data")
        return read(forms.get(form, folder / f"rows.{form}"))

    return open_one


def files(frame: pd.DataFrame, folder: Path) -> None:
    (folder / "parts").mkdir()
    half = len(frame) // 2
    with duckdb.connect() as con:
        con.register("frame", pa.Table.from_pandas(frame))
        con.execute(f"COPY frame TO '{folder}/rows.csv'")
        con.execute(f"COPY frame TO '{folder}/rows.csv.gz'")
        con.execute(f"COPY frame TO '{folder}/rows.tsv' (DELIM '\t', NULLSTR 'NA')")
        con.execute(f"COPY frame TO '{folder}/rows.json'")
        con.execute(f"COPY frame TO '{folder}/rows.parquet' (ROW_GROUP_SIZE 2048)")
        for j, clause in enumerate((f"LIMIT {half}", f"OFFSET {half}")):
            con.execute(f"COPY (FROM frame {clause}) TO '{folder}/parts/{j}.parquet'")
            con.execute(f"COPY (FROM frame {clause}) TO '{folder}/part{j}.csv'")
