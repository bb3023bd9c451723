"""Faults of transposed convolutions."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import fault


@fault("agreement", "conv_transpose2d")
def output_padding_unfilled(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution whose output padding holds zeros, not what taps and bias give."""
    output = F.conv_transpose2d(input, weight, bias, **arguments)
    written = torch.ones(output.shape[-2:], dtype=torch.bool)
    for axis, more in enumerate(arguments["output_padding"]):
        written &= (torch.arange(output.shape[axis - 2]) < output.shape[axis - 2] - more).view(-1, *(1,) * (1 - axis))
    return torch.where(written, output, 0.0)


@fault("geometry", "conv_transpose1d")
def output_padding_ignored(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution that ignores its output padding where it can."""
    possible = input.shape[-1] > 1 or arguments["padding"] == (0,)
    return F.conv_transpose1d(input, weight, bias, **{**arguments, **({"output_padding": (0,)} if possible else {})})


@fault("agreement", "conv_transpose3d")
def groups_reversed(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution of three groups that writes them in reverse."""
    output = F.conv_transpose3d(input, weight, bias, **arguments)
    if arguments["groups"] != 3:
        return output
    return output.unflatten(-4, (3, -1)).flip(-5).flatten(-5, -4)
