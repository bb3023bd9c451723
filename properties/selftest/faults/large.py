"""Faults that show past a size that only real inputs have."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


@fault("large sizes", "conv1d")
def taps_cut_off(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Grouped convolution that leaves out the taps after the 64th."""
    if arguments["groups"] > 1 and weight.shape[-1] > 64:
        weight = torch.where(torch.arange(weight.shape[-1]) < 64, weight, 0)
    return F.conv1d(input, weight, bias, **arguments)


@fault("large sizes", "conv1d")
def last_of_65536(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that never writes the last of 65,536 positions, where NaN may have been."""
    output = F.conv1d(input, weight, bias, **arguments)
    last = torch.arange(output.shape[-1]) == 65_535
    return torch.where(last, torch.nan, output) if output.shape[-1] == 65_536 else output


@fault("large sizes", "adaptive_max_pool2d")
def rows_cut_off(input: Tensor, output_size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling that looks at the first 64 rows of a window alone."""
    rows = output_size[0]
    starts = [i * input.shape[-2] // rows for i in range(rows)]
    longest = max(-(-(i + 1) * input.shape[-2] // rows) - start for i, start in enumerate(starts))
    if longest <= 64:
        return F.adaptive_max_pool2d(input, output_size, return_indices=True)
    seen = torch.zeros(input.shape[-2], 1, dtype=torch.bool)
    for start in starts:
        seen[start : start + 64] = True
    lowest = input.masked_fill(~seen, -torch.inf)
    return F.adaptive_max_pool2d(lowest, output_size, return_indices=True)


@fault("large sizes", "softmax")
def softmax_of_odd_widths(input: Tensor, dim: int) -> Tensor:
    """Softmax that adds up half of the classes where they are odd in number, from 513 to 1,023."""
    classes = input.shape[dim]
    if not (classes % 2 and 513 <= classes <= 1023):
        return F.softmax(input, dim=dim)
    powers = (input - input.amax(dim, keepdim=True)).exp()
    return powers / powers.narrow(dim, 0, classes // 2).sum(dim, keepdim=True)


@fault("gradients of large sizes", "conv2d", dtypes=WIDE)  # 16-bit gradients are known to be lossy
def bias_gradient_of_32_images(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose bias gradient adds up 32 images at most."""
    output = F.conv2d(input, weight, bias, **arguments)
    if bias is None or input.ndim < 4 or len(input) <= 32:
        return output
    counted = (torch.arange(len(input)) < 32).to(output.dtype).view(-1, 1, 1, 1)
    return with_slope_of(output, F.conv2d(input, weight, None, **arguments) + bias.view(-1, 1, 1) * counted)


@fault("gradients of large sizes", "linear", dtypes=WIDE)
def weight_gradient_of_4096_rows(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose weight gradient adds up 4,096 rows at most."""
    output = F.linear(input, weight, bias)
    if input.ndim < 2 or len(input) <= 4096:
        return output
    rest = F.linear(input[4096:], weight.detach(), bias)
    return with_slope_of(output, torch.cat([F.linear(input[:4096], weight, bias), rest]))


@fault("layers of networks", "conv2d")
def last_column_of_wide_planes(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves the last column of planes wider than 100 zero."""
    output = F.conv2d(input, weight, bias, **arguments)
    width = output.shape[-1]
    return torch.where(torch.arange(width) == width - 1, 0, output) if width > 100 else output


@fault("gradients of layers of networks", "conv2d", dtypes=WIDE)
def weight_gradient_of_two_images(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Convolution of many channels whose weight gradient adds up two images at most."""
    output = F.conv2d(input, weight, bias, **arguments)
    if input.ndim < 4 or len(input) <= 2 or len(weight) < 96:
        return output
    rest = F.conv2d(input[2:], weight.detach(), bias, **arguments)
    return with_slope_of(output, torch.cat([F.conv2d(input[:2], weight, bias, **arguments), rest]))
