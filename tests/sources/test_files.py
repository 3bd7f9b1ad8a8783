"""Files: what is understood, and one clear sentence for each way in which a file cannot be read."""

import gzip
from pathlib import Path

import duckdb
import numpy as np
import pytest

from torchlinear.errors import DataError, InvalidInput, TorchlinearWarning
from torchlinear.sources import read
from torchlinear.sources.base import LEVEL_LIMIT
from torchlinear.sources.sql import SHARD_ROWS, Piece, Sql, _pieces


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def numbers(table: object, name: str) -> list[float | None]:
    return [v for b in table.batches([name]) for v in b.column(0).to_pylist()]  # type: ignore[attr-defined]


def test_separator_decimals_dates_and_booleans_are_found(tmp_path: Path) -> None:
    table = read(write(tmp_path / "a.csv", "x;day;ok;who\n1.5;2026-01-02;true;A\n2;2026-01-03;false;B\n"))
    assert [c.kind for c in table.schema] == ["number", "date", "boolean", "text"]
    assert numbers(table, "x") == [1.5, 2.0]


def test_texts_that_mean_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y\n1,a\nNA,b\n,NA\nn/a,c\nNaN,d\n-,e\n")
    held = read(write(tmp_path / "b.csv", "x,y\n1,a\nNA,b\n,NA\nn/a,c\nNaN,d\n")).profile()
    assert (held.columns["x"].missing, held.columns["y"].missing) == (4, 1)
    assert read(path).column("x").kind == "text"  # "-" is no number unless told
    assert read(path, missing=["", "NA", "n/a", "NaN", "-"]).column("x").kind == "number"
    assert read(path, missing=[""]).profile(["y"]).columns["y"].missing == 0  # Namibia


def test_null_and_nan_are_both_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql("SELECT unnest([1.0, NULL, 'nan'::DOUBLE, 'inf'::DOUBLE]) AS x").to_parquet(str(path))
    table = read(path)
    held = table.profile(["x"]).columns["x"]
    assert (held.missing, held.infinite, held.mean) == (2, 1, 1.0)
    complete = [v for b in table.batches(["x"], complete=True) for v in b.column(0).to_pylist()]
    assert complete == [1.0, np.inf]


def test_whole_numbers_followed_by_a_fraction_past_the_sample(tmp_path: Path) -> None:
    text = "x\n" + "".join(f"{i}\n" for i in range(60_000)) + "0.5\n"
    assert numbers(read(write(tmp_path / "a.csv", text)), "x")[-1] == 0.5


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    lines = [f"{i},{i / 2}" for i in range(60_000)]
    lines[50_000] = "oops,25000.0"
    return write(tmp_path / "damaged.csv", "x,y\n" + "\n".join(lines) + "\n")


def test_text_in_a_number_column_names_file_line_column_and_text(damaged: Path) -> None:
    with pytest.raises(DataError, match=r"damaged\.csv, line 50,002: column 'x' .* reads 'oops'\."):
        list(read(damaged).batches(["x"]))


def test_bad_rows_are_dropped_and_counted_on_request(damaged: Path) -> None:
    table = read(damaged, bad_rows="drop")
    with pytest.warns(TorchlinearWarning, match=r"left out 1 line .* line 50,002: 'oops,25000.0'"):
        rows = sum(b.num_rows for b in table.batches(["x"]))
    assert rows == 59_999
    assert sum(b.num_rows for b in table.batches(["x"])) == 59_999  # says so once


def test_a_line_with_too_many_fields(tmp_path: Path) -> None:
    lines = [f"{i},{i}" for i in range(60_000)]
    lines[50_000] = "1,2,3"
    path = write(tmp_path / "a.csv", "x,y\n" + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"line 50,002: the line has 3 fields where the others have 2"):
        list(read(path).batches(["x"]))


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("城市,x\n上海,1\n北京,2\n".encode("gbk"))
    with pytest.raises(DataError, match="not UTF-8"):
        list(read(path).batches(["x"]))


def test_csv_files_with_columns_in_another_order(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "x,y\n1,10\n2,20\n")
    write(tmp_path / "2.csv", "y;x\n30;3\n40;4\n")
    table = read(f"{tmp_path}/*.csv")
    assert numbers(table, "x") == [1, 2, 3, 4]
    assert [numbers_of(table, shard) for shard in table.shards()] == [[1, 2], [3, 4]]


def test_a_level_that_was_not_learnt_is_missing_in_a_csv_too(tmp_path: Path) -> None:
    """DuckDB pushes a bare TRY_CAST into the scan of a CSV, which then fails."""
    path = write(tmp_path / "a.csv", "city,x\nParis,1\nRome,2\n")
    for options in ({}, {"bad_rows": "drop"}):
        (batch,) = read(path, **options).batches(["city", "x"], {"city": ["Paris"]})
        assert batch.to_pylist() == [{"city": "Paris", "x": 1.0}, {"city": None, "x": 2.0}]


