"""Activations, losses, updates and initial values as torch computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sigmoid(input: Tensor) -> Tensor:
    """torch.nn.Sigmoid."""
    return F.sigmoid(input)


def softmax(input: Tensor) -> Tensor:
    """torch.nn.Softmax over the last axis."""
    return F.softmax(input, dim=-1)


def log_softmax(input: Tensor) -> Tensor:
    """torch.nn.LogSoftmax over the last axis."""
    return F.log_softmax(input, dim=-1)


def cross_entropy(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """torch.nn.CrossEntropyLoss, mean over the batch."""
    return F.cross_entropy(input, _labels(target, input))


def correct(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """How many rows the chapter's ``accuracy`` counts as right."""
    return (input.argmax(dim=1) == _labels(target, input)).sum()


def sgd(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """One step of torch.optim.SGD."""
    stepped = nn.Parameter(parameter.clone())
    stepped.grad = gradient.clone()
    torch.optim.SGD([stepped], lr=lr, weight_decay=weight_decay).step()
    return stepped.detach()


def xavier_uniform(empty: Tensor, seed: int) -> Tensor:
    """torch.nn.init.xavier_uniform_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_uniform_(empty.clone())


def _labels(target: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(target, dtype=torch.int64, device=like.device)
