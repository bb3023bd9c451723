"""Faults of power-average pooling, and a pooling that is right."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, correct, fault


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
