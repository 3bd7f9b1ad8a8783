"""A race runs what torch runs, from one start, and measures it against the optimum; numbers are computed twice."""

import math
import os
import re
import signal
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import torchlinear as tl

SAME = {"rtol": 1e-9, "atol": 1e-11}  # of two float64 trajectories that add up in different orders


@pytest.fixture
def points(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Sixty rows of three correlated features, y (60,)."""
    X = rng.normal(size=(60, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 2.0]]) + 1.0
    y = X @ np.array([1.0, -2.0, 0.5]) + 0.7 + 0.3 * rng.normal(size=60)
    return torch.from_numpy(X), torch.from_numpy(y)


def trained(
    X: Tensor,
    y: Tensor,
    make: Any,
    epochs: int,
    size: int,
    seed: int,
    criterion: Any = None,
    schedule: Any = None,
) -> list[Tensor]:
    """Coefficients (p + 1,) before the first step and after each, by PyTorch's own loop."""
    model = nn.Linear(X.shape[1], 1).double()
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    optimizer, criterion = make(model.parameters()), criterion or nn.MSELoss()
    scheduler = None if schedule is None else schedule(optimizer)
    order, found = torch.Generator().manual_seed(seed), []

    def keep() -> None:
        found.append(torch.cat([model.weight.detach()[0], model.bias.detach()]))

    keep()
    for _ in range(epochs):
        batches = [slice(None)] if size == len(X) else torch.randperm(len(X), generator=order).split(size)
        for batch in batches:
            optimizer.zero_grad()
            criterion(model(X[batch])[:, 0], y[batch]).backward()
            optimizer.step()
            keep()
        if scheduler is not None:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ("solver", "make", "size"),
    [
        ("bgd", lambda p: optim.SGD(p, lr=0.02), 60),
        ("sgd", lambda p: optim.SGD(p, lr=0.005), 1),
        ("mbgd", lambda p: optim.SGD(p, lr=0.01, momentum=0.5), 7),
        ("adagrad", lambda p: optim.Adagrad(p, lr=0.3), 60),
    ],
)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_frames_are_on_the_trajectory_of_torch(
    points: tuple[Tensor, Tensor], solver: str, make: Any, size: int, loss: str
) -> None:
    X, y = points
    y = y if loss == "squared" else (y > y.quantile(0.4)).double()
    lr = make([torch.zeros(1)]).param_groups[0]["lr"]
    race = tl.race(
        X, y, solvers=[solver], loss=loss, lr=lr, batch_size=7, momentum=0.5 if solver == "mbgd" else 0.0,
        epochs=30, seed=4, penalty=None if loss == "squared" else tl.L2(1e-3),
    )  # fmt: skip
    runner, steps = race.runners[0], math.ceil(60 / size)
    if loss == "squared":
        truth = trained(X, y, make, 30, size, 4)
    else:
        logistic = nn.BCEWithLogitsLoss()
        model: list[Any] = []  # the penalty spares the intercept, which weight_decay does not

        def criterion(eta: Tensor, target: Tensor) -> Tensor:
            return logistic(eta, target) + 5e-4 * model[0].square().sum()

        truth = trained(X, y, lambda p: make(model_of(p, model)), 30, size, 4, criterion)
    places = [round(float(at) * 60 / size) if size < 60 else round(float(at)) for at in runner.passes]
    inside = runner.passes % 1.0 > 0
    assert len(places) > 20
    assert bool(inside.any()) == (size < 60)
    for place, passes, coef in zip(places, runner.passes, runner.coef):
        whole, rest = divmod(float(passes), 1.0)
        at = round(whole) * steps + math.ceil(round(rest * 60) / size) if size < 60 else place
        torch.testing.assert_close(coef[:, 0], truth[at], **SAME)


def model_of(parameters: Any, kept: list[Any]) -> list[Any]:
    """The parameters as a list, the weight kept."""
    found = list(parameters)
    kept.append(found[0])
    return found


def test_a_scheduler_of_torch_is_followed(points: tuple[Tensor, Tensor]) -> None:
    X, y = points

    def halved(optimizer: optim.Optimizer) -> Any:
        return optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.5)

    truth = trained(X, y, lambda p: optim.SGD(p, lr=0.02), 20, 60, 0, schedule=halved)
    mine = halved(optim.SGD([torch.zeros(1, requires_grad=True)], lr=123.0))
    race = tl.race(X, y, solvers=["bgd"], lr=0.02, epochs=20, schedule=mine)
    torch.testing.assert_close(race["bgd"].coef[-1, :, 0], truth[-1], **SAME)
    assert mine.optimizer.param_groups[0]["lr"] == 123.0


