"""Fit a line to fifty points with torchlinear: three hundred epochs, on the GPU where there is one."""

import torch
from matplotlib import pyplot as plt
from torch import nn, optim

import torchlinear as tl

device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")

torch.manual_seed(0)
x = torch.rand(50, 1)
y = 3 * x + 0.8
x, y = x.to(device), y.to(device)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(in_features=1, out_features=1)

    def forward(self, inputs):
        return self.linear(inputs)


model = Line().to(device)
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=1e-3)

tl.train(model, x, y, criterion=criterion, optimizer=optimizer, epochs=300, log_every=20)

print(f"y = {model.linear.weight.item():.6f} x + {model.linear.bias.item():.6f}")

model.eval()
with torch.no_grad():
    line = model(x).cpu().numpy()

plt.scatter(x.cpu().numpy(), y.cpu().numpy(), color="red")
plt.plot(x.cpu().numpy(), line)
plt.show()
