"""The points in red, the fitted line through them."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import nn, optim

import torchlinear as tl


@pytest.fixture
def trained(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    fit = tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=300)
    yield fit
    plt.close("all")


def offsets(axes):
    return sorted(map(tuple, np.concatenate([points.get_offsets() for points in axes.collections]).tolist()))


def test_with_matplotlib_alone(points, trained):
    x, y = points
    _, axes = plt.subplots()
    axes.scatter(x.numpy(), y.numpy(), color="red")
    axes.plot(x.numpy(), trained.predict(x).numpy())
    assert offsets(axes) == sorted(zip(x.ravel().tolist(), y.ravel().tolist(), strict=True))


def test_plot_draws_every_point_in_red(points, trained):
    axes = trained.plot()
    assert isinstance(axes, Axes)
    (scatter,) = [marks for marks in axes.collections if len(marks.get_offsets()) == 50]
    np.testing.assert_allclose(scatter.get_offsets(), np.hstack([values.numpy() for values in points]))
    red, green, blue = to_rgb(scatter.get_facecolors()[0])
    assert red > 0.6 > 2 * max(green, blue)


def test_plot_draws_the_line_of_the_model(trained):
    layer = trained.module.linear
    line = trained.plot().lines[0]
    drawn_x, drawn_y = line.get_xdata(), line.get_ydata()
    assert drawn_y == pytest.approx(layer.weight.item() * drawn_x + layer.bias.item(), abs=1e-5)
    assert np.ptp(drawn_x) > 0.9, "from the first point to the last"


def test_the_equation_is_on_the_picture(trained):
    assert trained.plot().get_title(loc="left") == trained.equation


def test_plot_uses_the_axes_that_it_is_given(trained):
    _, axes = plt.subplots()
    assert trained.plot(ax=axes) is axes


def test_plot_loss_draws_the_losses_of_the_epochs(trained):
    line = trained.plot_loss().lines[0]
    assert list(line.get_ydata()) == pytest.approx([float(loss) for loss in trained.history.loss])
