"""torchlinear: linear models on PyTorch."""
