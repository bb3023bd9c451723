"""Unfold and fold as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def unfold(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.Unfold."""
    return F.unfold(input, **arguments)


def fold(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.Fold."""
    return F.fold(input, **arguments)
