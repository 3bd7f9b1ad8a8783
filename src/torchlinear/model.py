"""LinearModel: what a fit leaves behind, a plain `nn.Module` in the user's units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LinearModel"]


class LinearModel(nn.Module):
    """``nn.Linear`` that holds fitted coefficients.

    Parameters
    ----------
    coef : Tensor, shape (p + 1, k)
        Coefficients, the intercept in the last row.
    dtype : torch.dtype
        Dtype of the parameters.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.model import LinearModel
    >>> LinearModel(torch.tensor([[3.0], [0.8]]), torch.float32)(torch.tensor([[1.0]]))
    tensor([[3.8000]], grad_fn=<AddmmBackward0>)
    """

    def __init__(self, coef: Tensor, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        features, outputs = coef.shape[0] - 1, coef.shape[1]
        # On "meta" it draws no random numbers, of which there are none without features: torch warns of that.
        self.linear = nn.Linear(features or 1, outputs, device="meta")
        self.linear.in_features = features
        self.linear.weight = nn.Parameter(coef[:-1].T.to(dtype, copy=True).contiguous())
        self.linear.bias = nn.Parameter(coef[-1].to(dtype, copy=True))

    def forward(self, x: Tensor) -> Tensor:
        """Predictions, shape (n, k), for features of shape (n, p)."""
        out: Tensor = self.linear(x)
        return out
