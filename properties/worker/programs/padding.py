"""Padding as torch computes it: its padding layers call torch.nn.functional.pad with a mode each."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def constant_pad(input: Tensor, padding: tuple[int, ...], **value: Any) -> Tensor:
    """torch.nn.ConstantPad1d/2d/3d and ZeroPad1d/2d/3d."""
    return F.pad(input, padding, mode="constant", **value)


def reflection_pad(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """torch.nn.ReflectionPad1d/2d/3d."""
    return F.pad(input, padding, mode="reflect")


def replication_pad(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """torch.nn.ReplicationPad1d/2d/3d."""
    return F.pad(input, padding, mode="replicate")


def circular_pad(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """torch.nn.CircularPad1d/2d/3d."""
    return F.pad(input, padding, mode="circular")
