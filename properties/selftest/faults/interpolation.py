"""Faults of interpolation."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, as_if_contiguous, fault, with_slope_of


@fault("agreement", "interpolate_nearest")
def nearest_without_a_half(input: Tensor, mode: str = "nearest", **how: Any) -> Tensor:
    """Nearest elements by the corner of an output, not by its middle."""
    return F.interpolate(input, mode="nearest", **how)


@fault("agreement", "interpolate_linear")
def linear_by_sizes(input: Tensor, scale_factor: tuple[float, ...] | None = None, **how: Any) -> Tensor:
    """Linear interpolation whose scale is that of the sizes, whatever the factor."""
    if scale_factor is None:
        return F.interpolate(input, **how)
    how["recompute_scale_factor"] = True
    return F.interpolate(input, scale_factor=scale_factor, **how)


@fault("agreement", "interpolate_linear")
def linear_past_corners(input: Tensor, align_corners: bool = False, **how: Any) -> Tensor:
    """Linear interpolation that never aligns corners."""
    return F.interpolate(input, align_corners=False, **how)


@fault("agreement", "interpolate_bicubic")
def bicubic_of_another_slope(input: Tensor, align_corners: bool = False, **how: Any) -> Tensor:
    """Bicubic interpolation by the filter of antialiasing, with A = −½."""
    if align_corners:
        return F.interpolate(input, align_corners=True, **how)
    return F.interpolate(input.double(), antialias=True, **how).to(input.dtype)


@fault("agreement", "interpolate_antialiased")
def antialiased_by_few_elements(input: Tensor, antialias: bool = True, **how: Any) -> Tensor:
    """Interpolation that takes as few elements for a smaller image as for a larger one."""
    return F.interpolate(input, **how)


@fault("gradients", "interpolate_linear")
def linear_gradient_past_corners(input: Tensor, align_corners: bool = False, **how: Any) -> Tensor:
    """Linear interpolation whose gradient never aligns corners."""
    value = F.interpolate(input.detach(), align_corners=align_corners, **how)
    return with_slope_of(value, F.interpolate(input, align_corners=False, **how))


@fault("gradients", "interpolate_nearest")
def nearest_gradient_of_one(input: Tensor, **how: Any) -> Tensor:
    """Nearest elements whose gradient is that of one position, not of all that take them."""
    y = F.interpolate(input.detach(), **how)
    spread = [max(1, math.ceil(wanted / size)) for wanted, size in zip(y.shape[2:], input.shape[2:], strict=True)]
    return with_slope_of(y, F.interpolate(input, **how) / math.prod(spread))


@fault("layouts", "interpolate_nearest")
def nearest_of_memory(input: Tensor, **how: Any) -> Tensor:
    """Nearest elements of an input's memory, whatever its strides."""
    return with_slope_of(F.interpolate(as_if_contiguous(input.detach()), **how), F.interpolate(input, **how))


@fault("powers of two", "interpolate_linear")
def linear_of_bytes(input: Tensor, **how: Any) -> Tensor:
    """Linear interpolation that rounds to steps of 2⁻¹⁰."""
    y = F.interpolate(input, **how)
    return torch.round(y * 1024.0) / 1024.0


@fault("gradient of moved elements", "interpolate_nearest", dtypes=WIDE)
def nearest_gradient_without_a_half(input: Tensor, mode: str = "nearest", **how: Any) -> Tensor:
    """Nearest elements by the middle of an output, whose gradient goes by its corner."""
    y = F.interpolate(input.detach(), mode=mode, **how)
    return with_slope_of(y, F.interpolate(input, mode="nearest", **how))
