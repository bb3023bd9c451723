"""Faults of adaptive pooling, and a pooling that is right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.correct import widened
from properties.selftest.faults.record import WIDE, correct, fault, with_slope_of


def averages(x: Tensor, windows: list[tuple[int, int]]) -> Tensor:
    """The mean of each window along the last axis."""
    return torch.stack([x[..., start:stop].mean(-1) for start, stop in windows], dim=-1)


@fault("agreement", "adaptive_avg_pool1d")
def adaptive_end_rounded_down(input: Tensor, output_size: tuple[int]) -> Tensor:
    """Adaptive average pooling whose windows end at the floor of where the next begins."""
    size, (outputs,) = input.shape[-1], output_size
    starts = [i * size // outputs for i in range(outputs)]
    return averages(input, [(s, max(s + 1, (i + 1) * size // outputs)) for i, s in enumerate(starts)])


@fault("geometry", "adaptive_avg_pool2d")
def none_is_one(input: Tensor, output_size: tuple[int | None, ...]) -> Tensor:
    """Adaptive average pooling that takes a size of None for one."""
    rows, columns = (size or 1 for size in output_size)
    return F.adaptive_avg_pool2d(input, (rows, columns))


@fault("gradients", "adaptive_avg_pool2d", dtypes=WIDE)
def gradient_divided_by_longest(input: Tensor, output_size: tuple[int | None, ...]) -> Tensor:
    """Adaptive average pooling whose gradient is divided by the extent of the longest window of a row."""
    output = F.adaptive_avg_pool2d(input, output_size)  # type: ignore[arg-type]
    size, outputs = input.shape[-1], output.shape[-1]
    counts = torch.tensor([-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs)])
    return with_slope_of(output, output * (counts / counts.max()).to(output.dtype))


@fault("agreement", "adaptive_max_pool1d")
def index_in_window(input: Tensor, output_size: tuple[int]) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling whose indices count from the start of the window."""
    values, indices = F.adaptive_max_pool1d(input, output_size, return_indices=True)
    starts = torch.arange(values.shape[-1]) * input.shape[-1] // values.shape[-1]
    return values, indices - starts


@correct("adaptive_avg_pool1d")
def adaptive_window_by_window(input: Tensor, output_size: tuple[int]) -> Tensor:
    """Adaptive average pooling window by window."""
    (x,), size, (outputs,) = widened(input), input.shape[-1], output_size
    windows = [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
    return averages(x, windows).to(input.dtype)
