"""Faults of gradients of gradients of poolings, behind outputs and gradients that are right."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


class _RootOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, sums: Tensor, power: float) -> Tensor:
        context.save_for_backward(sums)
        context.power = power
        return sums.pow(1.0 / power)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (sums,) = context.saved_tensors
        slope = (sums.pow(1.0 / context.power - 1.0) / context.power).detach()
        return torch.where(sums == 0, 0.0, gradient * slope), None


@fault("gradients of gradients", "lp_pool1d", dtypes=WIDE)
def root_with_a_constant_slope(
    input: Tensor, norm_type: float, kernel_size: tuple[int], stride: tuple[int] | None = None, ceil_mode: bool = False
) -> Tensor:
    """Power-average pooling whose root is differentiated once more as if its slope were constant."""
    step = (kernel_size if stride is None else stride)[0]
    if norm_type != 2 or input.ndim != 3:
        return F.lp_pool1d(input, norm_type, kernel_size[0], step, ceil_mode)
    sums = F.avg_pool1d(input.pow(2), kernel_size[0], step, 0, ceil_mode) * kernel_size[0]
    return _RootOnce.apply(sums, 2.0)


class _SignForgotten(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor) -> Tensor:
        context.save_for_backward(input)
        return input.abs()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (input,) = context.saved_tensors
        return with_slope_of(gradient * input.detach().sign(), gradient)


@fault("gradients of gradients", "lp_pool2d")
def second_gradient_without_sign(input: Tensor, norm_type: float, **arguments: Any) -> Tensor:
    """Power-average pooling of infinite power whose second gradient forgets the sign of what it took."""
    taken = _SignForgotten.apply(input) if norm_type == float("inf") else input
    return F.lp_pool2d(taken, norm_type, **arguments)
