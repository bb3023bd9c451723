"""Adaptive, power-average and fractional poolings and max unpooling as torch computes them."""

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


def lp_pool1d(input: Tensor, kernel_size: tuple[int], stride: tuple[int] | None = None, **arguments: Any) -> Tensor:
    """torch.nn.LPPool1d, whose kernel size is documented as one integer."""
    return F.lp_pool1d(input, kernel_size=kernel_size[0], stride=None if stride is None else stride[0], **arguments)


def lp_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.LPPool2d."""
    return F.lp_pool2d(input, **arguments)


def lp_pool3d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.LPPool3d."""
    return F.lp_pool3d(input, **arguments)


def max_unpool1d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool1d."""
    return F.max_unpool1d(input, indices, **arguments)


def max_unpool2d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool2d."""
    return F.max_unpool2d(input, indices, **arguments)


def max_unpool3d(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.MaxUnpool3d."""
    return F.max_unpool3d(input, indices, **arguments)


def fractional_max_pool2d(input: Tensor, samples: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.FractionalMaxPool2d with its random samples: values and indices."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]
    return F.fractional_max_pool2d(input, return_indices=True, _random_samples=random, **arguments)


def fractional_max_pool3d(input: Tensor, samples: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.FractionalMaxPool3d with its random samples: values and indices."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]
    return F.fractional_max_pool3d(input, return_indices=True, _random_samples=random, **arguments)
