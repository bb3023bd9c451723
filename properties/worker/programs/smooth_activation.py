"""Activations with exponentials as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.worker.programs.piecewise_activation import placed


def elu(input: Tensor, inplace: bool = False, **arguments: float) -> Any:
    """torch.nn.ELU."""
    return placed(input, F.elu, inplace, **arguments)


def selu(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.SELU."""
    return placed(input, F.selu, inplace)


def celu(input: Tensor, inplace: bool = False, **arguments: float) -> Any:
    """torch.nn.CELU."""
    return placed(input, F.celu, inplace, **arguments)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """torch.nn.GELU."""
    return F.gelu(input, approximate=approximate)


def silu(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.SiLU."""
    return placed(input, F.silu, inplace)


def mish(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.Mish."""
    return placed(input, F.mish, inplace)


def softplus(input: Tensor, **arguments: float) -> Tensor:
    """torch.nn.Softplus."""
    return F.softplus(input, **arguments)


def softsign(input: Tensor) -> Tensor:
    """torch.nn.Softsign."""
    return F.softsign(input)


def tanhshrink(input: Tensor) -> Any:
    """torch.nn.Tanhshrink."""
    return F.tanhshrink(input)


def logsigmoid(input: Tensor) -> Tensor:
    """torch.nn.LogSigmoid."""
    return F.logsigmoid(input)


def softmin(input: Tensor, dim: int) -> Tensor:
    """torch.nn.Softmin."""
    return F.softmin(input, dim=dim)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """torch.nn.GLU."""
    return F.glu(input, dim=dim)