def numbers_of(table: object, shard: object) -> list[float]:
    return [v for b in table.batches(["x"], shard=shard) for v in b.column(0).to_pylist()]  # type: ignore[attr-defined]


def test_csv_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "x,y\n1,10\n")
    write(tmp_path / "2.csv", "x,z\n3,30\n")
    with pytest.raises(DataError, match=r"1\.csv has no column 'z', which .*2\.csv has"):
        read(f"{tmp_path}/*.csv")


def test_a_column_that_is_empty_in_one_file(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "x,y\n,10\n,20\n")
    write(tmp_path / "2.csv", "x,y\n3,30\n")
    assert numbers(read(f"{tmp_path}/*.csv"), "x") == [None, None, 3.0]


def test_names_with_the_characters_of_patterns(tmp_path: Path) -> None:
    for name in ("a[1].csv", "a*.csv", "b c'd.csv"):
        assert numbers(read(write(tmp_path / name, "x,y\n1,2\n3,4\n")), "x") == [1, 3], name


def test_a_file_without_header(tmp_path: Path) -> None:
    table = read(write(tmp_path / "a.csv", "1,2\n3,4\n"))
    assert (len(table.schema), table.profile().rows) == (2, 2)


def test_one_row(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "x,city\n1,Paris\n")).profile().rows == 1


def test_names_that_sql_might_take_for_others() -> None:
    """Inside, results are called v0, v1; DuckDB lets a WHERE and later columns use such names."""
    table = read(
        "SELECT unnest([1.0, NULL, 3.0]) AS v1, unnest(['a', 'b', NULL]) AS v0, unnest([7, 8, 9]) AS V2"
    )
    (batch,) = table.batches(["v1", "V2", "v0"], {"v0": ["b", "a"]}, complete=True)
    assert batch.to_pylist() == [{"v1": 1.0, "V2": 7.0, "v0": "a"}]
    assert table.levels(["v0", "v1"]) == {"v0": ("a", "b"), "v1": ("1", "3")}
    assert table.profile(["v1"]).columns["v1"].missing == 1


def test_levels_with_quotes_and_line_breaks() -> None:
    levels = tuple(sorted(("", "'", '"', "a\nb", "it''s", "\\", "😀")))
    table = read({"c": list(reversed(levels))})
    assert table.levels(["c"]) == {"c": levels}
    (batch,) = table.batches(["c"], {"c": levels})
    assert batch.column(0).indices.to_pylist() == [6, 5, 4, 3, 2, 1, 0]


def test_a_query_that_ends_in_a_comment_or_is_longer_than_a_path_may_be() -> None:
    assert read("SELECT 1 AS x -- one").names == ("x",)
    assert len(read("SELECT " + ", ".join(f"{j} AS a_long_name_{j}" for j in range(2_000))).names) == 2_000


def test_types_that_become_numbers() -> None:
    table = read(
        "SELECT 1::TINYINT AS a, 2::HUGEINT AS b, 1.25::DECIMAL(9, 2) AS c, 3::FLOAT AS d, true AS e, "
        "4::UBIGINT AS f"
    )
    batch = next(iter(table.batches(table.names)))
    assert batch.to_pylist() == [{"a": 1.0, "b": 2.0, "c": 1.25, "d": 3.0, "e": 1.0, "f": 4.0}]
    assert [str(t) for t in batch.schema.types] == ["double", "double", "double", "float", "double", "double"]


def test_other_types_are_named_as_they_are() -> None:
    table = read(
        "SELECT [1] AS a, {'x': 1} AS b, DATE '2026-01-01' AS c, TIMESTAMP '2026-01-01' AS d, "
        "INTERVAL 1 DAY AS e"
    )
    assert [c.kind for c in table.schema] == ["other", "other", "date", "date", "date"]


def test_a_query_over_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "day,x\n2024-05-01,1\n2025-06-01,2\n")
    table = read(path, query="SELECT x, year(day) AS year FROM data WHERE x > 1;")
    assert [b.to_pylist() for b in table.batches(["x", "year"])] == [[{"x": 2.0, "year": 2025.0}]]


def test_whole_numbers_as_categories_read_the_same_from_any_type() -> None:
    for cast in ("INTEGER", "DOUBLE", "FLOAT", "DECIMAL(9, 3)"):
        table = read(f"SELECT unnest([10, 9, 10, 2])::{cast} AS year")
        assert table.levels(["year"]) == {"year": ("2", "9", "10")}  # by value, not by text
        codes = next(iter(table.batches(["year"], {"year": ("2", "9", "10")}))).column(0)
        assert codes.to_pylist() == ["10", "9", "10", "2"]


