"""Fit a line to fifty points with plain PyTorch: thirty thousand epochs on the CPU."""

import torch
from matplotlib import pyplot as plt
from torch import nn, optim

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

for epoch in range(30_000):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (epoch + 1) % 20 == 0:
        print(f"Epoch[{epoch}/30000], loss: {loss.item():.6f}")

print(f"y = {model.linear.weight.item():.6f} x + {model.linear.bias.item():.6f}")

model.eval()
with torch.no_grad():
    line = model(x).numpy()

plt.scatter(x.numpy(), y.numpy(), color="red")
plt.plot(x.numpy(), line)
plt.show()
