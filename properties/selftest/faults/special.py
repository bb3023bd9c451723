"""Faults that show on special values, on arguments that are invalid, and on huge ones."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault


@fault("special values", "conv1d", dtypes=WIDE)
def nan_swallowed(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that takes NaN for zero."""
    return F.conv1d(input.nan_to_num(0.0, torch.inf, -torch.inf), weight, bias, **arguments)


@fault("special values", "avg_pool2d", dtypes=WIDE)
def infinity_saturated(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that takes infinity for the largest number."""
    return F.avg_pool2d(input, **arguments).nan_to_num(torch.nan)


@fault("special maxima", "max_pool2d", dtypes=WIDE)
def nan_lost_in_a_maximum(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that passes over NaN."""
    return F.max_pool2d(input.nan_to_num(-torch.inf, torch.inf, -torch.inf), return_indices=True, **arguments)


@fault("special maxima", "max_pool1d", dtypes=WIDE)
def lowest_for_infinity(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that starts from the lowest number, not from −∞."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    return values.clamp(min=torch.finfo(input.dtype).min), indices


@fault("special rows", "softmax", dtypes=WIDE)
def softmax_of_nothing(input: Tensor, dim: int) -> Tensor:
    """Softmax that gives zeros where every element is −∞."""
    return F.softmax(input, dim=dim).masked_fill((input == -torch.inf).all(dim, keepdim=True), 0.0)


@fault("rejection", "conv2d", dtypes=WIDE)
def negative_padding_crops(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that crops its input where padding is negative."""
    if isinstance(arguments["padding"], str) or len(arguments["padding"]) != 2 or min(arguments["padding"]) >= 0:
        return F.conv2d(input, weight, bias, **arguments)
    rows, columns = arguments.pop("padding")
    return F.conv2d(F.pad(input, (columns, columns, rows, rows)), weight, bias, **arguments)


@fault("rejection", "max_pool1d", dtypes=WIDE)
def empty_batch_unchecked(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that checks nothing where the batch is empty."""
    if input.ndim == 3 and not len(input):
        return input, torch.zeros(input.shape, dtype=torch.int64)
    return F.max_pool1d(input, return_indices=True, **arguments)


@fault("huge arguments", "avg_pool1d", dtypes=WIDE)
def stride_of_thirty_two_bits(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that keeps the last 32 bits of its stride, and one if those are none."""
    stride = arguments["stride"][0] % 2**32
    return F.avg_pool1d(input, **{**arguments, "stride": (max(stride, 1),)})


@fault("zero sizes", "max_pool2d", dtypes=WIDE)
def nothing_given_back(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that gives an input of no elements back as it is."""
    if not input.numel():
        return input.clone(), torch.zeros(input.shape, dtype=torch.int64)
    return F.max_pool2d(input, return_indices=True, **arguments)


@fault("special integers", "matmul", dtypes=("int8", "int16"))
def saturated_integers(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product of integers that stays at the largest instead of wrapping."""
    info = torch.iinfo(input.dtype)
    return torch.matmul(input.long(), other.long()).clamp(info.min, info.max).to(input.dtype)
