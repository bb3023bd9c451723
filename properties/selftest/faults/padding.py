"""Faults of padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


@fault("agreement", "reflection_pad")
def reflection_repeats_edge(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Reflection padding that repeats the edge where it pads the last axis before it."""
    output = F.pad(input, padding, mode="reflect")
    before = padding[0]
    if before < 1:
        return output
    mirrored = output[..., before : 2 * before].flip(-1)
    return torch.cat([mirrored, output[..., before:]], dim=-1) if mirrored.shape[-1] == before else output


@fault("agreement", "circular_pad")
def circle_off_by_one(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Circular padding that starts one element late before the last axis."""
    output = F.pad(input, padding, mode="circular")
    before = max(padding[0], 0)
    return torch.cat([output[..., :before].roll(1, -1), output[..., before:]], dim=-1)


@fault("gradients", "replication_pad", dtypes=WIDE)
def corner_counted_once(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Replication padding whose gradient leaves out what lies before the last axis."""
    output = F.pad(input, padding, mode="replicate")
    inside = torch.arange(output.shape[-1]) >= padding[0]
    return with_slope_of(output, output * inside)


@fault("agreement", "constant_pad")
def constant_on_one_side(input: Tensor, padding: tuple[int, ...], value: float = 0.0) -> Tensor:
    """Constant padding that takes its constant for zero after the last axis."""
    output = F.pad(input, padding, value=value)
    after = max(padding[1], 0)
    return torch.where(torch.arange(output.shape[-1]) < output.shape[-1] - after, output, 0.0)
