"""Faults of transposed convolutions, padding, unfold and fold."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of
from properties.worker.programs import convolution


@fault("agreement", "conv_transpose2d")
def output_padding_unfilled(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution whose output padding holds zeros, not what taps and bias give."""
    output = F.conv_transpose2d(input, weight, bias, **arguments)
    written = torch.ones(output.shape[-2:], dtype=torch.bool)
    for axis, more in enumerate(arguments["output_padding"]):
        written &= (torch.arange(output.shape[axis - 2]) < output.shape[axis - 2] - more).view(-1, *(1,) * (1 - axis))
    return torch.where(written, output, 0.0)


@fault("geometry", "conv_transpose1d")
def output_padding_ignored(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution that ignores its output padding where it can."""
    possible = input.shape[-1] > 1 or arguments["padding"] == (0,)
    return F.conv_transpose1d(input, weight, bias, **{**arguments, **({"output_padding": (0,)} if possible else {})})


@fault("agreement", "conv_transpose3d")
def groups_reversed(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution of three groups that writes them in reverse."""
    output = F.conv_transpose3d(input, weight, bias, **arguments)
    if arguments["groups"] != 3:
        return output
    return output.unflatten(-4, (3, -1)).flip(-5).flatten(-5, -4)


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


@fault("agreement", "conv2d_padded")
def extra_element_before(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Padded convolution that puts the extra element of an even kernel's "same" before the image."""
    kept = convolution.conv2d_padded(input, weight, bias, **arguments)
    if arguments["padding"] != "same" or arguments["padding_mode"] != "zeros":
        return kept
    return convolution.conv2d_padded(input.flip(-1), weight.flip(-1), bias, **arguments).flip(-1)


@fault("gradients", "replication_pad", dtypes=WIDE)
def corner_counted_once(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Replication padding whose gradient leaves out what lies before the last axis."""
    output = F.pad(input, padding, mode="replicate")
    inside = torch.arange(output.shape[-1]) >= padding[0]
    return with_slope_of(output, output * inside)


@fault("agreement", "fold", dtypes=WIDE)
def fold_overwrites(input: Tensor, output_size: tuple[int, int], **window: Any) -> Tensor:
    """Fold that keeps the last column of those that meet and does not add."""
    places = torch.arange(1, output_size[0] * output_size[1] + 1, dtype=torch.float64).view(1, 1, *output_size)
    where = F.unfold(places, **window).long().view(-1)
    columns = input.unflatten(-2, (-1, where.numel() // input.shape[-1])).flatten(-2)
    kept = torch.zeros(*columns.shape[:-1], places.numel() + 1, dtype=input.dtype)
    for element in range(where.numel()):
        kept[..., where[element]] = columns[..., element]
    return kept[..., 1:].unflatten(-1, output_size)


@fault("agreement", "unfold")
def unfold_interleaves_channels(input: Tensor, **window: Any) -> Tensor:
    """Unfold whose columns have the channels innermost."""
    return F.unfold(input, **window).unflatten(-2, (input.shape[-3], -1)).transpose(-3, -2).flatten(-3, -2)


@fault("agreement", "constant_pad")
def constant_on_one_side(input: Tensor, padding: tuple[int, ...], value: float = 0.0) -> Tensor:
    """Constant padding that takes its constant for zero after the last axis."""
    output = F.pad(input, padding, value=value)
    after = max(padding[1], 0)
    return torch.where(torch.arange(output.shape[-1]) < output.shape[-1] - after, output, 0.0)
