"""Formulas: the features that formulaic makes of all rows at once, from a stream; learnt once; never code."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import formulaic
import numpy as np
import pandas as pd
import pytest
import torch

from torchlinear.design import Design, formula_learning, streaming
from torchlinear.errors import DataError, InvalidInput, ModelFileError
from torchlinear.sources import read
from torchlinear.sources.base import Table

N = 400

FORMULAS = (
    "y ~ a + b:at + C(city) + poly(x, 2)",
    "y ~ 0 + a + city",
    "y ~ city + flag - 1",
    "log(y) ~ scale(x) + bs(x, df=5) + city:a",
    "y ~ a*city - 1",
    "y ~ `odd name` + at + center(`odd name`)",
    "y ~ C(z, Treatment(2)) + poly(x, 3, raw=True)",
    "y ~ C(city, contr.sum)*x",
    "y ~ C(city, contr.treatment('Paris')) + C(city, contrasts=Helmert):x",
    "y ~ np.log(x) + I(x > 2) + cr(x, 4) + cc(x, df=3)",
    "y ~ 1",
    "y ~ center(log(x)) + standardize(x) + 2:a",
    "y ~ a + city + I(x**3):a",
    "y ~ (a + b + city)**2",
    "y ~ . - at",
    "y ~ {x * a} + I((x + 1) / a) + I(-x)",
    "y ~ x + I(x**2) + {x**4}",
    "y + a ~ x:flag",
    "y ~ np.sqrt(abs(a - b)) + np.maximum(a, b)",
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y": rng.random(N) + 0.1,
            "a": rng.random(N),
            "b": rng.random(N),
            "x": rng.random(N) * 5 + 1,
            "z": rng.integers(1, 4, N),
            "city": rng.choice(["Paris", "Lyon", "上海"], N),
            "odd name": rng.random(N),
            "at": rng.random(N),
            "flag": (rng.random(N) > 0.5).astype(float),
        }
    )


@pytest.fixture(scope="module")
def table(frame: pd.DataFrame) -> Table:
    return read(frame)


def matrix(design: Design, table: Table, *, target: bool = True, part: str = "X") -> np.ndarray:
    rows = design.rows(table, target=target)
    return torch.cat([getattr(b, part).clone() for s in rows.shards() for b in rows.blocks(s)]).numpy()


def truth(formula: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    parsed = formulaic.Formula(formula, _context={"__formulaic_variables_available__": list(frame)})
    made = parsed.get_model_matrix(frame, output="pandas")
    return made.rhs.drop(columns="Intercept", errors="ignore"), made.lhs


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_same_features_as_formulaic_on_all_rows(formula: str, table: Table, frame: pd.DataFrame) -> None:
    design = Design.learn(table, formula=formula)
    right, left = truth(formula, frame)
    np.testing.assert_allclose(matrix(design, table), right.to_numpy(dtype=float), rtol=1e-14, atol=0)
    np.testing.assert_array_equal(matrix(design, table, part="y"), left.to_numpy(dtype=float))
    assert list(design.features.names) == [_from_one(name) for name in right.columns]
    assert list(design.targets.names) == list(left.columns)
    assert design.intercept == ("- 1" not in formula and "0 +" not in formula)


def _from_one(name: str) -> str:
    """formulaic counts the columns of a raw polynomial from 0, those of an orthogonal one from 1."""
    stem, bracket, rest = name.partition("raw=True)[")
    return f"{stem}{bracket}{int(rest[:-1]) + 1}]" if bracket else name


@pytest.mark.parametrize("formula", FORMULAS)
def test_back_from_json_or_pickle_the_same_bits(formula: str, table: Table) -> None:
    design = Design.learn(table, formula=formula)
    for copy in (
        Design.from_dict(json.loads(json.dumps(design.to_dict()))),
        pickle.loads(pickle.dumps(design)),
    ):
        assert copy == design
        assert copy.features.names == design.features.names
        np.testing.assert_array_equal(matrix(copy, table), matrix(design, table))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_part_of_the_rows_gives_that_part_of_the_features(
    formula: str, table: Table, frame: pd.DataFrame
) -> None:
    design = Design.learn(table, formula=formula)
    part = read(frame.iloc[[7, 3, 200]].drop(columns="y"))
    if "y + a" in formula:
        part = read(frame.iloc[[7, 3, 200]])
    np.testing.assert_array_equal(matrix(design, part, target=False), matrix(design, table)[[7, 3, 200]])


def test_orthogonal_polynomials_are_those_of_r(table: Table, frame: pd.DataFrame) -> None:
    """R takes them from the QR of the centred powers."""
    x = frame["x"].to_numpy()
    Q, R = np.linalg.qr(np.vander(x - x.mean(), 4, increasing=True))
    X = matrix(Design.learn(table, formula="y ~ poly(x, 3)"), table)
    np.testing.assert_allclose(X, (Q * np.sign(np.diag(R)))[:, 1:], atol=1e-14)


def test_a_square_is_a_square(table: Table, frame: pd.DataFrame) -> None:
    """Not x crossed with itself, which is x."""
    for formula in ("y ~ x + x**2", "y ~ x + x^2", "y ~ x+x ** 2"):
        design = Design.learn(table, formula=formula)
        assert design.features.names == ("x", "I(x ** 2)")
        np.testing.assert_array_equal(matrix(design, table)[:, 1], frame["x"] ** 2)
    assert Design.learn(table, formula="y ~ a + `odd name`**3").features.names == ("a", "I(`odd name` ** 3)")


def test_plain_formulas_are_plain_columns(table: Table) -> None:
    by_formula = Design.learn(table, formula="y ~ a + city + z")
    by_columns = Design.learn(table, target="y", columns=["a", "city", "z"])
    assert by_formula.features == by_columns.features
    assert by_formula.safe


def test_intercept_false_is_minus_one(table: Table) -> None:
    one = Design.learn(table, formula="y ~ C(city) + a", intercept=False)
    assert one.features.names == ("C(city)[Lyon]", "C(city)[Paris]", "C(city)[上海]", "a")
    assert not one.intercept
    assert one.features.names == Design.learn(table, formula="y ~ C(city) + a - 1").features.names


def test_target_beside_a_formula_of_features(table: Table) -> None:
    assert Design.learn(table, formula="~ a + b", target="y").targets.names == ("y",)


@pytest.fixture(scope="module")
def gaps(frame: pd.DataFrame) -> Table:
    holed = frame.copy()
    holed.loc[[3, 30], "x"] = np.nan
    holed.loc[5, "city"] = None
    return read(holed)


def test_booleans_are_0_and_1(frame: pd.DataFrame) -> None:
    new = frame.assign(flag=frame["flag"] > 0)
    for formula in ("y ~ flag", "y ~ flag:a + flag"):
        design = Design.learn(read(new), formula=formula)
        assert design.features.names == tuple(truth(formula, frame)[0].columns)
        np.testing.assert_array_equal(matrix(design, read(new)), truth(formula, frame)[0])


def test_the_dot_stands_for_neither_target_nor_weights(table: Table) -> None:
    design = Design.learn(table, formula="log(y) ~ . - city + I(a > 0.5)", weights="b")
    assert design.features.names == ("a", "x", "z", "odd name", "at", "flag", "I(a > 0.5)")


class TestMissing:
    """Gaps: the same three ways as with plain columns."""

    def test_error(self, gaps: Table) -> None:
        design = Design.learn(gaps, formula="y ~ bs(x, df=4) + C(city)")
        with pytest.raises(DataError, match=r"missing values: x: 2, city: 1 of 400 rows"):
            matrix(design, gaps)

    def test_drop_learns_and_reads_complete_rows(self, gaps: Table, frame: pd.DataFrame) -> None:
        formula = "y ~ scale(x) + C(city) + poly(x, 2)"
        design = Design.learn(gaps, formula=formula, missing="drop")
        right, _ = truth(formula, frame.drop(index=[3, 5, 30]))
        np.testing.assert_allclose(matrix(design, gaps), right.to_numpy(dtype=float), rtol=1e-13)

    def test_mean_fills_in_before_the_transform(self, gaps: Table, frame: pd.DataFrame) -> None:
        filled = frame.copy()
        filled.loc[[3, 30], "x"] = frame["x"].drop(index=[3, 30]).mean()
        design = Design.learn(gaps, formula="y ~ log(x) + center(x)", missing="mean")
        right, _ = truth("y ~ log(x) + center(x)", filled)
        np.testing.assert_allclose(matrix(design, gaps), right.to_numpy(), rtol=1e-12, atol=1e-15)

    def test_rows_that_cannot_be_predicted_are_nan(self, table: Table) -> None:
        design = Design.learn(table, formula="y ~ bs(x, df=4) + city:a + C(z) + log(b)")
        row: dict[str, list[Any]] = {"x": [2.0], "city": ["Lyon"], "a": [1.0], "z": [1.0], "b": [0.5]}
        spoilt = [
            ("x", np.nan),
            ("x", 99.0),
            ("city", "Rome"),
            ("city", None),
            ("a", None),
            ("z", 9.0),
            ("b", 0.0),
        ]
        for column, value in spoilt:
            for name in row:
                row[name].append(value if name == column else row[name][0])
        X = matrix(design, read(row), target=False)
        assert np.isfinite(X[0]).all()
        assert np.isnan(X[1:]).all()
        assert len(X) == 1 + len(spoilt)

    def test_a_logarithm_of_zero_is_named(self, frame: pd.DataFrame) -> None:
        table = read(frame.assign(a=frame["a"].where(frame.index > 2, 0.0)))
        with pytest.raises(DataError, match=r"log\(a\) is not a finite number, in 3 of 400 rows"):
            matrix(Design.learn(table, formula="y ~ log(a)"), table)
        with pytest.raises(DataError, match=r"log\(a\) is not a finite number, in 3"):
            matrix(Design.learn(table, formula="log(a) ~ x"), table)


class TestManyRows:
    """More rows than are learnt from."""

    @pytest.fixture
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formula_learning, "LEARNING_ROWS", 50)
        monkeypatch.setattr(streaming, "block_rows", lambda p: 64)  # blocks of 64 rows

    @pytest.mark.usefixtures("few")
    @pytest.mark.parametrize(
        "formula",
        ["y ~ scale(x) + center(a) + standardize(b)", "y ~ bs(x) + C(city):x", "y ~ cr(x, knots=[2, 3])"],
    )
    def test_facts_from_sql_are_exact(self, formula: str, table: Table, frame: pd.DataFrame) -> None:
        right, _ = truth(formula, frame)
        X = matrix(Design.learn(table, formula=formula), table)
        np.testing.assert_allclose(X, right.to_numpy(dtype=float), rtol=1e-12, atol=1e-13)

    @pytest.mark.usefixtures("few")
    def test_knots_and_polynomials_of_a_sample_span_the_same_fit(
        self, table: Table, frame: pd.DataFrame
    ) -> None:
        y = frame["y"].to_numpy()
        for formula, within in (("y ~ poly(x, 3)", 1e-12), ("y ~ bs(x, df=6)", 0.05)):
            fits = []
            for X in (
                matrix(Design.learn(table, formula=formula), table),
                truth(formula, frame)[0].to_numpy(),
            ):
                A = np.column_stack([np.ones(N), X])
                fits.append(A @ np.linalg.lstsq(A, y, rcond=None)[0])
            assert np.abs(fits[0] - fits[1]).max() < within

    @pytest.mark.usefixtures("few")
    def test_learning_does_not_depend_on_the_source(self, frame: pd.DataFrame, tmp_path: Path) -> None:
        frame.to_parquet(tmp_path / "a.parquet")
        formula = "y ~ bs(x, df=6) + poly(a, 3) + scale(b)"
        one, other = (Design.learn(read(d), formula=formula) for d in (frame, tmp_path / "a.parquet"))
        assert one.features.to_dict() == other.features.to_dict()


class TestRefusals:
    """A formula that is none, that names what is not there, or that would run code."""

    @pytest.mark.parametrize(
        ("formula", "message"),
        [
            ("y ~ aa", r"no column 'aa' \(did you mean 'a'\?\)\. Its columns: y, a,"),
            ("y ~ poly(xx, 2)", "no column 'xx'"),
            ("y ~ `odd nam`", r"no column 'odd nam' \(did you mean 'odd name'\?\)"),
            (
                "y ~ a + lg(x)",
                r"lg\(\) is not a function of formulas \(did you mean 'log'\?\)\. Known: C, I, abs",
            ),
            ("y ~ hashed(city)", "is not a function of formulas"),
            ("y ~ lag(x)", "is not a function of formulas"),
            ("y ~ x | a", "has several parts"),
            ("y ~ a +", r"cannot be read: Operator `\+`"),
            ("y ~ log(x", "cannot be read"),
            ("y ~ x + y", "'y' is the target and also a feature"),
            ("log(y) ~ I(y + 1)", "'y' is the target and also a feature"),
            ("~ x", "target is missing"),
            ("city ~ x", "target: column 'city' is text"),
            ("C(city) ~ x", "the target is a category"),
            ("y ~ log(city)", "column 'city' is text"),
            ("y ~ C(z) + z", "'z' is a category in C\\(\\) and a number elsewhere"),
            ("y ~ C(z + 1)", "write C\\(column\\)"),
            ("y ~ C(city, levels=['Lyon'])", "write C\\(column\\), or C\\(column, Treatment"),
            (
                "y ~ C(city, Treatment('Rome'))",
                "'city' has no level 'Rome'. Its levels: 'Lyon', 'Paris', '上海'",
            ),
            ("y ~ C(z, Treatment(9))", "'z' has no level 9. Its levels: 1, 2, 3"),
            ("y ~ bs(x, df=1)", "formula cannot be evaluated: .*must be greater than 3"),
        ],
    )
    def test_sentences(self, table: Table, formula: str, message: str) -> None:
        with pytest.raises((InvalidInput, DataError), match=message):
            Design.learn(table, formula=formula)

    def test_two_targets(self, table: Table) -> None:
        with pytest.raises(InvalidInput, match="names the target, and so does target='a'"):
            Design.learn(table, formula="y ~ x", target="a")

    def test_a_column_that_hides_a_function(self, frame: pd.DataFrame) -> None:
        with pytest.raises(InvalidInput, match=r"'log' is a column here, so the function log\(\) is hidden"):
            Design.learn(read(frame.rename(columns={"a": "log"})), formula="y ~ log + log(x)")

    def test_dates(self, frame: pd.DataFrame) -> None:
        with pytest.raises(DataError, match="'day' is a TIMESTAMP"):
            Design.learn(read(frame.assign(day=pd.Timestamp("2026-01-01"))), formula="y ~ x + day")


ATTACKS: Sequence[str] = (
    "{__import__('pathlib').Path(MARK).touch()}",
    "I(__import__('pathlib').Path(MARK).touch())",
    "I((lambda: __import__('pathlib').Path(MARK).touch())())",
    "poly(x, __import__('pathlib').Path(MARK).touch())",
    "C(x, __import__('pathlib').Path(MARK).touch())",
    "C(x, contrasts=Treatment(__import__('pathlib').Path(MARK).touch()))",
    "np.fromfile(MARK)",
    "np.save(MARK, x)",
    "I(x.tofile(MARK))",
    "I([c for c in ().__class__.__base__.__subclasses__()])",
    "I(x if open(MARK, 'w') else x)",
    "log(x, open(MARK, 'w'))",
    "log(x, out=open(MARK, 'w'))",
    "I(f\"{open(MARK, 'w')}\")",
    "I(9**9**9**9)",
    "I((y := open(MARK, 'w')))",
    "Q(open(MARK, 'w'))",
)


@pytest.mark.parametrize("term", ATTACKS)
def test_a_formula_runs_no_code(term: str, table: Table, tmp_path: Path) -> None:
    """Neither from a user nor, above all, from a file."""
    mark = tmp_path / "mark"
    text = f"y ~ x + {term}".replace("MARK", repr(str(mark)))
    with pytest.raises(InvalidInput):
        Design.learn(table, formula=text)
    document = Design.learn(table, formula="y ~ x + I(x**2)").to_dict()
    document["features"]["text"] = text
    with pytest.raises(ModelFileError):
        Design.from_dict(document)
    assert not mark.exists()


def test_a_file_whose_state_is_not_that_of_its_formula(table: Table) -> None:
    document = json.loads(json.dumps(Design.learn(table, formula="y ~ bs(x, df=5)").to_dict()))
    for state in ({"pairs": 3}, 7, {"pairs": [["bs(x, df=5)", "text"]]}, {"pairs": [[["a"], 1]]}):
        document["features"]["state"] = state
        with pytest.raises(ModelFileError):
            Design.from_dict(document)
