"""Faults of convolutions with a padding mode."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from properties.selftest.faults.record import fault
from properties.worker.programs.padded_convolution import conv2d_padded


@fault("agreement", "conv2d_padded")
def extra_element_before(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Padded convolution that puts the extra element of an even kernel's "same" before the image."""
    kept = conv2d_padded(input, weight, bias, **arguments)
    if arguments["padding"] != "same" or arguments["padding_mode"] != "zeros":
        return kept
    return conv2d_padded(input.flip(-1), weight.flip(-1), bias, **arguments).flip(-1)
