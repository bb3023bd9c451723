"""Power-average poolings as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def lp_pool1d(input: Tensor, kernel_size: tuple[int], stride: tuple[int] | None = None, **arguments: Any) -> Tensor:
    """torch.nn.LPPool1d, whose kernel size is documented as one integer."""
    return F.lp_pool1d(input, kernel_size=kernel_size[0], stride=None if stride is None else stride[0], **arguments)


def lp_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.LPPool2d."""
    return F.lp_pool2d(input, **arguments)


def lp_pool3d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.LPPool3d."""
    return F.lp_pool3d(input, **arguments)
