"""Convolutions with a padding mode as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv1d_padded(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv1d with its padding_mode."""
    return _padded(nn.Conv1d, F.conv1d, input, weight, bias, **arguments)


def conv2d_padded(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv2d with its padding_mode."""
    return _padded(nn.Conv2d, F.conv2d, input, weight, bias, **arguments)


def conv3d_padded(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv3d with its padding_mode."""
    return _padded(nn.Conv3d, F.conv3d, input, weight, bias, **arguments)


def _padded(
    layer: Any, convolve: Any, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, **arguments: Any
) -> Tensor:
    """The layer itself, which works out the amounts to pad by when it is made, given these weights.

    Where it cannot be, what it does: torch.compile traces no layer that is being made, and kernels stand for the
    functions of this module, not for those that the layer calls. A function that is made of a layer takes its mode.
    """
    if hasattr(convolve, "made"):
        return convolve(input, weight, bias, groups=groups, **arguments)
    if F is not torch.nn.functional or torch.compiler.is_compiling():
        return _padded_in_two_steps(convolve, input, weight, bias, groups=groups, **arguments)
    channels = weight.shape[1] * groups, weight.shape[0]
    about = {"groups": groups, "bias": bias is not None, "device": weight.device, **arguments}
    made = layer(*channels, tuple(weight.shape[2:]), **about)
    parameters = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return torch.func.functional_call(made, parameters, (input,))


def _padded_in_two_steps(
    convolve: Any, input: Tensor, weight: Tensor, bias: Tensor | None, padding: Any, padding_mode: str,
    dilation: tuple[int, ...], **arguments: Any,
) -> Tensor:  # fmt: skip
    """Zeros are the convolution's own padding; any other comes before it, and is torch's, whoever convolves."""
    if padding_mode == "zeros":
        return convolve(input, weight, bias, padding=padding, dilation=dilation, **arguments)
    if padding == "same":
        if any(step != 1 for step in arguments["stride"]):
            raise ValueError("padding='same' is not supported for strided convolutions")
        totals = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    else:
        sides = [(amount, amount) for amount in ([0] * len(dilation) if padding == "valid" else padding)]
    amounts = [amount for side in reversed(sides) for amount in side]
    padded = torch.nn.functional.pad(input, amounts, mode=padding_mode)  # not F's, for which kernels may stand
    return convolve(padded, weight, bias, dilation=dilation, **arguments)
