"""Reductions over axes as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sum(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """torch.sum; of integers in their own dtype, too, which is widened unless it is asked for."""
    return torch.sum(input, dim, keepdim, dtype=input.dtype)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """torch.mean."""
    return torch.mean(input, dim, keepdim)


def max(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """torch.max over an axis: values and indices."""
    values, indices = torch.max(input, dim, keepdim)
    return values, indices


def min(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """torch.min over an axis: values and indices."""
    values, indices = torch.min(input, dim, keepdim)
    return values, indices


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """torch.argmax."""
    return torch.argmax(input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """torch.argmin."""
    return torch.argmin(input, dim, keepdim)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """torch.logsumexp."""
    return torch.logsumexp(input, dim, keepdim)


def cumsum(input: Tensor, dim: int) -> Tensor:
    """torch.cumsum; of integers in their own dtype, too, which is widened unless it is asked for."""
    return torch.cumsum(input, dim, dtype=input.dtype)


def cumprod(input: Tensor, dim: int) -> Tensor:
    """torch.cumprod."""
    return torch.cumprod(input, dim)
