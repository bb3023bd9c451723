"""Layers rewritten in terms of others."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def unfolded_conv2d(input: Tensor, weight: Tensor, groups: int, **window: Any) -> Tensor:
    """torch.nn.Conv2d without a bias, as one matrix product for each group with the patches of torch.nn.Unfold."""
    patches = F.unfold(input, weight.shape[2:], **window).unflatten(-2, (groups, -1))
    products = weight.view(groups, len(weight) // groups, -1) @ patches
    rows, columns = (
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(
            input.shape[-2:], weight.shape[2:], window["stride"], window["padding"], window["dilation"], strict=True
        )
    )
    return products.flatten(-3, -2).unflatten(-1, (rows, columns))
