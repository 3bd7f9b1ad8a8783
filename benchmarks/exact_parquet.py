"""Exact fit from Parquet, 10,000,000 x 20, against DuckDB reading the same columns and doing nothing."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from harness import machine, report

COLUMNS = 20
FIT = "import torchlinear as tl; fit = tl.fit(sys.argv[1], 'y')"
READ = (
    "import duckdb; q = duckdb.sql(f\"SELECT {', '.join(['y', *(f'x{j}' for j in range(20))])} "
    "FROM read_parquet('{sys.argv[1]}')\"); [batch.num_rows for batch in q.to_arrow_reader(131_072)]"
)
PROGRAM = """
import resource, sys, time
{imports}
began = time.perf_counter()
{work}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def make(path: Path, rows: int) -> None:
    import duckdb

    columns = ", ".join(
        f"sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS x{j}" for j in range(COLUMNS)
    )
    total = " + ".join(f"{j + 1} * x{j}" for j in range(COLUMNS))
    connection = duckdb.connect()
    connection.sql("SELECT setseed(0.5)").fetchall()
    connection.sql(
        f"COPY (SELECT *, {total} + random() AS y FROM (SELECT {columns} FROM range({rows}))) "
        f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
    )


def run(work: str, path: Path) -> tuple[float, float]:
    small = path.with_name("small.parquet")  # the same work on 1,000 rows first: imports, kernels, caches
    warm = work.replace("sys.argv[1]", "sys.argv[2]")
    imports = "import torchlinear as tl; " if "tl." in work else ""
    text = PROGRAM.format(imports=imports + warm, work=work)
    command = [sys.executable, "-c", text, str(path), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken, peak = done.stdout.splitlines()[-1].split()  # DuckDB may draw a progress bar above
    return float(taken), float(peak)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        began = time.perf_counter()
        make(path, rows)
        make(path.with_name("small.parquet"), 1_000)
        print(
            f"wrote {path.stat().st_size / 2**30:.2f} GiB in {time.perf_counter() - began:.0f} s\n{machine()}"
        )
        pairs = [(run(FIT, path), run(READ, path)) for _ in range(5)]
    peak = max(fit[1] for fit, _ in pairs)
    title = f"exact fit from Parquet, {rows:,} x {COLUMNS}"
    report(
        title,
        {
            "torchlinear tl.fit": median(fit[0] for fit, _ in pairs),
            "DuckDB reads, does nothing": median(read[0] for _, read in pairs),
        },
        goal="at least 0.5 (twice DuckDB's time), under 1.5 GiB",
        file="exact_parquet",
    )
    print(f"peak memory of the fit: {peak:.2f} GiB (goal: under 1.5 GiB)")
