"""Data sets hold what their programs make, and what their files hold."""

import io

import formulaic
import numpy as np
import pandas as pd
import pytest
import torch

from torchlinear.commands.scenes.tutorial import points as tutorial_points
from torchlinear.lab import files, origins
from torchlinear.lab.data import MOST_LEVELS, MOST_POINTS
from torchlinear.lab.safety import Refused
from torchlinear.lab.server import Lab

from .conftest import listening

HOUSES = b"""area,rooms,city,sold,built
50,2,Lyon,true,1999-01-01
80,3,Nice,false,2004-05-06
,4,Lyon,true,2010-12-31
120.5,5,Paris,false,1970-01-01
"""


def namespace(origin) -> dict:
    found = {"torch": torch}
    exec("\n".join([*origin.imports, origin.lines]), found)
    return found


def test_the_tutorial_is_that_of_the_demo() -> None:
    x, y = tutorial_points()
    data = origins.tutorial()
    assert np.array_equal(data.columns["x"].values, x[:, 0].double().numpy())
    np.testing.assert_allclose(data.columns["y"].values, y[:, 0], rtol=1e-6)  # float32 there


def test_a_made_data_set_is_what_its_program_makes(rng) -> None:
    for _ in range(20):
        body = {
            "n": int(rng.integers(2, 60)), "features": int(rng.integers(1, 6)), "slope": rng.normal(),
            "intercept": rng.normal(), "noise": rng.exponential(), "outliers": rng.choice([0.0, rng.uniform(0, 0.5)]),
            "collinearity": rng.choice([0.0, rng.uniform(0, 0.999)]), "scale": rng.choice([1.0, rng.exponential()]),
            "seed": int(rng.integers(1000)),
        }  # fmt: skip
        data = origins.made({name: float(v) if isinstance(v, np.floating) else v for name, v in body.items()})
        made = namespace(data.origin)["data"]
        assert list(made) == list(data.columns)
        for name, values in made.items():
            assert np.array_equal(values.numpy(), data.columns[name].values)


def test_collinearity_and_scale_are_what_was_asked_for() -> None:
    data = origins.made({"n": 20_000, "features": 3, "collinearity": 0.9, "scale": 100.0, "noise": 0.0})
    X = np.stack([data.columns[name].values for name in ("x0", "x1", "x2")])
    between = np.corrcoef(X)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(between, 0.9, atol=0.02)  # of 20,000 rows
    assert X[2].std() / X[0].std() == pytest.approx(100.0, rel=0.05)


@pytest.mark.parametrize("name", origins.BUILTIN)
def test_a_builtin_set_is_what_its_program_loads(name: str) -> None:
    known, data = origins.BUILTIN[name], origins.builtin(name)
    assert (data.n_rows, len(data.columns)) == (known.rows, known.columns)
    frame = namespace(data.origin)["data"]
    for column in frame:
        assert np.array_equal(frame[column].to_numpy(dtype=float), data.columns[column].values)


def test_classes_of_builtin_sets_have_their_names(site) -> None:
    data = site.data(kind="builtin", name="iris")
    target = data["columns"][-1]
    assert target["levels"] == ["setosa", "versicolor", "virginica"]
    assert target["losses"] == ["softmax"]
    assert data["loss"] == "softmax"
    assert site.data(kind="builtin", name="breast_cancer")["columns"][-1]["losses"] == ["logistic", "softmax"]


def test_points_of_the_mouse_come_back_as_they_were_set(site, rng) -> None:
    x, y = rng.normal(size=7).tolist(), rng.normal(size=7).tolist()
    data = site.data(kind="points", x=x, y=y)
    assert (data["points"]["x"], data["points"]["y"]) == (x, y)
    assert data["editable"]
    made = namespace(origins.points(x, y).origin)["data"]
    assert (made["x"].tolist(), made["y"].tolist()) == (x, y)


def test_points_on_a_level_line_are_data_too(site) -> None:
    data = site.data(kind="points", x=[1, 2, 4], y=[3, 3, 3])
    assert (data["target"], data["features"]) == ("y", ["x"])
    optimum = site.events(site.run(data))[0][1]["optimum"]
    assert optimum["coef"] == pytest.approx([0.0, 3.0], abs=1e-12)


