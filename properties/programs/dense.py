"""Matrix products and changes of shape as torch computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.Linear."""
    return F.linear(input, weight, bias)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """torch.matmul."""
    return torch.matmul(input, other)


def flatten(input: Tensor, start_dim: int) -> Tensor:
    """torch.nn.Flatten."""
    return torch.flatten(input, start_dim)
