"""Faults of activations in pieces."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import fault, with_slope_of


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
