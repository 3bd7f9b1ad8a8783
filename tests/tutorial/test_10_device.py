"""The device, and the way back. A machine without a GPU has the `meta` device to show the same with."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import InvalidInput

OTHER = "cuda" if torch.cuda.is_available() else "meta"


def test_a_tensor_is_copied_and_a_module_is_moved(points, line):
    x, _ = points
    x.to(OTHER)
    assert x.device.type == "cpu", "x itself has not moved; x = x.to(device) is the line that is meant"
    model = line()
    assert model.to(OTHER) is model
    assert model.linear.weight.device.type == OTHER


def test_to_the_device_where_it_is_already_copies_nothing(points):
    x, _ = points
    assert x.to("cpu") is x
    assert x.cpu() is x


@pytest.mark.parametrize("stays", ["model", "data"])
def test_model_and_data_on_two_devices_are_both_named(points, line, stays):
    x, y = points
    model = line()
    if stays == "model":
        x, y = x.to(OTHER), y.to(OTHER)
    else:
        model.to(OTHER)
    with pytest.raises(RuntimeError):
        model(x)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InvalidInput) as raised:
        tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=1)
    assert "cpu" in str(raised.value)
    assert OTHER in str(raised.value)


def test_x_and_y_on_two_devices_are_both_named(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InvalidInput) as raised:
        tl.train(model, x, y.to(OTHER), criterion=nn.MSELoss(), optimizer=optimizer, epochs=1)
    assert "cpu" in str(raised.value)
    assert OTHER in str(raised.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_asked_for_and_absent_is_said_in_a_sentence(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InvalidInput, match=r"(?i)cuda.*cpu"):
        tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=1, device="cuda")


def test_there_and_back(points, line, by_hand):
    """The lines of the GPU program; on a machine without one they do no harm."""
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    x, y = (values.to(device) for values in points)
    ours, theirs = line().to(device), line().to(device)
    tl.train(ours, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(ours.parameters(), lr=0.1), epochs=300)
    by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.1), 300)
    assert ours.linear.weight.device == x.device
    back = ours(x).detach().cpu().numpy()
    assert back == pytest.approx(theirs(x).detach().cpu().numpy(), abs=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_ends_where_the_cpu_ends(points, line):
    x, y = points
    ends = {}
    for device in ("cpu", "cuda"):
        model = line().to(device)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        tl.train(model, x.to(device), y.to(device), criterion=nn.MSELoss(), optimizer=optimizer, epochs=300)
        ends[device] = [p.item() for p in model.parameters()]
    assert ends["cuda"] == pytest.approx(ends["cpu"], abs=1e-5)
