"""Shuffles of channels and positions as torch computes them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """torch.nn.functional.pixel_shuffle."""
    return F.pixel_shuffle(input, upscale_factor=upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """torch.nn.functional.pixel_unshuffle."""
    return F.pixel_unshuffle(input, downscale_factor=downscale_factor)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """torch.nn.functional.channel_shuffle."""
    return F.channel_shuffle(input, groups=groups)
