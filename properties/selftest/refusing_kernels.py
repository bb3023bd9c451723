"""Kernels with torch's names that take less than torch, each in a way of its own, and are right where they answer."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0) -> Tensor:
    """Takes no input without a batch, and has neither dilation nor groups."""
    if input.ndim != 3:
        raise ValueError("expected (N, C, L)")
    return torch.conv1d(input, weight, bias, stride, padding)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Takes no input without a batch that is wider than four, and any other."""
    assert input.ndim == 4 or input.shape[-1] <= 4
    return F.conv2d(input, weight, bias, **arguments)


def conv3d(input: Tensor, weight: Tensor, bias: Tensor, **arguments: Any) -> Tensor:
    """Takes a bias always, and an example alone."""
    if input.ndim == 5:
        raise RuntimeError("one volume at a time")
    return torch.conv3d(input, weight, bias.reshape(-1), **arguments)


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Takes a stride of 1 alone, and no output padding: it is what fills up a stride."""
    if max(arguments["stride"]) > 1:
        raise ValueError("stride")
    return F.conv_transpose2d(input, weight, bias, **arguments)


def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """Has neither ceil_mode nor indices."""
    return torch.max_pool2d(input, kernel_size, stride or kernel_size, padding, dilation)


def avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """Takes what is contiguous alone."""
    if not input.is_contiguous():
        raise RuntimeError("input must be contiguous")
    return F.avg_pool2d(input, **arguments)


def avg_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, **arguments: Any) -> Tensor:
    """Reads input without a batch as several rows of one channel, and refuses odd numbers of them."""
    if input.ndim == 2:
        if len(input) % 2:
            raise IndexError("rows")
        input = input[:, None]
    return F.avg_pool1d(input, kernel_size, stride, padding, **arguments)


def sigmoid(input: Tensor) -> Tensor:
    """Has no gradient."""
    return torch.sigmoid(input.detach())


def tanh(input: Tensor) -> Tensor:
    """Takes float32 alone."""
    if input.dtype != torch.float32:
        raise TypeError(f"no {input.dtype}")
    return torch.tanh(input)


def relu(input: Tensor) -> Tensor:
    """Takes nothing."""
    raise TypeError("relu is not bound")


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Says itself that it takes no input without a batch."""
    if input.ndim == 3:
        raise NotImplementedError("one image")
    return F.adaptive_avg_pool2d(input, output_size)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Is wrong without a batch."""
    return F.linear(input, weight, bias) + (input.ndim == 1)


def cross_entropy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Has no options, as most that are written for one network."""
    return F.cross_entropy(predictions, targets)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Declines all but few."""
    if input.ndim > 1:
        raise NotImplementedError("several rows")
    return F.log_softmax(input, dim)
