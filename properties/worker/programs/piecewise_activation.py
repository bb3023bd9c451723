"""Activations in pieces as torch computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor


def placed(input: Tensor, function: Callable[..., Any], inplace: bool, **arguments: Any) -> Any:
    """What a function gives; inplace: what it leaves of a copy of its operand."""
    if not inplace:
        return function(input, **arguments)
    given = input.clone()
    function(given, inplace=True, **arguments)
    return given


def relu6(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.ReLU6."""
    return placed(input, F.relu6, inplace)


def hardtanh(input: Tensor, inplace: bool = False, **arguments: float) -> Any:
    """torch.nn.Hardtanh."""
    return placed(input, F.hardtanh, inplace, **arguments)


def leaky_relu(input: Tensor, inplace: bool = False, **arguments: float) -> Any:
    """torch.nn.LeakyReLU."""
    return placed(input, F.leaky_relu, inplace, **arguments)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.Hardsigmoid."""
    return placed(input, F.hardsigmoid, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.Hardswish."""
    return placed(input, F.hardswish, inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """torch.nn.PReLU."""
    return F.prelu(input, weight)
