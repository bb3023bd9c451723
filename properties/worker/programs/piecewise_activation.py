"""Activations in pieces as torch computes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.worker.programs.dropout import seeded


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


def hardshrink(input: Tensor, **arguments: Any) -> Any:
    """torch.nn.Hardshrink."""
    return F.hardshrink(input, **arguments)


def softshrink(input: Tensor, **arguments: float) -> Any:
    """torch.nn.Softshrink."""
    return F.softshrink(input, **arguments)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """torch.nn.Threshold."""
    return placed(input, F.threshold, inplace, threshold=threshold, value=value)


def rrelu(input: Tensor, inplace: bool = False, seed: int | None = None, **arguments: Any) -> Any:
    """torch.nn.RReLU, its slopes drawn from a seed."""
    with contextlib.nullcontext() if seed is None else seeded(seed):
        return placed(input, F.rrelu, inplace, **arguments)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.Hardsigmoid."""
    return placed(input, F.hardsigmoid, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Any:
    """torch.nn.Hardswish."""
    return placed(input, F.hardswish, inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """torch.nn.PReLU."""
    return F.prelu(input, weight)
