"""Activations as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.worker.programs.piecewise_activation import placed


def sigmoid(input: Tensor) -> Tensor:
    """torch.nn.Sigmoid."""
    return F.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """torch.nn.Tanh."""
    return F.tanh(input)


def relu(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.ReLU."""
    return placed(input, F.relu, inplace)


def softmax(input: Tensor, dim: int) -> Tensor:
    """torch.nn.Softmax."""
    return F.softmax(input, dim=dim)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """torch.nn.LogSoftmax."""
    return F.log_softmax(input, dim=dim)
