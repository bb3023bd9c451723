"""Faults that show on special values: in outputs, in gradients and in losses."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of
from properties.worker.programs.loss import cross_entropy, nll_loss
from properties.worker.programs.padded_convolution import conv2d_padded


@fault("special rows", "log_softmax")
def infinity_beside_nan(input: Tensor, dim: int) -> Tensor:
    """Logarithm of softmax that leaves −∞ in a row of NaN."""
    return torch.where(input == -torch.inf, input, F.log_softmax(input, dim=dim))


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


@fault("special integers", "matmul", dtypes=("int8", "int16"))
def saturated_integers(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product of integers that stays at the largest instead of wrapping."""
    info = torch.iinfo(input.dtype)
    return torch.matmul(input.long(), other.long()).clamp(info.min, info.max).to(input.dtype)


@fault("special values", "conv2d_padded", dtypes=WIDE)
def padding_from_the_neighbour(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Padded convolution that adds nothing of a neighbouring column, times zero."""
    beside = input + 0.0 * input.roll(1, -1)
    return conv2d_padded(beside, weight, bias, **arguments)


@fault("special values", "conv_transpose1d", dtypes=(*WIDE, "float16"))
def infinity_spread_by_zeros(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution that multiplies each element with zeros beyond its kernel."""
    output = F.conv_transpose1d(input, weight, bias, **arguments)
    return output + 0.0 * input.sum()


class _Finite(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, output: Tensor) -> Tensor:
        return output.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient.nan_to_num(0.0, torch.inf, -torch.inf)


@fault("special gradients", "linear", dtypes=WIDE)
def cotangent_without_nan(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that takes NaN in the gradient of its output for zero."""
    return _Finite.apply(F.linear(input, weight, bias))


@fault("special gradients", "tanh", dtypes=WIDE)
def tangent_without_nan(input: Tensor) -> Tensor:
    """Tanh that takes NaN in the gradient of its output for zero."""
    return _Finite.apply(torch.tanh(input))


@fault("equal elements", "relu")
def slope_at_nan_in_the_tail(input: Tensor) -> Tensor:
    """ReLU that takes the slope at NaN for one in whole vectors of eight, and for zero in the tail."""
    whole = torch.arange(input.shape[-1]) < input.shape[-1] // 8 * 8
    slope = torch.where(input.isnan() & whole, input, F.relu(torch.where(input.isnan(), input.detach(), input)))
    return with_slope_of(F.relu(input), slope)


@fault("special gradients", "avg_pool2d", dtypes=WIDE)
def gradient_through_every_window(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient adds nothing of all windows, times zero, to each."""
    output = F.avg_pool2d(input, **arguments)
    return with_slope_of(output, output + 0.0 * output.sum())


@fault("special losses", "nll_loss", dtypes=WIDE)
def ignored_times_zero(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Negative log-likelihood that multiplies the rows it ignores by zero."""
    loss = nll_loss(input, target, **options)
    counted = torch.tensor(target) != options.get("ignore_index", -100)
    return loss if counted.all() else loss + 0.0 * input.sum()


@fault("special losses", "cross_entropy", dtypes=WIDE)
def infinity_of_another_row(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Cross-entropy that shifts all rows by the largest logit of any."""
    if input.ndim != 2 or not len(input):
        return cross_entropy(input, target, **options)
    return cross_entropy(input - input.detach().max(), target, **options)
