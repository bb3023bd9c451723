"""Transposed convolutions as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.ConvTranspose1d."""
    return F.conv_transpose1d(input, weight, bias, **arguments)


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.ConvTranspose2d."""
    return F.conv_transpose2d(input, weight, bias, **arguments)


def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.ConvTranspose3d."""
    return F.conv_transpose3d(input, weight, bias, **arguments)