def test_the_optimum_is_that_of_numpy_and_gaps_are_shares_of_the_way(points: tuple[Tensor, Tensor]) -> None:
    X, y = points
    race = tl.race(X, y, solvers=["bgd", "adam", "lbfgs", "newton", "exact"], epochs=50)
    design = np.column_stack([X, np.ones(60)])
    best = np.linalg.lstsq(design, y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(race.optimum.coef[:, 0], best, rtol=1e-10)
    least = float(np.mean((y.numpy() - design @ best) ** 2))
    start = float(np.mean(y.numpy() ** 2))
    for runner in race:
        losses = np.mean((y.numpy() - runner.coef[:, :, 0].numpy() @ design.T) ** 2, axis=1)
        np.testing.assert_allclose(runner.loss, losses, rtol=1e-9)
        np.testing.assert_allclose(runner.gap, (losses - least) / (start - least), rtol=1e-6, atol=1e-12)
        assert runner.gap[0] == 1.0
        assert runner.passes[0] == runner.seconds[0] == 0.0
        assert bool((runner.passes.diff() > 0).all())
        assert bool((runner.seconds.diff() >= 0).all())
        for level, at in runner.within.items():
            inside = (runner.gap <= level).nonzero()
            assert (at is None) == (len(inside) == 0)
            assert at is None or at.passes == float(runner.passes[int(inside[0])])
    assert race["exact"].final < 1e-20
    assert race.standings()[0].name == "exact"
    assert race["exact"].passes[-1] <= 2


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_the_learning_rate_has_an_edge_and_the_sentence_says_where(
    points: tuple[Tensor, Tensor], factor: float
) -> None:
    X, y = points
    design = np.column_stack([X, np.ones(60)])
    edge = 2.0 / np.linalg.eigvalsh(2.0 * design.T @ design / 60)[-1]
    race = tl.race(X, y, solvers=["bgd"], lr=factor * edge, epochs=2_000)
    assert race.curvature.edge == pytest.approx(edge, rel=1e-9)
    runner = race["bgd"]
    if factor > 1:
        assert runner.status is tl.Status.DIVERGED
        assert f"above 2/λmax = {float(f'{edge:.2g}'):g}" in runner.why
    else:
        assert runner.final < 1e-3
        assert "diverged" not in runner.why


def test_noise_about_a_start_that_was_best_is_no_divergence(rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(200, 2)))
    labels = torch.from_numpy(
        rng.permutation(200) % 2
    )  # of which X knows nothing: the start is nearly the optimum
    race = tl.race(X, labels, loss="logistic", solvers=["mbgd", "sgd"], epochs=30)
    for runner in race:
        assert runner.status is not tl.Status.DIVERGED
        assert "diverged" not in runner.why


@pytest.mark.parametrize("lr", [0.05, 0.5, 5.0])
def test_a_batch_that_diverges_has_a_rate_above_the_bound_it_is_told_of(
    points: tuple[Tensor, Tensor], lr: float
) -> None:
    race = tl.race(*points, solvers=["mbgd", "sgd"], lr=lr, batch_size=7, epochs=40)
    for runner in race:
        bound = re.search(r"is above .* = ([\d.e-]+)\.", runner.why)
        assert bound is None or lr > 0.99 * float(bound[1])  # two digits are told
        assert runner.status is tl.Status.DIVERGED or lr < 5.0


@pytest.mark.parametrize("standardize", [False, True])
def test_where_zeros_have_no_loss_all_start_from_the_intercept_alone(
    rng: np.random.Generator, standardize: bool
) -> None:
    X = torch.from_numpy(rng.uniform(0.5, 1.5, size=(200, 2)))
    y = torch.from_numpy(rng.gamma(2.0, 0.5, 200)) / (X[:, 0] + 0.5 * X[:, 1])
    race = tl.race(
        X, y, loss="gamma", solvers=["bgd", "lbfgs"], epochs=200, standardize=standardize
    )  # inverse link
    torch.testing.assert_close(race.start[:, 0], torch.stack([y[0] * 0, y[0] * 0, 1 / y.mean()]))
    for runner in race:
        assert runner.gap[0] == 1.0
        assert math.isfinite(runner.loss[0])
        assert runner.final < 0.5
    with pytest.raises(tl.InvalidInput, match="loss is not finite there"):
        tl.race(X, y, loss="gamma", start=[0.0, 0.0, 0.0])


