"""Reading more than fits: memory stays bounded, and threads change nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from torchlinear.design import Design
from torchlinear.sources import query, read

READ = """
import resource, sys
from torchlinear.design import Design
from torchlinear.sources import read
import torchlinear.block
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
table = read(sys.argv[1])
before = peak()
rows = Design.learn(table, target="y").rows(table)
n = sum(block.X.shape[0] for block in rows.blocks(None))  # all rows as one stream
print(n, peak() - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 21 columns: 3,000,000 rows of Parquet (504 MB as float64), 600,000 of CSV, and quarters."""
    folder = tmp_path_factory.mktemp("large")
    columns = ", ".join(f"random() AS x{j}" for j in range(20))
    with duckdb.connect() as con:
        con.execute("SET threads = 2")
        con.execute(f"COPY (SELECT {columns}, random() AS y FROM range(3_000_000)) TO '{folder}/a.parquet'")
        for rows, name in ((750_000, "quarter.parquet"), (600_000, "a.csv"), (150_000, "quarter.csv")):
            con.execute(f"COPY (FROM '{folder}/a.parquet' LIMIT {rows}) TO '{folder}/{name}'")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read by the resource module")
@pytest.mark.parametrize(("ending", "rows"), [("parquet", 3_000_000), ("csv", 600_000)])
def test_memory_does_not_grow_with_the_rows(large: Path, ending: str, rows: int) -> None:
    def peak(file: str, expected: int) -> int:
        command = [sys.executable, "-c", READ, str(large / file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
        read_rows, megabytes = map(int, done.stdout.split())
        assert read_rows == expected
        return megabytes

    more = rows * 3 / 4 * 21 * 8 / 1e6
    assert peak(f"a.{ending}", rows) - peak(f"quarter.{ending}", rows // 4) < more / 2


@pytest.mark.parametrize("file", ["a.parquet", "a.csv"])
def test_blocks_are_the_same_bits_at_any_number_of_threads(large: Path, file: str) -> None:
    def digest(threads: int) -> str:
        query._database(None, os.getpid()).execute(f"SET threads = {threads}")
        table = read(large / file)
        rows = Design.learn(table, columns=["x0", "x7"], target="y").rows(table)
        seen = hashlib.md5()
        for shard in rows.shards():
            for block in rows.blocks(shard):
                seen.update(
                    f"{block.X.shape}".encode() + block.X.T.numpy().tobytes() + block.y.numpy().tobytes()
                )
        return seen.hexdigest()

    try:
        assert digest(1) == digest(2) == digest(3)
    finally:
        query._database(None, os.getpid()).execute("RESET threads")