def test_a_column_of_names_has_no_levels() -> None:
    table = read(
        f"SELECT 'id' || range AS id, 'g' || (range % 3) AS g, 'x' AS one FROM range({LEVEL_LIMIT + 1})"
    )
    assert table.levels(["g", "id", "one"]) == {"g": ("g0", "g1", "g2"), "id": None, "one": ("x",)}
    assert table.profile().columns["id"].levels is None


class TestRefusals:
    """What stands at the door."""

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("hose.csv", r"there is no file '.*hose\.csv' \(did you mean 'house\.csv'\?\)"),
            ("2*.csv", "no file matches"),
            ("empty.csv", r"empty\.csv is empty \(0 bytes\)"),
            ("header.csv", "has no rows; there is only the header x, y"),
            ("notes.md", "says nothing about its format; known are .csv"),
            ("folder", r"holds no Parquet files\. For its \.csv files give a glob, '.*folder/\*\.csv'"),
            ("void", r"the folder '.*void' holds no Parquet files\.$"),
            ("[hf]*.*", r"matches files of several formats \(csv, json\)"),
        ],
    )  # fmt: skip
    def test_paths(self, tmp_path: Path, name: str, message: str) -> None:
        write(tmp_path / "house.csv", "x,y\n1,2\n")
        write(tmp_path / "empty.csv", "")
        write(tmp_path / "header.csv", "x,y\n")
        write(tmp_path / "notes.md", "text")
        write(tmp_path / "files.json", '[{"x": 1}]')
        (tmp_path / "folder").mkdir()
        (tmp_path / "void").mkdir()
        write(tmp_path / "folder" / "a.csv", "x\n1\n")
        with pytest.raises((InvalidInput, DataError), match=message):
            read(tmp_path / name)

    def test_an_empty_gzipped_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(b""))
        with pytest.raises(DataError, match="has no rows"):
            read(path)

    def test_uri(self) -> None:
        with pytest.raises(InvalidInput, match="is a URI; this version reads local files"):
            read("s3://bucket/a.parquet")

    def test_column(self) -> None:
        with pytest.raises(
            InvalidInput, match=r"no column 'aera' \(did you mean 'area'\?\)\. Its columns: area, x"
        ):
            read("SELECT 1 AS area, 2 AS x").column("aera")

    def test_bad_sql(self) -> None:
        with pytest.raises(DataError, match="the query could not be read: Parser Error"):
            read("SELECT FROM WHERE")

    def test_damaged_parquet(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        path.write_bytes(b"PAR1 this is not a Parquet file PAR1")
        with pytest.raises(DataError, match=r"a\.parquet could not be read"):
            read(path)

    def test_options(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", "x\n1\n")
        with pytest.raises(InvalidInput, match="bad_rows='skip' is not known; it is 'error' or 'drop'"):
            read(path, bad_rows="skip")
        with pytest.raises(InvalidInput, match=r"'separator'.*no such option"):
            read(path, separator=";")
        with pytest.raises(
            InvalidInput, match="memory='much' is no amount of memory; expected such as '500MB'"
        ):
            read(path, memory="much")
        with pytest.raises(InvalidInput, match="the source is a SELECT already"):
            read("SELECT 1 AS x", query="SELECT 2 AS x")


class TestShards:
    """Of Parquet files: whole row groups, small files together."""

    def test_row_ranges_are_multiples_of_row_groups(self) -> None:
        pieces = list(_pieces({"a": [400_000] * 7}))
        assert [(p.start, p.stop) for p in pieces] == [
            (0, 1_200_000),
            (1_200_000, 2_400_000),
            (2_400_000, 2_800_000),
        ]

    def test_small_files_are_gathered_in_order(self) -> None:
        sizes = {"a": [300_000], "b": [800_000], "c": [10], "d": [SHARD_ROWS], "e": [5]}
        assert list(_pieces(sizes)) == [
            Piece(("a", "b")),
            Piece(("c",)),
            Piece(("d",), 0, SHARD_ROWS),
            Piece(("e",)),
        ]

    def test_a_large_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        duckdb.sql("SELECT range AS x FROM range(2_200_000)").to_parquet(str(path), row_group_size=122_880)
        table = Sql(str(path))
        parts = [
            np.concatenate([b.column(0).to_numpy() for b in table.batches(["x"], shard=s)])
            for s in table.shards()
        ]
        assert len(parts) == 2
        assert [len(p) % 122_880 for p in parts[:-1]] == [0]
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(2_200_000.0))
        assert table.n_rows == 2_200_000

    def test_a_folder_by_day(self, tmp_path: Path) -> None:
        duckdb.sql(
            "COPY (SELECT range AS x, range // 10 AS day FROM range(30)) "
            f"TO '{tmp_path}/days' (FORMAT parquet, PARTITION_BY day)"
        )
        table = read(tmp_path / "days")
        assert set(table.names) == {"x", "day"}
        assert table.profile(["day"]).columns["day"].maximum == 2.0
