"""BGD, SGD, MBGD: one algorithm, and how many rows it looks at before each step."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl


def test_optim_sgd_on_all_rows_is_batch_gradient_descent(points, line, by_hand):
    """The name says stochastic; nothing in the program is: w minus lr times the gradient over all rows."""
    x, y = points
    model = line()
    weight, bias = model.linear.weight.item(), model.linear.bias.item()
    by_hand(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), 100)
    for _ in range(100):
        error = weight * x + bias - y
        weight -= 0.1 * (2 * error * x).mean().item()
        bias -= 0.1 * (2 * error).mean().item()
    assert model.linear.weight.item() == pytest.approx(weight, abs=1e-5)
    assert model.linear.bias.item() == pytest.approx(bias, abs=1e-5)


def test_all_rows_at_once_have_no_order(points, line):
    x, y = points
    shuffled = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    ends = []
    for order in (torch.arange(50), shuffled):
        model = line()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        tl.train(model, x[order], y[order], criterion=nn.MSELoss(), optimizer=optimizer, epochs=100)
        ends.append([p.item() for p in model.parameters()])
    assert ends[0] == pytest.approx(ends[1], abs=1e-5)


@pytest.mark.parametrize(
    ("batch_size", "lr"),
    [
        pytest.param(None, 0.5, id="bgd"),
        pytest.param(1, 0.05, id="sgd"),
        pytest.param(16, 0.2, id="mbgd"),  # 50 rows: three batches of 16 and one of 2
    ],
)
def test_each_follows_the_loop_batch_by_batch(points, line, by_hand, batch_size, lr):
    x, y = points
    y = y + 0.1 * torch.randn(50, 1, generator=torch.Generator().manual_seed(5))
    ours, theirs = line(), line()
    fit = tl.train(
        ours,
        x,
        y,
        criterion=nn.MSELoss(),
        optimizer=optim.SGD(ours.parameters(), lr=lr),
        epochs=40,
        batch_size=batch_size,
        generator=torch.Generator().manual_seed(7),
    )
    losses = by_hand(
        theirs,
        x,
        y,
        nn.MSELoss(),
        optim.SGD(theirs.parameters(), lr=lr),
        40,
        batch_size,
        torch.Generator().manual_seed(7),
    )
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)
    assert [float(loss) for loss in fit.history.loss] == pytest.approx(losses, rel=0, abs=1e-6)


def test_without_shuffling_the_rows_come_in_their_order(points, line):
    x, y = points
    ours, theirs = line(), line()
    tl.train(
        ours,
        x,
        y,
        criterion=nn.MSELoss(),
        optimizer=optim.SGD(ours.parameters(), lr=0.2),
        epochs=5,
        batch_size=10,
        shuffle=False,
    )
    optimizer = optim.SGD(theirs.parameters(), lr=0.2)
    for _ in range(5):
        for rows, targets in zip(x.split(10), y.split(10), strict=True):
            optimizer.zero_grad()
            nn.functional.mse_loss(theirs(rows), targets).backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)


def test_small_batches_never_rest_and_all_rows_do(points, line):
    """With noise in y, one row at a time wanders around the best line; all rows at once stand on it."""
    x, y = points
    y = y + 0.3 * torch.randn(50, 1, generator=torch.Generator().manual_seed(5))
    steps = {}
    for name, batch_size, lr in [("bgd", None, 0.5), ("sgd", 1, 0.1)]:
        model = line()
        optimizer = optim.SGD(model.parameters(), lr=lr)
        train = {"criterion": nn.MSELoss(), "optimizer": optimizer, "batch_size": batch_size}
        train["generator"] = torch.Generator().manual_seed(7)
        tl.train(model, x, y, epochs=300, **train)
        settled = model.linear.weight.item()
        tl.train(model, x, y, epochs=1, **train)
        steps[name] = abs(model.linear.weight.item() - settled)
    assert steps["bgd"] < 1e-5
    assert steps["sgd"] > 1e-2
