"""What a race says is so: every claim is made where it holds, and not where it does not."""

import re

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.racing.sentences import Sentence


def rows(rng: np.random.Generator, n: int = 120, p: int = 2) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, p)) * np.linspace(1.0, 3.0, p)
    return X, X.sum(axis=1) + 0.5 + rng.normal(size=n)


def number(sentence: Sentence, name: str) -> float:
    return float(sentence.values[name].replace(",", ""))


@pytest.mark.parametrize("options", [{"weight_decay": 0.5}, {"maximize": True}])
def test_nothing_is_explained_of_a_descent_that_runs_elsewhere(rng, options) -> None:
    X, y = rows(rng)
    solvers = [
        tl.SGD(lr=0.01, **options),
        tl.SGD(lr=0.01, batch_size=8, **options),
        tl.Adam(lr=0.1, **options),
    ]
    for runner in tl.race(X, y, solvers=solvers, epochs=40):
        assert runner.why == ""


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": 0.6}, {"momentum": 0.6, "nesterov": True}, {"momentum": 0.6, "dampening": 0.5}],
    ids=str,
)
def test_the_edge_of_every_momentum_is_where_it_is_told(rng, options, factor) -> None:
    """Below it the descent arrives, above it it does not, and only then it is said."""
    X, y = rows(rng)
    probe = tl.race(X, y, solvers=[tl.SGD(lr=1e9, **options)], epochs=3).runners[0]
    assert probe.why.key == "diverged"
    edge = number(probe.why, "edge")  # two digits
    runner = tl.race(X, y, solvers=[tl.SGD(lr=factor * edge, **options)], epochs=3_000).runners[0]
    assert ("above" in runner.why) == (factor > 1.0)
    assert (runner.final < 1e-3) == (factor < 1.0)


def test_corners_of_a_penalty_have_no_rate_along_a_direction(rng) -> None:
    X, y = rows(rng, p=4)
    race = tl.race(X, y, solvers=["bgd", "sgd"], penalty=tl.L1(1.0), epochs=60)
    assert race["bgd"].why == ""
    assert race["sgd"].why.key not in ("slow", "hovers")
    assert tl.race(X, y, solvers=["bgd"], penalty=tl.L2(1.0), epochs=60)["bgd"].why.key == "steady"


def test_of_the_whole_way_the_curvature_tells_only_where_it_is_the_same_everywhere(rng) -> None:
    X, y = rows(rng)
    assert "of the gap lay at the start" in tl.race(X, y, solvers=["bgd"])["bgd"].why
    told = tl.race(X, (y > y.mean()).astype(int), solvers=["bgd"], loss="logistic", penalty=tl.L2(0.1))[
        "bgd"
    ].why
    assert told.key == "steady"
    assert "at the start" not in told


def test_the_share_along_a_direction_is_that_of_the_loss(rng) -> None:
    """Of the gap at the start, computed from the loss itself at the start but for that direction."""
    X, y = rows(rng)
    race = tl.race(X, y, solvers=["bgd"], epochs=5)
    design = np.column_stack([X, np.ones(len(X))])
    _, vectors = np.linalg.eigh(2.0 * design.T @ design / len(X))
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    along = vectors[:, 0] * (vectors[:, 0] @ best)

    def loss(b: np.ndarray) -> float:
        return float(np.square(design @ b - y).mean())

    share = (loss(best - along) - loss(best)) / (loss(0 * best) - loss(best))
    assert number(race["bgd"].why.values["lay"], "share") == pytest.approx(
        100 * share, rel=0.06
    )  # two digits


def test_flat_directions_are_counted(rng) -> None:
    X, y = rows(rng, p=3)
    told = {}
    for name, given in {
        "none": X,
        "one": np.column_stack([X, X[:, 0] - X[:, 1]]),
        "many": np.column_stack([X, X @ rng.normal(size=(3, 4))]),
    }.items():
        for intercept in (True, False):
            told[name, intercept] = tl.race(given, y, solvers=["bgd"], epochs=5, intercept=intercept).why[0]
    for intercept in (True, False):
        assert "does not change" not in told["none", intercept]
        assert "along one more direction it does not change at all" in told["one", intercept]
        assert "along 4 more directions it does not change at all" in told["many", intercept]


