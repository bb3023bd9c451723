"""Faults of gradients, and of padded and transposed layers, that show on special values."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of
from properties.worker.programs import convolution
from properties.worker.programs.loss import cross_entropy, nll_loss


@fault("special values", "conv2d_padded", dtypes=WIDE)
def padding_from_the_neighbour(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Padded convolution that adds nothing of a neighbouring column, times zero."""
    beside = input + 0.0 * input.roll(1, -1)
    return convolution.conv2d_padded(beside, weight, bias, **arguments)


@fault("special values", "conv_transpose1d", dtypes=WIDE)
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
