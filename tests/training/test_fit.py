"""What `tl.train` returns: a `Fit` whose module is the model."""

import copy
import pickle

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch import nn, optim

import torchlinear as tl


def trained(model, x, y, epochs=400, criterion=None, **options):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    return tl.train(model, x, y, criterion or nn.MSELoss(), optimizer, epochs, **options)


def layers():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))


def test_coefficients_are_the_parameters(rows):
    x, y = rows(k=2, dtype=torch.float32)
    model = nn.Linear(3, 2)
    fit = trained(model, x, y)
    assert isinstance(fit, tl.Fit)
    assert fit.module is model
    assert torch.equal(fit.coef, model.weight.detach().double().T)
    assert torch.equal(fit.intercept, model.bias.detach().double())
    assert fit.names == ("x0", "x1", "x2")
    assert fit.equation.startswith("y0 = ")
    assert fit.status is tl.Status.BUDGET_USED
    assert len(fit.history) == 400


def test_one_feature_is_x_and_no_bias_is_no_intercept():
    x = torch.rand(30, 1)
    model = nn.Linear(1, 1, bias=False)
    fit = trained(model, x, 3 * x, epochs=2000)
    assert fit.equation == "y = 3 x"
    assert float(fit.intercept) == 0


def test_the_certificate_says_how_far_the_optimum_is(rows):
    """Against least squares by numpy: the largest correlation left between a column and the residuals."""
    x, y = rows()
    far = trained(nn.Linear(3, 1, dtype=torch.float64), x, y, epochs=20)
    model = nn.Linear(3, 1, dtype=torch.float64)
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    near = tl.train(model, x, y, nn.MSELoss(), optimizer, 5_000)
    residual = (y - model(x)).detach().numpy()[:, 0]
    centred = x.numpy() - x.numpy().mean(axis=0)
    target = y.numpy() - y.numpy().mean()
    slopes = np.abs(centred.T @ residual) / (np.linalg.norm(centred, axis=0) * np.linalg.norm(target))
    assert near.certificate < 1e-10
    assert near.certificate == pytest.approx(slopes.max(), abs=1e-12)
    assert far.certificate > 1e-3
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y.numpy(), rcond=None)[0]
    assert np.append(near.coef, near.intercept) == pytest.approx(exact[:, 0], rel=1e-9)
    frame = near.summary().to_frame()
    assert np.isfinite(frame["se"]).all()


def test_an_eager_training_of_one_affine_map_has_them_too(rows):
    x, y = rows(dtype=torch.float32)
    model = nn.Linear(3, 1)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.RAdam(model.parameters(), lr=0.05), 300)
    assert fit.solver.startswith("eager")
    assert fit.equation.startswith("y = ")
    assert 0 < fit.certificate < 1


@pytest.mark.parametrize(
    ("criterion", "decay"), [(nn.L1Loss(), 0.0), (nn.MSELoss(), 0.1)], ids=["another loss", "weight decay"]
)
def test_no_certificate_where_the_optimum_is_another(rows, criterion, decay):
    x, y = rows(dtype=torch.float32)
    model = nn.Linear(3, 1)
    fit = tl.train(model, x, y, criterion, optim.SGD(model.parameters(), lr=0.05, weight_decay=decay), 50)
    assert np.isnan(fit.certificate)
    assert fit.equation.startswith("y = ")
    assert ("weight_decay=0.1" in repr(fit.solution.penalty)) is (decay > 0)


def test_predictions_are_the_modules(rows):
    x, y = rows(dtype=torch.float32)
    fit = trained(nn.Linear(3, 1), x, y)
    expected = fit.module(x).detach()[:, 0]
    assert torch.equal(fit.predict(x), expected)
    assert torch.equal(fit.predict(x.double()), expected), "in the dtype of the module"
    assert fit.predict(x.numpy()) == pytest.approx(expected.numpy())
    assert isinstance(fit.predict(x.tolist()), np.ndarray)


def test_an_interval_around_the_predictions_of_a_converged_line(rows):
    x, y = rows()
    model = nn.Linear(3, 1, dtype=torch.float64)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.2), 5_000)
    found, exact = fit.predict(x, interval=0.9), tl.fit(x, y).predict(x, interval=0.9)
    for name in ("mean", "low", "high"):
        assert np.asarray(getattr(found, name)) == pytest.approx(np.asarray(getattr(exact, name)), rel=1e-6)


def test_predictions_of_any_module_are_those_of_evaluation(rows):
    x, y = rows(dtype=torch.float32)
    model = layers()
    fit = trained(model, x, y, epochs=20)
    twin = copy.deepcopy(model).eval()
    modes = [part.training for part in model.modules()]
    assert all(modes)
    assert torch.equal(fit.predict(x), twin(x).detach())
    assert [part.training for part in model.modules()] == modes


