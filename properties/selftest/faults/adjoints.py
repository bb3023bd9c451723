"""Faults of convolutions and their transposes whose outputs are right and whose gradients are another layer's."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


@fault("transpose = input gradient", "conv2d", dtypes=WIDE)
def input_gradient_by_the_same_kernel(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Convolution whose input gradient takes the kernel for its mirror image along the columns."""
    output = F.conv2d(input.detach(), weight, bias, **arguments)
    through = F.conv2d(input, weight.detach().flip(3), None, **arguments)
    return output + (through - through.detach())


@fault("transpose = input gradient", "conv1d", dtypes=WIDE)
def first_tap_never_learns(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose weight gradient leaves out the first tap."""
    output = F.conv1d(input, weight, bias, **arguments)
    kept = weight.clone()
    kept[..., 0] = kept[..., 0].detach()
    return with_slope_of(output, F.conv1d(input, kept, bias, **arguments))


@fault("convolution = transpose's gradient", "conv_transpose1d", dtypes=WIDE)
def gradient_past_the_output(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution whose input gradient leaves out the last element of the output."""
    output = F.conv_transpose1d(input, weight, bias, **arguments)
    slope = output.clone()
    slope[..., -1] = slope[..., -1].detach()
    return with_slope_of(output, slope)


@fault("convolution = transpose's gradient", "conv_transpose2d", dtypes=WIDE)
def gradient_of_swapped_channels(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution whose input gradient takes two output channels for each other."""
    output = F.conv_transpose2d(input, weight, bias, **arguments)
    return with_slope_of(output, F.conv_transpose2d(input, weight.flip(1), bias, **arguments))