def test_an_uploaded_table_is_described_as_pandas_sees_it(site) -> None:
    answer = site.upload("houses.csv", HOUSES).json
    frame = pd.read_csv(io.BytesIO(HOUSES))
    columns = {column["name"]: column for column in answer["columns"]}
    assert list(columns) == list(frame)
    assert [column["kind"] for column in columns.values()] == ["number", "number", "label", "number", "other"]
    area = columns["area"]
    assert area["missing"] == 1
    assert [area["min"], area["max"], area["mean"]] == pytest.approx(
        [frame.area.min(), frame.area.max(), frame.area.mean()]
    )
    assert area["sd"] == pytest.approx(frame.area.std(ddof=0))
    assert columns["city"]["levels"] == ["Lyon", "Nice", "Paris"]
    assert columns["sold"]["losses"] == ["squared", "huber", "logistic", "softmax"]
    assert columns["built"]["losses"] == []


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_is_found_and_named_in_the_program(tmp_path, monkeypatch, separator: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "table.csv"
    path.write_text(f"a{separator}b b\n1.5{separator}2\n3{separator}4\n5{separator}7\n")
    data = files.read_file(path, "table.csv")
    frame = namespace(data.origin)["data"]
    for name in ("a", "b b"):
        assert frame[name].tolist() == data.columns[name].values.tolist()


def test_parquet_and_csv_are_the_same_data(tmp_path) -> None:
    frame = pd.read_csv(io.BytesIO(HOUSES))
    frame.to_parquet(tmp_path / "houses.parquet")
    (tmp_path / "houses.csv").write_bytes(HOUSES)
    one, other = (files.read_file(tmp_path / name, name) for name in ("houses.csv", "houses.parquet"))
    for name in ("area", "rooms", "city", "sold"):
        np.testing.assert_array_equal(one.columns[name].values, other.columns[name].values)
        assert one.columns[name].levels == other.columns[name].levels


@pytest.mark.parametrize(
    ("name", "content", "status", "sentence"),
    [
        ("a.csv", b"", 422, "a.csv is empty"),
        ("a.csv", b"x\n1\n2\n", 422, "no column to explain by another"),
        ("a.csv", b"x,y\na,b\na,d\n", 422, "no column to explain by another"),
        ("a.xlsx", b"PK", 422, "save the table as CSV or Parquet"),
        ("a.parquet", b"PAR1 nothing else", 422, "a.parquet"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_sentence_with_its_name(
    site, name, content, status, sentence
) -> None:
    answer = site.upload(name, content)
    assert answer.status == status
    assert sentence in answer.error
    assert "torchlinear-" not in answer.error  # the folder that it lay in
    assert "upload." not in answer.error


def test_a_table_of_too_many_numbers_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "MOST_NUMBERS", 10)
    monkeypatch.setattr(files, "_values", None)
    (tmp_path / "a.csv").write_bytes(HOUSES)
    with pytest.raises(Refused, match="4 rows of 5 columns; the lab takes at most 10 numbers") as error:
        files.read_file(tmp_path / "a.csv", "a.csv")
    assert error.value.status == 413


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch) -> None:
    rows = files.MOST_NUMBERS // 2 + 1
    frame = pd.DataFrame({"x": np.zeros(rows, dtype=np.int8), "y": np.ones(rows, dtype=np.int8)})
    frame.to_parquet(tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000

    def unpacked(*_args, **_options):
        raise AssertionError("it was unpacked")

    monkeypatch.setattr("torchlinear.sources.query.profile", unpacked)
    with pytest.raises(
        Refused, match="10,000,001 rows of 2 columns; the lab takes at most 20,000,000 numbers"
    ):
        files.read_file(tmp_path / "bomb.parquet", "bomb.parquet")


def test_a_text_of_gigabytes_in_a_small_file_is_refused_in_a_sentence(tmp_path, monkeypatch) -> None:
    text = pd.Series(["a" * 30_000_000, "b" * 30_000_000] * 8)
    frame = pd.DataFrame({"text": text, "x": np.arange(16.0), "y": np.arange(16.0)})
    frame.to_parquet(tmp_path / "long.parquet", compression="zstd")
    assert (tmp_path / "long.parquet").stat().st_size < 100_000
    monkeypatch.setattr(files, "MEMORY", "50MB")
    with pytest.raises(Refused, match=r"long.parquet: reading needs more than the memory allowed"):
        files.read_file(tmp_path / "long.parquet", "long.parquet")


def test_too_many_columns_are_refused_before_they_are_looked_at(tmp_path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(
        "\n".join(",".join(f"{row}{column}" for column in range(2_001)) for row in ("c", "1", "2"))
    )
    with pytest.raises(
        Refused, match=r"2,001 columns; the lab takes at most 2,000\. Leave some out."
    ) as error:
        files.read_file(path, "wide.csv")
    assert error.value.status == 413


def test_the_data_set_of_the_start_is_kept_once_however_often_the_page_is_opened() -> None:
    lab = Lab(origins.tutorial())
    for site in listening(lab):
        names = {site.ask("GET", "api/session").json["data"]["id"] for _ in range(5)}
        assert len(names) == len(list(lab.sets)) == 1
        assert site.events(site.run(site.ask("GET", "api/session").json["data"]))[-1][0] == "end"


def test_many_points_are_thinned_evenly(site) -> None:
    data = site.data(kind="maker", n=50_000)
    points = data["points"]
    assert points["total"] == 50_000
    assert MOST_POINTS / 2 < len(points["x"]) == len(points["y"]) <= MOST_POINTS
    assert not data["editable"]


def test_points_of_another_pair_of_columns(site) -> None:
    data = site.data(kind="builtin", name="wine")
    answer = site.ask("POST", "api/points", {"data": data["id"], "target": "ash", "feature": "hue"})
    wine = origins.builtin("wine")
    assert answer.json["x"] == wine.columns["hue"].values.tolist()
    assert answer.json["y"] == wine.columns["ash"].values.tolist()
    wrong = site.ask("POST", "api/points", {"data": data["id"], "target": "ash", "feature": "colour"})
    assert (wrong.status, "no column 'colour'" in wrong.error) == (400, True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "kind is None; expected one of tutorial, maker, builtin, points."),
        ({"kind": "builtin", "name": "../iris"}, "name is '../iris'; expected one of"),
        ({"kind": "builtin"}, "name is None"),
        ({"kind": "maker", "n": 1}, "n is 1; expected a whole number from 2 to 100000."),
        ({"kind": "maker", "n": 2.5}, "n is 2.5"),
        ({"kind": "maker", "n": True}, "n is True"),
        ({"kind": "maker", "noise": "loud"}, "noise is 'loud'; expected a number from 0 to 1e+06."),
        ({"kind": "maker", "noise": 10**400}, "noise is "),
        ({"kind": "maker", "collinearity": 1}, "collinearity is 1"),
        ({"kind": "points", "x": [1, 2], "y": [1]}, "y holds 1 numbers"),
        ({"kind": "points", "x": [1, 2], "y": [1, None]}, "y is [1, None]; expected a list of numbers."),
        ({"kind": "points", "x": [0] * 2001, "y": [0] * 2001}, "expected 2 to 2000"),
    ],
)
def test_a_wish_that_makes_no_data_gets_one_sentence(site, body, sentence: str) -> None:
    answer = site.ask("POST", "api/data", body)
    assert answer.status in (400, 422)
    assert sentence in answer.error


def test_nan_in_a_request_is_no_number(site) -> None:
    answer = site.ask("POST", "api/data", b'{"kind": "maker", "noise": NaN}')
    assert (answer.status, "noise is nan" in answer.error) == (400, True)


def test_labels_are_coded_as_formulaic_codes_them(tmp_path) -> None:
    (tmp_path / "houses.csv").write_bytes(HOUSES)
    data = files.read_file(tmp_path / "houses.csv", "houses.csv")
    city = data.columns["city"]
    expected = formulaic.model_matrix("city", pd.read_csv(tmp_path / "houses.csv")).iloc[:, 1:]
    assert city.terms == tuple(expected.columns) == ("city[T.Nice]", "city[T.Paris]")
    for name in city.terms:
        assert data.term(name).values.tolist() == expected[name].tolist()
    assert data.describe("x")["columns"][2]["terms"] == city.terms
    assert data.columns["area"].terms == ("area",)
    assert data.columns["built"].terms == ()


def test_a_missing_label_is_missing_in_every_indicator(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("c,y\nb,1\n,2\na,3\n")
    data = files.read_file(tmp_path / "a.csv", "a.csv")
    np.testing.assert_array_equal(data.term("c[T.b]").values, [1.0, np.nan, 0.0])


def test_labels_explain_where_there_are_no_numbers(site) -> None:
    answer = site.upload("a.csv", b"city,kind,y\nParis,a,1\nNice,b,2\nNice,a,3\nParis,b,4\n").json
    assert (answer["target"], answer["features"]) == ("y", ["city", "kind"])
    assert answer["points"]["feature"] == "city[T.Paris]"
    assert answer["points"]["x"] == [1.0, 0.0, 0.0, 1.0]
    assert not answer["editable"]
    points = {"data": answer["id"], "target": "y", "feature": "kind[T.b]"}
    assert site.ask("POST", "api/points", points).json["x"] == [0.0, 1.0, 0.0, 1.0]


def test_more_labels_than_classes_are_names(tmp_path) -> None:
    rows = "\n".join(f"{i},{i * i},name{i}" for i in range(MOST_LEVELS + 1))
    (tmp_path / "a.csv").write_text(f"a,b,c\n{rows}\n")
    assert files.read_file(tmp_path / "a.csv", "a.csv").columns["c"].kind == "other"


def test_the_session_says_what_there_is(site) -> None:
    session = site.ask("GET", "api/session").json
    assert session["limits"]["upload"] == 200_000
    assert {entry["name"] for entry in session["builtin"]} == set(origins.BUILTIN)
    assert {"bgd", "sgd", "mbgd", "adagrad", "adam", "exact"} <= {
        entry["name"] for entry in session["solvers"]
    }
    assert all(entry["sentence"] for entry in (*session["solvers"], *session["losses"]))
