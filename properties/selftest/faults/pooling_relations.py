"""Faults of pooling that are there for laws about several calls to catch."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of

Maxima = tuple[Tensor, Tensor]


@fault("adjoint", "avg_pool2d", dtypes=WIDE)
def half_as_large_again(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient is half as large again."""
    output = F.avg_pool2d(input, **arguments)
    return with_slope_of(output, output * 1.5)


@fault("exchanged axes", "avg_pool2d")
def stride_of_rows(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that takes the stride of its rows for its columns."""
    rows = arguments.get("stride", arguments["kernel_size"])[0]
    return F.avg_pool2d(input, **{**arguments, "stride": (rows, rows)})


@fault("shuffled batch", "max_pool2d")
def third_for_the_rest(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling that takes the third image of a batch for every one after it."""
    images = input[torch.arange(len(input)).clamp(max=2)] if input.ndim == 4 else input
    return F.max_pool2d(images, return_indices=True, **arguments)


@fault("shuffled channels", "avg_pool1d")
def sixteen_channels(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that takes the sixteenth channel for every one after it."""
    return F.avg_pool1d(input.index_select(-2, torch.arange(input.shape[-2]).clamp(max=15)), **arguments)


@fault("stride = subsampling", "max_pool1d")
def late_at_stride_three(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling whose windows start one element late where the stride is three."""
    late = arguments.get("stride", arguments["kernel_size"]) == (3,)
    return F.max_pool1d(input.roll(-1, -1) if late else input, return_indices=True, **arguments)


@fault("padding = explicit border", "avg_pool3d", dtypes=WIDE)
def padded_with_ones(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that pads with ones."""
    return F.avg_pool3d(input - 1, **arguments) + 1


@fault("average = constant kernels", "avg_pool2d")
def divisor_one_too_large(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that divides by one more than there are elements in a window."""
    elements = math.prod(arguments["kernel_size"])
    return F.avg_pool2d(input, **arguments) * (elements / (elements + 1))


@fault("composition", "max_pool2d")
def windows_of_four(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling that leaves out the last column of windows of more than four."""
    rows, columns = arguments["kernel_size"]
    if columns > 4:
        input = input[..., : -arguments["dilation"][1]]
        arguments = {**arguments, "kernel_size": (rows, columns - 1)}
    return F.max_pool2d(input, return_indices=True, **arguments)


@fault("monotone maps", "max_pool1d")
def saturating_maxima(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling that saturates at fifty."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    return values.clamp(max=50), indices


@fault("constants stay", "avg_pool2d")
def whole_window_always(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that always divides by the whole window."""
    return F.avg_pool2d(input, **{**arguments, "divisor_override": math.prod(arguments["kernel_size"])})


@fault("indices of maxima", "max_pool2d")
def indices_in_padded_rows(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling whose indices count the padding of a row."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    columns = input.shape[-1]
    return values, indices + indices // columns * 2 * arguments["padding"][1]


@fault("gradient mass", "max_pool3d", dtypes=WIDE)
def gradient_lost_in_last_plane(input: Tensor, **arguments: Any) -> Maxima:
    """Max pooling whose gradient is lost in the last of several planes."""
    kept = torch.arange(input.shape[-3])[:, None, None] < max(input.shape[-3] - 1, 1)
    return F.max_pool3d(torch.where(kept, input, input.detach()), return_indices=True, **arguments)
