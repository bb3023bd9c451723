"""Max unpoolings as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def max_unpool1d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool1d."""
    return F.max_unpool1d(input, indices, **arguments)


def max_unpool2d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool2d."""
    return F.max_unpool2d(input, indices, **arguments)


def max_unpool3d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool3d."""
    return F.max_unpool3d(input, indices, **arguments)
