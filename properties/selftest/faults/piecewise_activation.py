"""Faults of activations in pieces."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import EVERY, fault, with_slope_of
from properties.worker.programs import piecewise_activation as programs


@fault("agreement", "relu6")
def relu6_up_to_eight(input: Tensor) -> Tensor:
    """ReLU6 that cuts off at eight."""
    return input.clamp(0.0, 8.0)


@fault("agreement", "leaky_relu")
def leaky_relu_of_one_slope(input: Tensor, **arguments: Any) -> Tensor:
    """Leaky ReLU that ignores its slope."""
    return F.leaky_relu(input)


@fault("agreement", "hardsigmoid")
def hardsigmoid_of_another_slope(input: Tensor) -> Tensor:
    """Hard sigmoid with the slope 1/5, as other libraries have it."""
    return (input / 5 + 0.5).clamp(0.0, 1.0)


@fault("gradients", "hardswish")
def hardswish_without_the_rule_of_products(input: Tensor) -> Tensor:
    """Gradient of hard swish that takes its gate for a constant."""
    return with_slope_of(F.hardswish(input), input * F.hardsigmoid(input).detach())


@fault("gradients", "prelu")
def prelu_of_all_elements(input: Tensor, weight: Tensor) -> Tensor:
    """Gradient to PReLU's weight that sums positive elements, too."""
    spread = weight.reshape(-1, *(1,) * (input.ndim - 2)) if weight.numel() > 1 else weight
    return with_slope_of(F.prelu(input, weight.detach()), F.prelu(input, weight.detach()) + spread * input.detach())


@fault("special gradients", "prelu")
def prelu_by_masks(input: Tensor, weight: Tensor) -> Tensor:
    """PReLU as a sum of products with masks, whose zeros meet infinite gradients."""
    spread = weight.reshape(-1, *(1,) * (input.ndim - 2)) if weight.numel() > 1 else weight
    positive = (input > 0).to(input.dtype)
    return positive * input + (1 - positive) * spread * input


@fault("special rows", "hardtanh")
def hardtanh_of_nan(input: Tensor, **arguments: Any) -> Tensor:
    """Hard tanh that takes NaN for zero."""
    return F.hardtanh(input.nan_to_num(0.0, torch.inf, -torch.inf), **arguments)


@fault("in place", "leaky_relu")
def leaky_relu_of_a_copy(input: Tensor, inplace: bool = False, **arguments: Any) -> Tensor:
    """Leaky ReLU that leaves its operand as it was where it is told to work in place."""
    return input.clone() if inplace else F.leaky_relu(input, **arguments)


@fault("agreement", "hardshrink")
def hardshrink_with_its_ends(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Hard shrinkage that keeps ±λ."""
    return torch.where(input.abs() < lambd, 0.0, input)


@fault("special rows", "hardshrink")
def hardshrink_of_nan(input: Tensor, **arguments: Any) -> Tensor:
    """Hard shrinkage that takes NaN for zero."""
    return F.hardshrink(input.nan_to_num(0.0, torch.inf, -torch.inf), **arguments)


@fault("agreement", "softshrink")
def softshrink_that_keeps(input: Tensor, **arguments: Any) -> Tensor:
    """Soft shrinkage that is a hard one."""
    return F.hardshrink(input, **arguments)


@fault("gradients", "softshrink")
def softshrink_of_one_slope(input: Tensor, **arguments: Any) -> Tensor:
    """Soft shrinkage whose gradient passes within ±λ, too."""
    return with_slope_of(F.softshrink(input, **arguments), input)


@fault("agreement", "threshold")
def threshold_that_is_kept(input: Tensor, threshold: float, value: float) -> Tensor:
    """Threshold that keeps what equals it."""
    return torch.where(input < threshold, value, input)


@fault("in place", "threshold")
def threshold_of_a_copy(input: Tensor, inplace: bool = False, **arguments: Any) -> Tensor:
    """Threshold that leaves its operand as it was where it is told to work in place."""
    return input.clone() if inplace else F.threshold(input, **arguments)


@fault("agreement", "rrelu")
def rrelu_of_the_least_slope(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, **more: Any) -> Tensor:
    """RReLU whose slope in evaluation is its lower limit."""
    return F.leaky_relu(input, lower)


@fault("random slopes", "rrelu", dtypes=EVERY[:3])
def rrelu_of_two_draws(input: Tensor, seed: int | None = None, **arguments: Any) -> Tensor:
    """RReLU whose gradient is by slopes that are drawn anew."""
    value, slope = (programs.rrelu(input, seed=s, **arguments) for s in (seed, (seed or 0) + 1))
    return with_slope_of(value, slope)


@fault("random slopes", "rrelu", dtypes=EVERY[:3])
def rrelu_past_its_limit(input: Tensor, upper: float = 1 / 3, training: bool = False, **arguments: Any) -> Tensor:
    """RReLU whose slopes are drawn up to twice their upper limit."""
    return programs.rrelu(input, upper=2 * upper if training else upper, training=training, **arguments)


@fault("uniform slopes", "rrelu", dtypes=EVERY[:3])
def rrelu_of_the_upper_half(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, **arguments: Any) -> Tensor:
    """RReLU whose slopes are drawn above the middle of their limits."""
    return programs.rrelu(input, lower=(lower + upper) / 2, upper=upper, **arguments)


@fault("uniform slopes", "rrelu", dtypes=EVERY[:3])
def rrelu_by_vectors(input: Tensor, **arguments: Any) -> Tensor:
    """RReLU that draws one slope for each two elements."""
    ones = -torch.ones_like(input.reshape(-1)[::2])
    slopes = -programs.rrelu(ones, **arguments).repeat_interleave(2)[: input.numel()].view(input.shape)
    return torch.where(input > 0, input, input * slopes)
