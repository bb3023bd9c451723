"""Losses of class probabilities as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy_probabilities(
    input: Tensor, target: Tensor, weight: tuple[float, ...] | None = None, **options: Any
) -> Tensor:
    """torch.nn.CrossEntropyLoss of class probabilities."""
    weights = None if weight is None else torch.tensor(weight, dtype=torch.float64).to(input)
    return F.cross_entropy(input, target, weights, **options)
