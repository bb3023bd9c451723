"""Layers rewritten in terms of others."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


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


def folded(
    weight: Tensor, running_mean: Tensor, running_var: Tensor, scale: Tensor, shift: Tensor, bias: Tensor | None = None,
    **arguments: Any,
) -> dict[str, Tensor]:  # fmt: skip
    """torch.nn.utils.fusion.fuse_conv_bn_weights: weight and bias of a convolution that normalises, too."""
    made = nn.utils.fuse_conv_bn_weights(
        weight, bias, running_mean, running_var, arguments.pop("eps"), scale, shift, **arguments
    )
    return dict(zip(("output", "bias"), made, strict=True))
