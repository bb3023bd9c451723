"""Convolutions as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv1d."""
    return F.conv1d(input, weight, bias, **arguments)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv2d."""
    return F.conv2d(input, weight, bias, **arguments)


def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv3d."""
    return F.conv3d(input, weight, bias, **arguments)


def stack_of_ones(input: Tensor, layers: tuple[tuple[int, int, int], ...]) -> Tensor:
    """1-d convolutions by ones, (kernel, stride, dilation) each."""
    for kernel, stride, dilation in layers:
        input = F.conv1d(input, torch.ones(1, 1, kernel).to(input), stride=stride, dilation=dilation)
    return input


def squared_error_of_convolution(weight: Tensor, input: Tensor, target: Tensor) -> Tensor:
    """The summed squared error of a bias-free convolution (S7)."""
    return ((F.conv2d(input, weight) - target) ** 2).sum()
