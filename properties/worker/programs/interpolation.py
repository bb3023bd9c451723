"""Interpolation as torch computes it."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def interpolate_nearest(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.functional.interpolate to the nearest element."""
    return F.interpolate(input, **arguments)


def interpolate_linear(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.functional.interpolate between two elements of each axis."""
    return F.interpolate(input, **arguments)


def interpolate_bicubic(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.functional.interpolate between four elements of both axes."""
    return F.interpolate(input, **arguments)


def interpolate_antialiased(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.functional.interpolate with a filter as wide as the scale."""
    return F.interpolate(input, **arguments)
