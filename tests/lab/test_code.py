"""The programs that the page shows run as they are, and end where the run ended."""

import contextlib
import io
import re

import numpy as np
import pytest
import torch

from torchlinear.lab import files, origins
from torchlinear.lab.code import program
from torchlinear.lab.plan import SOLVERS, Plan
from torchlinear.lab.safety import Refused
from torchlinear.lab.stage import Stage

# Both sides compute in float64; the trajectory of torch.optim is followed to rounding.
SAME = 1e-9
# Of ways to an optimum that differ in their last digits.
OPTIMUM = 1e-6
EPOCHS = 15


def executed(text: str) -> dict:
    """Run a program as it stands; what it defined."""
    found: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(text, "shown", "exec"), found)
    assert out.getvalue()
    return found


def stage(data, *solvers: str, **more) -> Stage:
    body = {
        "target": data.target,
        "features": list(data.features),
        "loss": data.column(data.target).losses[0],
        "epochs": EPOCHS,
        "seed": 7,
        "runners": [{"solver": solver} for solver in solvers or SOLVERS],
    }
    return Stage.of(Plan.of(body | more, data))


def objective(shown: Stage, coef: torch.Tensor) -> float:
    """Mean loss and penalty."""
    X, y, plan = shown.numbers.X, shown.numbers.y[:, None], shown.plan
    value = float(shown.loss.value(X @ coef[:-1] + coef[-1], y).mean())
    price = coef[:-1].abs().sum() if plan.penalty == "l1" else coef[:-1].square().sum() / 2
    return value + plan.strength * float(price)


