"""The demo: its numbers are those of PyTorch, its programs run, its pictures appear."""

import os
import re
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread
from torch import nn, optim

from torchlinear.commands.scenes import classes, code, race, step
from torchlinear.commands.scenes.board import sparkline

EPOCHS = 400


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred epochs instead of thirty thousand."""
    whole = race.show
    monkeypatch.setattr(race, "show", lambda output, as_json: whole(output, as_json=as_json, epochs=EPOCHS))


def by_hand(epochs: int) -> tuple[float, float, float]:
    """Slope, intercept and last loss of the tutorial's loop, written out with PyTorch."""
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    y = 3 * x + 0.8
    model, criterion = nn.Linear(1, 1), nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.weight.item(), model.bias.item(), loss.item()


@pytest.mark.usefixtures("short")
def test_the_race_agrees_with_pytorch(run) -> None:
    shown = run("demo", "--json").json
    slope, start, loss = by_hand(EPOCHS)
    bgd, exact, eager = shown["algorithms"][0], shown["algorithms"][-1], shown["pytorch"]
    for lane in (bgd, eager):
        # The loop's float32 sums differ from ours in float64 by less than a millionth.
        assert [lane["slope"], lane["intercept"]] == pytest.approx([slope, start], abs=1e-6)
    assert bgd["loss"] == pytest.approx(loss, abs=1e-6)
    assert [exact["slope"], exact["intercept"]] == pytest.approx([3.0, 0.8], abs=1e-6)
    assert [lane["name"] for lane in shown["algorithms"]] == [
        "BGD",
        "SGD",
        "MBGD",
        "AdaGrad",
        "Adam",
        "exact",
    ]
    assert shown["times_faster"] == pytest.approx(eager["seconds"] / bgd["seconds"])
    assert Path(shown["picture"]) == Path("demo.png").absolute()