def test_many_targets_whose_hessian_is_that_of_each(rng) -> None:
    """Over 2,000 coefficients the Hessian of all targets is not formed."""
    p, n = 680, 1_400
    X = torch.from_numpy(rng.normal(size=(n, p)))
    y = X[:, :3] + torch.from_numpy(rng.normal(size=(n, 3)))
    race = tl.race(X, y, solvers=["bgd"], epochs=60)
    told = race["bgd"].why
    assert told.key == "steady"
    alone = [tl.race(X, y[:, j], solvers=["bgd"], epochs=2) for j in range(3)]
    wholes = [float(one["bgd"].loss[0] - one.optimum.loss) for one in alone]
    shares = [number(one["bgd"].why.values["lay"], "share") for one in alone]
    expected = sum(whole * share for whole, share in zip(wholes, shares)) / sum(wholes)
    assert number(told.values["lay"], "share") == pytest.approx(
        expected, rel=0.1, abs=1e-3
    )  # two digits each
    slopes = 2.0 / n * (X.T @ y)
    bent = 2.0 * X.square().mean(dim=0)[:, None].expand(p, 3)
    steps = torch.cat([(slopes / bent).flatten(), y.mean(dim=0)]).abs()
    assert race.curvature.slope == pytest.approx(np.median(steps.numpy()), rel=1e-6)


def test_only_those_that_use_the_curvature_are_said_to(rng) -> None:
    X, y = rows(rng)
    race = tl.race(X, y, solvers=["saga", "fista", "lbfgs", "newton"], epochs=30)
    assert {runner.name for runner in race if "curvature" in runner.why} == {"lbfgs", "newton"}


def test_adagrad_is_not_told_of_by_its_sum_where_more_decides(rng) -> None:
    X, y = rows(rng)
    solvers = [tl.Adagrad(lr=0.5, lr_decay=0.1), tl.Adagrad(lr=0.5, initial_accumulator_value=1.0)]
    for runner in tl.race(X, y, solvers=[*solvers, tl.Adagrad(lr=0.5, schedule="1/t")], epochs=20):
        assert runner.why == ""
    plain = tl.race(X, y, solvers=[tl.Adagrad(lr=0.5)], epochs=20)["adagrad"]
    optimizer_sum = np.square(gradients(X, y, plain, 20)).sum(axis=0)
    share = np.median(np.abs(gradients(X, y, plain, 1)[0]) / np.sqrt(optimizer_sum))
    assert number(plain.why, "share") == pytest.approx(100 * share, rel=0.06)


def gradients(X: np.ndarray, y: np.ndarray, runner: tl.Runner, epochs: int) -> np.ndarray:
    """Those of the frames, which of few epochs are all of them."""
    design = np.column_stack([X, np.ones(len(X))])
    passes = runner.passes.tolist()
    return np.array(
        [
            2.0 / len(y) * design.T @ (design @ runner.coef[passes.index(at), :, 0].numpy() - y)
            for at in range(epochs)
        ]
    )


def test_adam_moves_at_about_the_speed_that_is_told(rng) -> None:
    X, y = rows(rng)
    race = tl.race(X, y + 50.0, solvers=["adam"], lr=0.1, epochs=2_000)
    told = race["adam"].why
    assert told.values["coefficient"] == "the intercept"
    half = (race["adam"].coef[:, -1, 0] > race.optimum.coef[-1, 0] / 2).nonzero()[0]
    assert float(race["adam"].passes[half]) == pytest.approx(number(told, "passes") / 2, rel=0.3)
    assert not re.search("or more", told)