@pytest.mark.parametrize(
    "what",
    [
        lambda fit: fit.equation, lambda fit: fit.coef, lambda fit: fit.intercept, lambda fit: fit.summary(),
        lambda fit: fit.plot(), lambda fit: fit.save("m.safetensors"),
        lambda fit: fit.predict(torch.zeros(2, 3), interval=0.9),
    ],
)  # fmt: skip
def test_what_is_no_affine_map_has_no_equation(rows, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = rows(dtype=torch.float32)
    fit = trained(layers(), x, y, epochs=2)
    with pytest.raises(
        tl.InvalidInput, match=r"needs a model that is one affine map.*Sequential.*fit.predict"
    ):
        what(fit)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_affine_map_still_has_its_history(rows):
    x, y = rows(dtype=torch.float32)
    fit = trained(layers(), x, y, epochs=30)
    assert isinstance(fit.plot_loss(), Axes)
    assert repr(fit) == "TrainedFit(squared, budget_used: Sequential)"
    assert len(fit.history.loss) == 30


@pytest.mark.parametrize("features", [1, 3])
def test_pictures(rows, features):
    x, y = rows(p=features, dtype=torch.float32)
    fit = trained(nn.Linear(features, 1), x, y)
    assert isinstance(fit.plot(), Axes)
    assert isinstance(fit.plot_loss(), Axes)


def test_flattened_input_is_named_feature_by_feature(rows):
    x = torch.rand(40, 2, 3)
    fit = trained(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), x, x.sum(dim=(1, 2))[:, None])
    assert fit.names == tuple(f"x{j}" for j in range(6))
    assert fit.predict(x).shape == (40,)


def test_saved_and_loaded(rows, tmp_path):
    x, y = rows(dtype=torch.float32)
    fit = trained(nn.Linear(3, 1), x, y)
    fit.save(tmp_path / "line.safetensors")
    loaded = tl.load(tmp_path / "line.safetensors")
    assert torch.equal(loaded.coef, fit.coef)
    torch.testing.assert_close(loaded.predict(x), fit.predict(x))


def test_pickled_without_its_rows(rows):
    x, y = rows(dtype=torch.float32)
    fit = pickle.loads(pickle.dumps(trained(nn.Linear(3, 1), x, y)))
    assert fit.equation.startswith("y = ")
    with pytest.raises(tl.RowsNeeded, match="data="):
        fit.plot()


def test_classes(rows):
    labels = torch.arange(60) % 3
    x = torch.randn(60, 2) + 3 * nn.functional.one_hot(labels)[:, :2]
    model = nn.Linear(2, 3)
    fit = trained(model, x, labels, criterion=nn.CrossEntropyLoss())
    assert fit.solution.loss == "CrossEntropyLoss"
    assert fit.coef.shape == (2, 3)
    assert (fit.predict(x).argmax(dim=1) == labels).float().mean() > 0.8
    assert len(fit.equation.splitlines()) == 3
    with pytest.raises(tl.InvalidInput, match=r"y names one of 3 classes; fit\.plot_loss"):
        fit.plot()


def test_a_trained_model_goes_on_training(rows):
    x, y = rows(dtype=torch.float32)
    model = nn.Linear(3, 1)
    first = trained(model, x, y, epochs=30)
    before = first.coef.clone()
    second = trained(model, x, y, epochs=30)
    assert torch.equal(first.coef, before), "the record of a training is of its end"
    assert not torch.equal(second.coef, before)
    assert first.history.loss[-1] > second.history.loss[-1]


def test_the_device_is_where_the_model_goes(rows):
    x, y = rows(dtype=torch.float32)
    model = nn.Linear(3, 1)
    fit = trained(model, x, y, epochs=5, device="cpu")
    assert fit.module is model
    assert model.weight.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", [layers, lambda: nn.Linear(3, 1)])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_on_a_gpu(plain_loop, rows, kind, batch_size):
    x, y = rows(dtype=torch.float32)
    torch.manual_seed(2)
    model = kind()
    twin = copy.deepcopy(model).cuda()
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    torch.manual_seed(3)
    fit = tl.train(
        model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 20,
        batch_size=batch_size, generator=generators[0], device="cuda",
    )  # fmt: skip
    assert all(p.device.type == "cuda" for p in model.parameters())
    torch.manual_seed(3)
    losses = plain_loop(
        twin, x.cuda(), y.cuda(), nn.MSELoss(), optim.SGD(twin.parameters(), lr=0.01), 20,
        batch_size=batch_size, generator=generators[1],
    )  # fmt: skip
    assert fit.history.loss.tolist() == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=1e-4, atol=1e-5)
    assert fit.predict(x).device.type == "cuda"
    assert fit.predict(x.numpy()).shape[0] == 40
    if kind is not layers:
        assert isinstance(fit.plot(), Axes)
        assert 0 < fit.certificate < 1
