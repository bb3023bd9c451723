"""Faults of shuffles."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import as_if_contiguous, fault, with_slope_of


@fault("agreement", "pixel_shuffle")
def shuffle_of_depth_to_space(input: Tensor, upscale_factor: int) -> Tensor:
    """Pixel shuffle that has the output's channels innermost, as depth_to_space does."""
    return F.pixel_shuffle(
        input.unflatten(-3, (upscale_factor**2, -1)).transpose(-4, -3).flatten(-4, -3), upscale_factor
    )


@fault("agreement", "pixel_unshuffle")
def unshuffle_by_columns(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixel unshuffle that takes the columns of a block before its rows."""
    r = downscale_factor
    blocks = F.pixel_unshuffle(input, r).unflatten(-3, (-1, r, r))
    return blocks.transpose(-4, -3).flatten(-5, -3)


@fault("agreement", "channel_shuffle")
def channel_shuffle_back(input: Tensor, groups: int) -> Tensor:
    """Channel shuffle that undoes one."""
    return F.channel_shuffle(input, input.shape[1] // groups)


@fault("gradients", "pixel_shuffle")
def shuffle_of_a_doubled_gradient(input: Tensor, upscale_factor: int) -> Tensor:
    """Pixel shuffle that adds the gradient of each element up over the factor."""
    y = F.pixel_shuffle(input, upscale_factor)
    return y.detach() + upscale_factor * (y - y.detach())


@fault("layouts", "channel_shuffle")
def channel_shuffle_of_memory(input: Tensor, groups: int) -> Tensor:
    """Channel shuffle of an input's memory, whatever its strides."""
    return with_slope_of(F.channel_shuffle(as_if_contiguous(input.detach()), groups), F.channel_shuffle(input, groups))
