"""Losses as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Numbers = int | tuple[Any, ...]
"""One class, or nested tuples of classes or of probabilities."""


def cross_entropy(input: Tensor, target: Numbers, weight: tuple[float, ...] | None = None, **options: Any) -> Tensor:
    """torch.nn.CrossEntropyLoss."""
    return F.cross_entropy(input, _target(target, input), _weight(weight, input), **options)


def nll_loss(input: Tensor, target: Numbers, weight: tuple[float, ...] | None = None, **options: Any) -> Tensor:
    """torch.nn.NLLLoss."""
    return F.nll_loss(input, _target(target, input), _weight(weight, input), **options)


def correct(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """How many rows the chapter's ``accuracy`` counts as right."""
    return (input.argmax(dim=1) == _target(target, input)).sum()


def _target(target: Numbers, like: Tensor) -> Tensor:
    """Classes as integers; in the shape of the input, they are probabilities."""
    numbers = torch.tensor(target, dtype=torch.float64)
    return numbers.to(device=like.device, dtype=like.dtype if numbers.shape == like.shape else torch.int64)


def _weight(weight: tuple[float, ...] | None, like: Tensor) -> Tensor | None:
    return None if weight is None else torch.tensor(weight, dtype=torch.float64).to(like)
