"""Faults of unfold and fold."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault


@fault("agreement", "fold", dtypes=WIDE)
def fold_overwrites(input: Tensor, output_size: tuple[int, int], **window: Any) -> Tensor:
    """Fold that keeps the last column of those that meet and does not add."""
    places = torch.arange(1, output_size[0] * output_size[1] + 1, dtype=torch.float64).view(1, 1, *output_size)
    where = F.unfold(places, **window).long().view(-1)
    columns = input.unflatten(-2, (-1, where.numel() // input.shape[-1])).flatten(-2)
    kept = torch.zeros(*columns.shape[:-1], places.numel() + 1, dtype=input.dtype)
    for element in range(where.numel()):
        kept[..., where[element]] = columns[..., element]
    return kept[..., 1:].unflatten(-1, output_size)


@fault("agreement", "unfold")
def unfold_interleaves_channels(input: Tensor, **window: Any) -> Tensor:
    """Unfold whose columns have the channels innermost."""
    return F.unfold(input, **window).unflatten(-2, (input.shape[-3], -1)).transpose(-3, -2).flatten(-3, -2)
