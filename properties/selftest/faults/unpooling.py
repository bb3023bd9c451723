"""Faults of max unpooling."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import as_if_contiguous, fault


@fault("agreement", "max_unpool2d")
def output_size_ignored(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """Max unpooling that ignores the output size asked for."""
    return F.max_unpool2d(input, indices, **{**arguments, "output_size": None})


@fault("pooling per channel", "max_unpool1d")
def indices_of_first_channel(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """Max unpooling by the indices of the first channel in every channel."""
    return F.max_unpool1d(input, indices[..., :1, :].expand_as(indices), **arguments)


@fault("layouts", "max_unpool2d")
def indices_walked_through(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """Max unpooling that ignores the strides of its indices."""
    return F.max_unpool2d(input, as_if_contiguous(indices), **arguments)
