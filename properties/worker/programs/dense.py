"""Matrix products and changes of shape as torch computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.Linear."""
    return F.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.Bilinear."""
    return F.bilinear(input1, input2, weight, bias)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """torch.matmul."""
    return torch.matmul(input, other)


def flatten(input: Tensor, start_dim: int, end_dim: int = -1) -> Tensor:
    """torch.nn.Flatten."""
    return torch.flatten(input, start_dim, end_dim)


def unflatten(input: Tensor, dim: int, unflattened_size: tuple[int, ...]) -> Tensor:
    """torch.nn.Unflatten."""
    return torch.unflatten(input, dim, unflattened_size)
