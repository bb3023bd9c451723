"""Faults of activations with exponentials."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


@fault("agreement", "gelu", dtypes=WIDE)
def gelu_by_tanh(input: Tensor, approximate: str = "none") -> Tensor:
    """GELU that takes the approximation by tanh for the function."""
    return F.gelu(input, approximate="tanh")


@fault("agreement", "celu")
def celu_of_one_width(input: Tensor, alpha: float = 1.0) -> Tensor:
    """CELU whose exponential is of x, not of x/α."""
    return F.elu(input, alpha)


@fault("agreement", "selu")
def selu_scaled_on_one_side(input: Tensor) -> Tensor:
    """SELU that scales positive elements alone."""
    return torch.where(input > 0, F.selu(input), F.elu(input, 1.6732632423543772))


@fault("agreement", "softplus")
def softplus_without_a_threshold(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Softplus that ignores its threshold."""
    return F.softplus(input, beta, 60.0)


@fault("agreement", "logsigmoid", dtypes=WIDE)
def log_of_sigmoid(input: Tensor) -> Tensor:
    """Log of a sigmoid."""
    return input.sigmoid().log()


@fault("agreement", "glu")
def glu_of_the_other_half(input: Tensor, dim: int = -1) -> Tensor:
    """GLU whose first half is the gate."""
    first, second = input.chunk(2, dim)
    return second * first.sigmoid()


@fault("gradients", "silu")
def silu_without_the_rule_of_products(input: Tensor) -> Tensor:
    """Gradient of SiLU that takes its sigmoid for a constant."""
    return with_slope_of(F.silu(input), input * input.sigmoid().detach())


@fault("gradients of gradients", "mish")
def mish_of_no_curvature(input: Tensor) -> Tensor:
    """Mish whose slope is a constant to whom differentiates it."""
    given = input.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(F.mish(given).sum(), given)
    return with_slope_of(F.mish(input.detach()), slope * input)


@fault("equal elements", "elu")
def elu_of_another_tail(input: Tensor, **arguments: Any) -> Tensor:
    """ELU that takes NaN for zero behind its last whole vector."""
    whole, y = input.numel() // 16 * 16, F.elu(input, **arguments).flatten()
    return torch.cat([y[:whole], y[whole:].nan_to_num(0.0, torch.inf, -torch.inf)]).view(input.shape)


@fault("agreement", "tanhshrink", dtypes=WIDE)
def tanhshrink_by_exponentials(input: Tensor) -> Tensor:
    """Tanhshrink whose tanh is 1 − 2/(1 + e^2x), which cancels near zero."""
    return input - (1 - 2 / (1 + (2 * input).exp()))


@fault("gradients", "tanhshrink")
def tanhshrink_of_a_constant(input: Tensor) -> Tensor:
    """Gradient of tanhshrink that takes its tanh for a constant."""
    return input - input.tanh().detach()
