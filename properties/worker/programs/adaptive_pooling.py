"""Adaptive poolings as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def adaptive_max_pool1d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.AdaptiveMaxPool1d: values and indices."""
    return F.adaptive_max_pool1d(input, return_indices=True, **arguments)


def adaptive_max_pool2d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.AdaptiveMaxPool2d: values and indices."""
    return F.adaptive_max_pool2d(input, return_indices=True, **arguments)


def adaptive_max_pool3d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.AdaptiveMaxPool3d: values and indices."""
    return F.adaptive_max_pool3d(input, return_indices=True, **arguments)


def adaptive_avg_pool1d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveAvgPool1d."""
    return F.adaptive_avg_pool1d(input, **arguments)


def adaptive_avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveAvgPool2d."""
    return F.adaptive_avg_pool2d(input, **arguments)


def adaptive_avg_pool3d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveAvgPool3d."""
    return F.adaptive_avg_pool3d(input, **arguments)


def adaptive_max_pool1d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveMaxPool1d without indices."""
    return F.adaptive_max_pool1d(input, **arguments)


def adaptive_max_pool2d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveMaxPool2d without indices."""
    return F.adaptive_max_pool2d(input, **arguments)


def adaptive_max_pool3d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AdaptiveMaxPool3d without indices."""
    return F.adaptive_max_pool3d(input, **arguments)
