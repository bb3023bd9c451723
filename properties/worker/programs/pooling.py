"""Poolings as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def max_pool1d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool1d: values and indices."""
    return F.max_pool1d(input, return_indices=True, **arguments)


def max_pool2d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool2d: values and indices."""
    return F.max_pool2d(input, return_indices=True, **arguments)


def max_pool3d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool3d: values and indices."""
    return F.max_pool3d(input, return_indices=True, **arguments)


def avg_pool1d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool1d."""
    return F.avg_pool1d(input, **arguments)


def avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool2d."""
    return F.avg_pool2d(input, **arguments)


def avg_pool3d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool3d."""
    return F.avg_pool3d(input, **arguments)


def max_pool1d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxPool1d without indices, for which torch has a kernel of its own."""
    return F.max_pool1d(input, **arguments)


def max_pool2d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxPool2d without indices."""
    return F.max_pool2d(input, **arguments)


def max_pool3d_values(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxPool3d without indices."""
    return F.max_pool3d(input, **arguments)