@pytest.mark.usefixtures("short")
def test_the_race_shows_a_table_and_writes_a_picture(run) -> None:
    ended = run("demo", "-o", "race.png")
    assert (ended.code, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    for name in ("BGD", "SGD", "MBGD", "AdaGrad", "Adam", "exact", "PyTorch"):
        assert re.search(rf"^{name} .*\d (s|ms|us)$", ended.out, re.MULTILINE), name
    assert "400 epochs took PyTorch's own loop" in ended.out
    assert "y = 3.000 x + 0.800" in ended.out
    assert str(Path("race.png").absolute()) in ended.out
    assert imread("race.png").std() > 0.1


def test_a_loop_that_takes_long_is_stopped_and_scaled() -> None:
    seen = []
    loop = race.eager(seen.append, epochs=10_000, limit=0.01)
    assert loop.finish.epochs == 1_000 == seen[-1].epochs
    assert loop.seconds == pytest.approx(10 * loop.finish.seconds)
    assert loop.finish.loss[-1] == pytest.approx(by_hand(1_000)[2], abs=1e-6)


@pytest.mark.usefixtures("short")
def test_a_folder_that_cannot_be_written_does_not_spoil_the_demo(run, tmp_path: Path) -> None:
    Path("demo.png").mkdir()  # also root may not replace a folder by a file
    ended = run("demo")
    assert ended.code == 0
    assert "y = 3.000 x + 0.800" in ended.out
    assert ended.err == "demo.png cannot be written: Is a directory. Choose another place.\n"
    assert os.listdir(tmp_path) == ["demo.png"]
    assert run("demo", "-o", "missing/a.png").code == 2


def test_a_picture_needs_a_format(run) -> None:
    ended = run("demo", "-o", "demo.doc")
    assert (ended.code, ended.out) == (2, "")
    assert ".png, .svg, .pdf" in ended.err


def test_the_step_shows_the_numbers_of_one_iteration(run) -> None:
    shown = run("demo", "--step", "--json").json
    torch.manual_seed(0)
    x = torch.rand(50, 1, dtype=torch.float32)
    y = 3 * x + 0.8
    model = nn.Linear(1, 1)
    assert shown["before"] == [model.weight.item(), model.bias.item()]
    x, y, model = x.double(), y.double(), model.double()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    gradients = [model.weight.grad.item(), model.bias.grad.item()]
    # float32 in the demo against float64 here.
    assert shown["by_backward"] == pytest.approx(gradients, rel=1e-6)
    assert shown["by_formula"] == pytest.approx(gradients, rel=1e-6)
    assert shown["without_zero"] == pytest.approx([2 * g for g in gradients], rel=1e-6)
    assert shown["loss"] == pytest.approx(loss.item(), rel=1e-6)
    after = [w - 1e-3 * g for w, g in zip(shown["before"], gradients)]
    assert shown["after"] == pytest.approx(after, rel=1e-6)
    assert shown["loss_after"] < shown["loss"]
    for row, inputs, target in zip(shown["rows"], x, y):
        prediction = model(inputs).item()
        assert row == pytest.approx(
            [inputs.item(), target.item(), prediction, prediction - target.item()], abs=1e-6
        )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_step_prints_every_number_that_it_has(run, lang: str) -> None:
    numbers = step.iterate()
    out = run("demo", "--step", "--lang", lang).out
    flat = [
        *numbers.before,
        *numbers.after,
        *numbers.by_backward,
        *numbers.by_formula,
        numbers.without_zero[0],
    ]
    for value in [*flat, numbers.loss, numbers.loss_after, *(v for row in numbers.rows for v in row)]:
        assert f"{value:.6f}" in out


def test_the_programs_shown_run_and_agree(capsys) -> None:
    ends = []
    for program in (code.LOOP, code.COMPILED):
        short = program.replace("30_000", "60").replace("30000", "60")
        names: dict[str, object] = {}
        exec(code.DATA + short, names)
        model = names["model"]
        assert isinstance(model, nn.Linear)
        ends.append((model.weight.item(), model.bias.item(), capsys.readouterr().out))
    assert ends[0][:2] == pytest.approx(ends[1][:2], abs=1e-6)
    assert ends[0][2] == ends[1][2]
    assert len(ends[0][2].splitlines()) == 3
    exec(code.DATA + code.EXACT, {})
    assert capsys.readouterr().out == "y = 3 x + 0.8\n"


@pytest.mark.parametrize(("columns", "beside"), [(79, False), (120, True)])
def test_programs_stand_side_by_side_where_there_is_room(
    run, monkeypatch, columns: int, beside: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("demo", "--code").out.splitlines()
    assert max(map(len, lines)) <= columns
    assert any("for epoch in range" in line and "SGD" in line for line in lines) == beside


def test_the_classes_end_near_the_optimum(run) -> None:
    shown = run("demo", "--classes", "--json", "-o", "groups.svg").json
    x, labels = classes.groups()
    # The optimum by another way: Newton's method on the Hessian of all nine parameters, in float64.
    assert shown["optimum"] == pytest.approx(newton(x.double(), labels), abs=1e-10)
    for lane in shown["algorithms"]:
        assert shown["optimum"] < lane["loss"] < shown["optimum"] + 0.05
        assert lane["accuracy"] > 0.9
    assert Path("groups.svg").read_text(encoding="utf-8").startswith("<?xml")


def newton(x: torch.Tensor, labels: torch.Tensor) -> float:
    def loss(flat: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(x @ flat[:6].reshape(3, 2).T + flat[6:], labels)

    flat = torch.zeros(9, dtype=torch.float64)
    for _ in range(30):
        slope = torch.autograd.functional.jacobian(loss, flat)
        curve = torch.autograd.functional.hessian(loss, flat)
        flat = flat - torch.linalg.pinv(curve, hermitian=True) @ slope  # scores may shift together: rank 6
    return loss(flat).item()


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_is_wider_than_the_terminal(run, monkeypatch, columns: int, lang: str) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(columns))
    for option in ("--step", "--help"):
        for line in run("demo", option, "--lang", lang).out.splitlines():
            assert cell_len(line.rstrip()) <= columns, line


def test_a_sparkline_falls_with_the_loss() -> None:
    losses = torch.logspace(0, -14, 100, dtype=torch.float64)
    assert sparkline(losses, 1e-14, 8) == "█▇▆▅▄▃▂▁"
    assert sparkline(torch.zeros(5, dtype=torch.float64), 1e-14, 3) == "▁▁▁"
    assert sparkline(torch.full((5,), 7.0, dtype=torch.float64), 1e-14, 3) == "███"
