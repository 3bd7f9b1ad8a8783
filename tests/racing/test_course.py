"""The frames of a runner: where it really was, after how many passes, at which loss."""

import numpy as np
import pytest
import torch

import torchlinear as tl


def test_a_runner_whose_time_is_over_is_shown_where_it_stopped(rng: np.random.Generator) -> None:
    """Between two marks too, of which there are few here."""
    X = torch.from_numpy(rng.normal(size=(2_000, 3)))
    y = X.sum(dim=1) + torch.from_numpy(rng.normal(size=2_000))
    race = tl.race(X, y, solvers=["sgd"], epochs=10**9, frames=4, time_limit=0.3)
    runner = race["sgd"]
    assert runner.status is tl.Status.TIME_LIMIT
    assert 0.2 < float(runner.seconds[-1]) < 3.0
    assert (runner.passes.diff() > 0).all()


def test_passes_of_saga_are_its_epochs_and_the_one_that_fills_its_memory(rng: np.random.Generator) -> None:
    X = rng.normal(size=(50, 2))
    y = X.sum(axis=1) + rng.normal(size=50)
    for loss, target in {"squared": y, "logistic": (y > 0).astype(int)}.items():
        race = tl.race(X, target, solvers=["saga"], loss=loss, penalty=tl.L2(0.1), epochs=12)
        assert race["saga"].passes.tolist() == [0.0, *range(2, 14)]


def test_losses_with_firths_penalty_are_penalised(rng: np.random.Generator) -> None:
    """The mean negative log-likelihood less half the logarithm of the determinant of the information, over n."""
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(float)
    race = tl.race(X, y, loss="logistic", penalty=tl.Firth(), solvers=["newton", "lbfgs"], epochs=60)
    design = np.column_stack([X, np.ones(60)])
    for runner in race:
        for coef, told in zip(runner.coef[:, :, 0].numpy(), runner.loss):
            eta = design @ coef
            mean = 1.0 / (1.0 + np.exp(-eta))
            _, logarithm = np.linalg.slogdet(design.T @ (design * (mean * (1 - mean))[:, None]))
            expected = np.mean(np.logaddexp(0.0, eta) - y * eta) - 0.5 * logarithm / 60
            assert told == pytest.approx(expected, rel=1e-10)
        assert runner.final < 1e-8
