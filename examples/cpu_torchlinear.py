"""Fit a line to fifty points with torchlinear: thirty thousand epochs on the CPU."""

import torch
from matplotlib import pyplot as plt
from torch import nn, optim

import torchlinear as tl

torch.manual_seed(0)
x = torch.rand(50, 1)
y = 3 * x + 0.8


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(in_features=1, out_features=1)

    def forward(self, inputs):
        return self.linear(inputs)


model = Line()
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=1e-3)

tl.train(model, x, y, criterion=criterion, optimizer=optimizer, epochs=30_000, log_every=20)

print(f"y = {model.linear.weight.item():.6f} x + {model.linear.bias.item():.6f}")

model.eval()
with torch.no_grad():
    line = model(x).numpy()

plt.scatter(x.numpy(), y.numpy(), color="red")
plt.plot(x.numpy(), line)
plt.show()
