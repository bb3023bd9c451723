"""Products of batches of matrices, of matrices with vectors, and element by element, as torch computes them."""

from __future__ import annotations

import torch
from torch import Tensor


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """torch.bmm."""
    return torch.bmm(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """torch.mv."""
    return torch.mv(input, vec)


def broadcast_matmul(input: Tensor, other: Tensor) -> Tensor:
    """torch.matmul of operands of which one is a vector, or has more than two axes."""
    return torch.matmul(input, other)


def mul(input: Tensor, other: Tensor) -> Tensor:
    """torch.mul."""
    return torch.mul(input, other)
