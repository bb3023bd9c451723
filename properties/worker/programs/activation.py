"""Activations as torch computes them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def sigmoid(input: Tensor) -> Tensor:
    """torch.nn.Sigmoid."""
    return F.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """torch.nn.Tanh."""
    return F.tanh(input)


def relu(input: Tensor) -> Tensor:
    """torch.nn.ReLU."""
    return F.relu(input)


def softmax(input: Tensor, dim: int) -> Tensor:
    """torch.nn.Softmax."""
    return F.softmax(input, dim=dim)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """torch.nn.LogSoftmax."""
    return F.log_softmax(input, dim=dim)