def test_rates_of_a_loss_that_is_nearly_straight_at_the_start_come_from_where_it_bends(
    rng: np.random.Generator,
) -> None:
    x = torch.from_numpy(rng.random(80))
    y = (
        30.0 + 3.0 * x + 0.3 * torch.from_numpy(rng.normal(size=80))
    )  # no residual of zeros is within Huber's delta
    race = tl.race(x, y, loss="huber", solvers=["adagrad", "adam"], epochs=2_000)
    for runner in race:
        assert runner.status is not tl.Status.DIVERGED
        assert runner.final < 1e-3


def test_standardised_races_speak_in_the_units_of_the_user(points: tuple[Tensor, Tensor]) -> None:
    X, y = points
    X = X * torch.tensor([1.0, 100.0, 0.01], dtype=torch.float64)
    race = tl.race(X, y, solvers=["bgd", "adam"], epochs=300, standardize=True)
    for runner in race:
        eta = X @ runner.coef[:, :-1, 0].T + runner.coef[:, -1, 0]
        torch.testing.assert_close(
            (eta - y[:, None]).square().mean(dim=0), runner.loss, rtol=1e-9, atol=1e-12
        )
        assert runner.final < 1e-3
    torch.testing.assert_close(race.units.users(race.units.inside(race["bgd"].coef)), race["bgd"].coef)


def test_all_start_where_one_says(points: tuple[Tensor, Tensor], rng: np.random.Generator) -> None:
    X, y = points
    start = rng.normal(size=4)
    race = tl.race(X, y, epochs=3, start=start, standardize=True)
    for runner in race:
        np.testing.assert_allclose(runner.coef[0, :, 0], start, rtol=1e-10, atol=1e-12)


def test_the_callback_sees_every_frame(points: tuple[Tensor, Tensor]) -> None:
    seen: dict[str, list[Any]] = {}
    race = tl.race(*points, epochs=40, callback=lambda name, frames: seen.setdefault(name, []).append(frames))
    assert list(seen) == [runner.name for runner in race]
    for runner in race:
        assert torch.equal(torch.cat([part.gap for part in seen[runner.name]]), runner.gap)
        assert torch.equal(torch.cat([part.coef for part in seen[runner.name]]), runner.coef)


def test_the_callback_ends_the_race(points: tuple[Tensor, Tensor]) -> None:
    race = tl.race(
        *points, solvers=["exact", "bgd", "adam"], epochs=40, callback=lambda name, _: name != "bgd"
    )
    assert race.stopped
    assert [runner.name for runner in race] == ["exact", "bgd"]
    assert race["bgd"].status is tl.Status.INTERRUPTED

    def fail(name: str, frames: Any) -> None:
        raise RuntimeError("the page went away")

    with pytest.raises(RuntimeError, match="went away"):
        tl.race(*points, epochs=40, callback=fail)


