"""A line of the log every twenty epochs: `Epoch[19/30000], loss: 1.118361`."""

import re

import pytest
from torch import nn, optim

import torchlinear as tl


def lines_of_the_loop(losses, every):
    """What the tutorial prints: the epoch counted from 0, the loss with six decimals."""
    return [
        f"Epoch[{epoch}/{len(losses)}], loss: {loss:.6f}"
        for epoch, loss in enumerate(losses)
        if (epoch + 1) % every == 0
    ]


def split(line):
    label, loss = re.fullmatch(r"(Epoch\[\d+/\d+\], loss: )(\d+\.\d{6})", line).groups()
    return label, float(loss)


@pytest.mark.parametrize(("epochs", "every"), [(100, 20), (90, 20), (7, 1), (5, 20)])
def test_the_same_lines_at_the_same_epochs(points, line, by_hand, capsys, epochs, every):
    x, y = points
    ours, theirs = line(), line()
    tl.train(
        ours,
        x,
        y,
        criterion=nn.MSELoss(),
        optimizer=optim.SGD(ours.parameters(), lr=1e-3),
        epochs=epochs,
        log_every=every,
    )
    printed = [split(text) for text in capsys.readouterr().out.splitlines()]
    losses = by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=1e-3), epochs)
    expected = [split(text) for text in lines_of_the_loop(losses, every)]
    assert [label for label, _ in printed] == [label for label, _ in expected]
    # Losses agree to 1e-6, so the last printed decimal differs by one at most.
    assert [loss for _, loss in printed] == pytest.approx([loss for _, loss in expected], rel=0, abs=1.001e-6)


def test_without_log_every_nothing_is_printed(points, line, capsys):
    x, y = points
    model = line()
    tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=50)
    assert capsys.readouterr() == ("", "")


def test_the_loss_is_the_one_before_the_update(points, line, capsys):
    x, y = points
    model = line()
    before = nn.functional.mse_loss(model(x), y).item()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=1, log_every=1)
    assert split(capsys.readouterr().out.strip()) == (
        "Epoch[0/1], loss: ",
        pytest.approx(before, abs=1.001e-6),
    )


def test_the_history_keeps_what_the_log_leaves_out(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit = tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=45)
    assert len(fit.history.loss) == 45
    assert fit.history.epoch.tolist() == list(range(45))