def compared(shown: Stage, runner: str | None = None) -> None:
    """Both programs end at the same coefficients, and at those of the run itself."""
    from torchlinear.racing.race import race

    code = program(shown, runner)
    loops = executed(code["torch"])["found"]
    done = race(
        shown.numbers.X, shown.numbers.y, solvers=[racer.entry.solver for racer in shown.running], loss=shown.loss,
        penalty=shown.penalty, epochs=shown.plan.epochs, seed=shown.plan.seed, start=shown.start,
    )  # fmt: skip
    ends = dict(zip((racer.entrant.id for racer in shown.running), done.runners))
    if runner is None:
        assert list(loops) == list(ends)
        called = executed(code["torchlinear"])["race"].runners
        for mine, theirs in zip(ends.values(), called):
            torch.testing.assert_close(
                theirs.coef[-1],
                mine.coef[-1],
                rtol=0,
                atol=0,
                msg=lambda text, mine=mine: f"{mine.name}: {text}",
            )
    for name, coef in loops.items():
        end = ends[name].coef[-1]
        optimum = not SOLVERS[name.split("-")[0]].descends
        if optimum and shown.plan.loss == "softmax":  # a class may take what another gives, at no price
            least = objective(shown, shown.best)
            assert objective(shown, coef) == pytest.approx(least, rel=SAME)
            assert objective(shown, end) >= least * (1 - SAME)  # L-BFGS may need more epochs than the run has
            continue
        end = shown.best if optimum else end
        tolerance = (OPTIMUM if optimum else SAME) * float(end.abs().max())
        torch.testing.assert_close(
            coef, end, rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


LINE = {"kind": "maker", "n": 40, "features": 3, "noise": 0.4, "collinearity": 0.3, "seed": 11}
AWAY = {
    "start": [[0.3], [-0.2], [1.0], [0.5]]
}  # where no slope is 0 by symmetry, which rounding would decide


@pytest.mark.parametrize("penalty", ["none", "l1", "l2"])
@pytest.mark.parametrize("standardize", [False, True])
def test_squared_loss(penalty: str, standardize: bool) -> None:
    data = origins.made(LINE)
    compared(stage(data, penalty={"kind": penalty, "strength": 0.2}, standardize=standardize, **AWAY))


@pytest.mark.parametrize("penalty", ["none", "l1", "l2"])
def test_huber_loss(penalty: str) -> None:
    data = origins.made(LINE | {"outliers": 0.1})
    compared(stage(data, loss="huber", delta=0.8, penalty={"kind": penalty, "strength": 0.05}, **AWAY))


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_two_classes_of_a_real_set(loss: str, penalty: str) -> None:
    data = origins.builtin("breast_cancer")
    features = ["mean radius", "mean texture", "mean smoothness"]
    start = AWAY["start"] if loss == "logistic" else [[row[0], -2 * row[0]] for row in AWAY["start"]]
    shrunk = {"kind": penalty, "strength": 0.02}
    compared(
        stage(data, loss=loss, features=features, standardize=True, penalty=shrunk, start=start, epochs=4)
    )


def test_three_classes_of_a_real_set() -> None:
    data = origins.builtin("iris")
    start = (np.arange(15).reshape(5, 3) % 4 / 3 - 0.4).tolist()
    compared(stage(data, penalty={"kind": "l2", "strength": 0.1}, start=start, epochs=4))


def test_the_tutorial_with_rates_batches_and_momentum_of_ones_own() -> None:
    runners = [
        {"solver": "bgd", "lr": 0.3, "momentum": 0.5},
        {"solver": "sgd", "lr": 0.05, "batch_size": 7},
        {"solver": "mbgd", "lr": 0.1, "batch_size": 50},
        {"solver": "mbgd", "lr": 0.1, "batch_size": 49, "momentum": 0.3},
        {"solver": "adam", "lr": 0.1, "batch_size": 10},
        {"solver": "rmsprop", "lr": 0.01, "batch_size": 1, "momentum": 0.9},
        {"solver": "adagrad", "lr": 0.5, "batch_size": 13},
    ]
    compared(stage(origins.tutorial(), runners=runners, seed=123))
    compared(stage(origins.tutorial(), runners=runners, seed=123, penalty={"kind": "l1", "strength": 0.3}))


def test_points_of_the_mouse(rng) -> None:
    x, y = rng.normal(size=9).tolist(), rng.normal(size=9).tolist()
    compared(stage(origins.points(x, y), start=[[2.0], [-1.0]]))


@pytest.mark.parametrize("runner", SOLVERS)
def test_one_runner_alone(runner: str) -> None:
    shown = stage(origins.made(LINE), **AWAY)
    compared(shown, runner)
    alone = program(shown, runner)
    assert f'found["{runner}"]' in alone["torch"]
    assert alone["torch"].count("found[") == 1
    executed(alone["torchlinear"])


CSV = b"""area;city;sold;note;price
50;Lyon;true;a;200.5
80;Nice;false;b;310
;Lyon;true;c;99
120.5;Paris;false;d;500
70;Paris;true;e;260
95;Nice;true;f;
44;Lyon;false;g;180
61;Nice;true;h;240
"""


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_uploaded_file_is_read_by_its_name(tmp_path, monkeypatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "our houses.csv").write_bytes(CSV)
    if kind == "parquet":
        import pandas

        pandas.read_csv("our houses.csv", sep=";").to_parquet("our houses.parquet")
    name = f"our houses.{kind}"
    data = files.read_file(tmp_path / name, name)
    assert repr(name) in data.origin.lines
    compared(stage(data, target="price", features=["area", "sold"], loss="squared", standardize=True))
    ridge = {"penalty": {"kind": "l2", "strength": 0.1}, "standardize": True}
    compared(stage(data, "bgd", "adam", "exact", target="price", features=["city", "area"], loss="squared"))
    compared(stage(data, "bgd", "exact", target="sold", features=["area", "city"], loss="logistic", **ridge))
    compared(stage(data, "bgd", "exact", target="city", features=["area", "price"], loss="softmax", **ridge))
    compared(stage(data, "bgd", "exact", target="sold", features=["area"], loss="logistic", **ridge))


def test_a_name_cannot_smuggle_code_into_the_programs(tmp_path) -> None:
    name = """a'); raise SystemExit("b" #.csv"""
    path = tmp_path / "a.csv"
    path.write_text('"x\'] + [""","y\n1,2\n2,3\n3,5\n' if False else "x'],y\"\n1,2\n2,3\n3,5\n")
    data = files.read_file(path, files.checked_name(name))
    shown = stage(data, "bgd", "exact")
    import ast

    for text in (program(shown)["torch"], program(shown)["torchlinear"]):
        strings = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        assert name in strings
        assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)]


def test_an_unknown_runner_is_refused() -> None:
    with pytest.raises(Refused, match="no such runner"):
        program(stage(origins.tutorial(), "bgd"), "adam")


def test_programs_are_readable() -> None:
    for kind in (origins.tutorial(), origins.made(LINE)):
        code = program(stage(kind))
        for text in (code["torch"], code["torchlinear"]):
            assert max(map(len, text.splitlines())) <= 120
            assert not re.search(r"[^\x00-\x7f]", text)
