"""Faults of adaptive, power-average and fractional pooling and of max unpooling, and correct programs."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.correct import widened
from properties.selftest.faults.record import WIDE, as_if_contiguous, correct, fault, with_slope_of


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


@fault("agreement", "lp_pool1d")
def root_forgotten(input: Tensor, norm_type: float, kernel_size: tuple[int], **arguments: Any) -> Tensor:
    """Power-average pooling that forgets the root."""
    stride = arguments.pop("stride", kernel_size)[0]
    output = F.lp_pool1d(input, norm_type, kernel_size[0], stride, **arguments)
    return output if math.isinf(norm_type) else output.pow(norm_type)


@fault("agreement", "lp_pool2d", dtypes=(*WIDE, "float16"))  # in bfloat16 the ledger knows most sums of odd powers
def powers_of_absolute_values(input: Tensor, **arguments: Any) -> Tensor:
    """Power-average pooling that takes absolute values first."""
    return F.lp_pool2d(input.abs(), **arguments)


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


@fault("agreement", "fractional_max_pool2d")
def last_window_misplaced(
    input: Tensor, samples: Tensor, kernel_size: tuple[int, int], output_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Fractional max pooling whose last column of windows starts one element early."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]

    def pooled(image: Tensor) -> tuple[Tensor, Tensor]:
        return F.fractional_max_pool2d(image, kernel_size, output_size, return_indices=True, _random_samples=random)

    values, indices = pooled(input)
    width = input.shape[-1]
    if kernel_size[1] + output_size[1] > width:
        return values, indices
    early, at = pooled(input[..., :-1])
    at = at // (width - 1) * width + at % (width - 1)
    return tuple(torch.cat([a[..., :-1], b[..., -1:]], -1) for a, b in ((values, early), (indices, at)))  # type: ignore[return-value]


@correct("adaptive_avg_pool1d")
def adaptive_window_by_window(input: Tensor, output_size: tuple[int]) -> Tensor:
    """Adaptive average pooling window by window."""
    (x,), size, (outputs,) = widened(input), input.shape[-1], output_size
    windows = [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
    return averages(x, windows).to(input.dtype)


@correct("lp_pool1d", dtypes=WIDE)
def powers_summed(
    input: Tensor, norm_type: float, kernel_size: tuple[int], stride: tuple[int] | None = None, ceil_mode: bool = False
) -> Tensor:
    """Power-average pooling as a sum over windows that are cut out, the last one padded with zeros."""
    step = (kernel_size if stride is None else stride)[0]
    if math.isinf(norm_type):
        return F.lp_pool1d(input, norm_type, kernel_size[0], step, ceil_mode)
    outputs = F.lp_pool1d(input.detach(), 1.0, kernel_size[0], step, ceil_mode).shape[-1]
    beyond = max((outputs - 1) * step + kernel_size[0] - input.shape[-1], 0)
    sums = F.pad(input.pow(norm_type), (0, beyond)).unfold(-1, kernel_size[0], step).sum(-1)
    roots = torch.where(sums == 0, 1.0, sums).abs().pow(1 / norm_type)
    return torch.where(sums == 0, 0.0, sums.sign() * roots)
