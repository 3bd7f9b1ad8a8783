"""Thirty thousand epochs stop at y = 2.958 x + 0.820, and not by accident: the bowl is a valley."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn, optim

import torchlinear as tl

ROOT = Path(__file__).parents[2]
LR, EPOCHS = 1e-3, 30_000


@pytest.fixture
def seed_0():
    """The numbers of the tutorial page: seed, points, model, in this order."""
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    return x, 3 * x + 0.8, nn.Linear(1, 1)


def curvature(x):
    """Second derivative of the mean squared error by weight and bias: 2 [mean x^2, mean x; mean x, 1]."""
    columns = torch.cat([x, torch.ones_like(x)], dim=1).double()
    return 2 * columns.T @ columns / len(x)


def parameters(model):
    return torch.cat([p.detach().ravel() for p in model.parameters()]).double()


def train(model, x, y, lr, epochs):
    optimizer = optim.SGD(model.parameters(), lr=lr)
    return tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=epochs)


def test_it_stops_short(seed_0):
    x, y, model = seed_0
    assert train(model, x, y, LR, EPOCHS).equation == "y = 2.958 x + 0.820"


def test_three_hundred_epochs_hardly_start(seed_0):
    x, y, model = seed_0
    train(model, x, y, LR, 300)
    assert parameters(model).tolist() == pytest.approx([0.907, 1.356], abs=5e-4)


def test_the_condition_number_is_19(seed_0):
    gentle, steep = torch.linalg.eigvalsh(curvature(seed_0[0])).tolist()
    assert steep / gentle == pytest.approx(18.913, abs=1e-3)


def test_the_stop_can_be_computed_without_taking_a_step(seed_0):
    """Every step leaves 1 - lr * steepness of the error, in each of the two directions by itself."""
    x, y, model = seed_0
    steepness, directions = torch.linalg.eigh(curvature(x))
    best = torch.tensor([3.0, 0.8], dtype=torch.float64)
    left = (1 - LR * steepness) ** EPOCHS
    stop = best + directions @ (left * (directions.T @ (parameters(model) - best)))
    assert left.tolist() == pytest.approx([0.021, 0], abs=1e-4)
    train(model, x, y, LR, EPOCHS)
    assert parameters(model).tolist() == pytest.approx(stop.tolist(), abs=1e-3)  # float32 against float64


def test_the_best_rate_arrives_and_a_little_more_flies_away(seed_0):
    x, y, model = seed_0
    start = model.state_dict()
    gentle, steep = torch.linalg.eigvalsh(curvature(x)).tolist()
    ends = {}
    for name, lr in {"best": 2 / (steep + gentle), "too large": 1.01 * 2 / steep}.items():
        trial = nn.Linear(1, 1)
        trial.load_state_dict(start)
        train(trial, x, y, lr, 300)
        ends[name] = parameters(trial)
    assert ends["best"].tolist() == pytest.approx([3, 0.8], abs=1e-5)
    assert ends["too large"].abs().min() > 100


def test_standardised_one_step_arrives(seed_0):
    x, y, model = seed_0
    centre, spread = x.mean(), x.std(correction=0)
    train(model, (x - centre) / spread, y, 0.5, 1)
    weight, bias = parameters(model).tolist()
    slope = weight / spread.item()
    assert (slope, bias - slope * centre.item()) == pytest.approx((3, 0.8), abs=1e-5)


def test_the_exact_answer_needs_no_steps(seed_0):
    x, y, _ = seed_0
    assert tl.fit(x, y).equation == "y = 3 x + 0.8"


def test_the_pictures_of_the_page_can_be_drawn_again(tmp_path):
    script = ROOT / "docs" / "images" / "tutorial.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=120)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {"line.svg", "valley.svg"}
    assert drawn <= {path.name for path in script.parent.glob("*.svg")}
    page = (ROOT / "docs" / "en" / "tutorial.md").read_text(encoding="utf-8")
    assert all(f"(../images/{name})" in page for name in drawn)
