"""Faults that show in long sums alone."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import SIXTEEN, fault

BLOCK = 128


@fault("agreement", "linear", dtypes=SIXTEEN)
def linear_blocks_in_storage(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that adds up blocks of 128 products in its 16-bit storage."""
    blocks = zip(input.split(BLOCK, -1), weight.split(BLOCK, -1), strict=True)
    total, *others = (F.linear(x, w) for x, w in blocks)
    if not others:
        return F.linear(input, weight, bias)
    for other in others:
        total = total + other
    return total if bias is None else total + bias


@fault("agreement", "conv2d")
def conv2d_without_last_channels(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves out what channels there are past 256."""
    if weight.shape[1] <= 256:
        return F.conv2d(input, weight, bias, **arguments)
    return F.conv2d(input[..., :256, :, :], weight[:, :256], bias, **arguments)