def test_ctrl_c_is_raised_again(points: tuple[Tensor, Tensor]) -> None:
    def interrupt(name: str, frames: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tl.race(*points, solvers=["bgd", "adam"], epochs=40, callback=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_race_repeats_itself(points: tuple[Tensor, Tensor]) -> None:
    one, two = (tl.race(*points, solvers=["sgd", "mbgd"], epochs=12, seed=7) for _ in range(2))
    assert all(torch.equal(a.coef, b.coef) for a, b in zip(one, two))
    other = tl.race(*points, solvers=["sgd"], epochs=12, seed=8)
    assert not torch.equal(one["sgd"].coef, other["sgd"].coef)


def test_no_more_frames_than_asked_for(points: tuple[Tensor, Tensor]) -> None:
    race = tl.race(*points, epochs=5_000, frames=50)
    assert all(len(runner.frames) <= 52 for runner in race)  # besides the start and the end
    assert float(race["bgd"].passes[-1]) == 5_000


def test_a_sweep_finds_the_edge(points: tuple[Tensor, Tensor]) -> None:
    race = tl.race(*points, solvers=["bgd", "adam"], lr="sweep", epochs=50)
    assert race.swept
    for runner in race:
        if runner.solver.name == "bgd":
            assert (runner.status is tl.Status.DIVERGED) == (runner.lr > race.curvature.edge)
    rates = [runner.lr for runner in race if runner.solver.name == "adam"]
    assert len(rates) == len(set(rates)) > 10
    assert len({runner.name for runner in race}) == len(race)


def test_objects_keep_their_options_and_learning_rates_go_by_name(points: tuple[Tensor, Tensor]) -> None:
    race = tl.race(
        *points,
        solvers=["bgd", tl.Adam(lr=0.5, batch_size=20), "adam"],
        lr={"bgd": 0.01, "adam": 0.2},
        epochs=5,
    )
    assert [(runner.name, runner.lr, runner.batch_size) for runner in race] == [
        ("bgd", 0.01, None),
        ("adam", 0.5, 20),
        ("adam-2", 0.2, None),
    ]


def test_l1_and_softmax_race_too(rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(90, 4)))
    y = X[:, 0] * 2 + torch.from_numpy(rng.normal(size=90))
    race = tl.race(X, y, solvers=["bgd", "exact"], penalty=tl.L1(0.3), epochs=400)
    assert race["bgd"].final < 1e-8
    labels = torch.from_numpy(rng.integers(0, 3, size=90))
    race = tl.race(
        X, labels, solvers=["bgd", "mbgd", "lbfgs", "exact"], loss="softmax", penalty=tl.L2(0.05), epochs=200
    )
    assert race["bgd"].coef.shape[1:] == (5, 3)
    assert race["bgd"].final < 1e-4
    assert race["lbfgs"].final < 1e-10
    assert race.targets == ("0", "1", "2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"solvers": ["adm"]}, "'adm' is not known (did you mean 'adam'?)"),
        ({"solvers": []}, "nobody to race"),
        ({"solvers": [3]}, "got int"),
        ({"lr": "fast"}, "expected a number, 'curvature', 'sweep'"),
        ({"epochs": 0}, "epochs=0: expected a whole number of at least 1"),
        ({"frames": 1.5}, "frames=1.5"),
        ({"start": [1.0]}, "expected 4 x 1 finite numbers"),
        ({"loss": "absolute"}, "takes losses that are differentiable"),
        ({"solvers": ["coordinate"], "loss": "logistic", "penalty": tl.L2(0.1)}, "'coordinate'"),
        ({"schedule": "never"}, "schedule"),
        ({"lr": True}, "lr=True: expected a number"),
        ({"lr": {"bdg": 0.1}}, "lr: 'bdg' does not race (did you mean 'bgd'?)"),
        ({"lr": {"bgd": "fast"}}, "lr: expected a number for 'bgd', got 'fast'"),
        ({"momentum": 1.0}, "momentum=1.0: expected a number of at least 0 and below 1."),
        ({"start": "ones"}, "expected 4 x 1 finite numbers"),
        ({"start": [1e200] * 4}, "start: the loss is not finite there"),
        ({"start": [0.0, 0.0, 0.0, 5.0], "intercept": False}, "start: its last number is the intercept"),
    ],
)
def test_bad_input_gets_a_sentence(
    points: tuple[Tensor, Tensor], given: dict[str, Any], message: str
) -> None:
    y = points[1] if given.get("loss") != "logistic" else (points[1] > 0).double()
    with pytest.raises(tl.InvalidInput, match=re.escape(message)):
        tl.race(points[0], y, **given)


def test_a_start_for_several_targets_has_their_shape(points: tuple[Tensor, Tensor]) -> None:
    X, y = points
    both = torch.stack([y, -y], dim=1)
    start = torch.arange(8.0, requires_grad=True)
    race = tl.race(X, both, solvers=["bgd"], epochs=2, start=start.reshape(4, 2))
    assert torch.equal(race["bgd"].coef[0], start.detach().double().reshape(4, 2))
    with pytest.raises(tl.InvalidInput, match="expected 4 x 2 finite numbers"):
        tl.race(X, both, solvers=["bgd"], start=np.zeros((2, 4)))


def test_more_columns_than_a_curvature_is_looked_at_along_are_refused(rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(20, 1_200)))
    with pytest.raises(tl.InvalidInput, match="1,200 are too many"):
        tl.race(X, X[:, 0], penalty=tl.L1(0.1))


def test_separable_classes_have_no_optimum_to_race_to(rng: np.random.Generator) -> None:
    x = torch.from_numpy(np.sort(rng.normal(size=40)))
    with pytest.raises(tl.DataError, match="add a ridge"):
        tl.race(x, (torch.arange(40) >= 20).double(), loss="logistic")


def test_the_optimum_is_no_start() -> None:
    x = torch.linspace(0, 1, 10, dtype=torch.float64)
    with pytest.raises(tl.InvalidInput, match="no way to race"):
        tl.race(x, torch.zeros(10, dtype=torch.float64))


def test_frames_as_a_table(points: tuple[Tensor, Tensor]) -> None:
    race = tl.race(*points, solvers=["bgd", "exact"], epochs=5)
    frame = race.to_frame()
    assert list(frame.columns) == [
        "runner",
        "passes",
        "seconds",
        "loss",
        "gap",
        "x0",
        "x1",
        "x2",
        "Intercept",
    ]
    assert len(frame) == sum(len(runner.frames) for runner in race)
    np.testing.assert_array_equal(frame[frame.runner == "bgd"].x1, race["bgd"].coef[:, 1, 0])
    assert "bgd" in str(race)
    assert race.why[0] in str(race)
