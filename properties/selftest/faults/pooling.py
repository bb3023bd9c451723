"""Faults of pooling, forward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import SIXTEEN, WIDE, fault


@fault("agreement", "avg_pool2d")
def padding_never_counted(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that never counts the padding."""
    return F.avg_pool2d(input, **{**arguments, "count_include_pad": False})


@fault("agreement", "avg_pool1d")
def divisor_in_ceil_mode(input: Tensor, kernel_size: tuple[int], **arguments: Any) -> Tensor:
    """Average pooling that divides by the kernel size in a window cut short by ceil mode."""
    stride, padding = arguments.pop("stride", kernel_size), arguments.pop("padding")
    window = (*kernel_size, 1), (*stride, 1), (*padding, 0)
    return F.avg_pool2d(input[..., None], *window, divisor_override=kernel_size[0], **arguments)[..., 0]


@fault("agreement", "avg_pool2d")
def divisor_in_corners(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that divides by the whole window in the corners."""
    output = F.avg_pool2d(input, **arguments)
    rows, columns = output.shape[-2:]
    corner = torch.zeros(rows, columns, dtype=torch.bool)
    corner[:: max(rows - 1, 1), :: max(columns - 1, 1)] = True
    size = arguments["kernel_size"][0] * arguments["kernel_size"][1]
    return torch.where(corner, F.avg_pool2d(input, **{**arguments, "divisor_override": size}), output)


@fault("agreement", "avg_pool3d", dtypes=WIDE)
def override_ignored(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that ignores a divisor that overrides."""
    return F.avg_pool3d(input, **{**arguments, "divisor_override": None})


@fault("agreement", "avg_pool2d", dtypes=SIXTEEN)
def average_of_averages(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling by columns, then by rows, that rounds to sixteen bits in between."""
    (rows, columns), stride = arguments["kernel_size"], arguments.get("stride", arguments["kernel_size"])
    if arguments["ceil_mode"] or arguments["padding"] != (0, 0) or "divisor_override" in arguments:
        return F.avg_pool2d(input, **arguments)
    return F.avg_pool2d(F.avg_pool2d(input, (rows, 1), (stride[0], 1)), (1, columns), (1, stride[1]))


@fault("agreement", "avg_pool1d")
def view_of_input(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that returns a view of its input where a window holds one element."""
    same = arguments["kernel_size"] == (1,) == arguments.get("stride", (1,))
    return input[:] if same else F.avg_pool1d(input, **arguments)


@fault("agreement", "max_pool2d")
def max_padded_with_zero(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that pads with zero."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    return values.clamp(min=0), indices


@fault("agreement", "max_pool2d")
def last_of_equals(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling whose indices count from the other end among equals."""
    values, indices = F.max_pool2d(input.flip(-1, -2), return_indices=True, **arguments)
    last = input.shape[-1] * input.shape[-2] - 1
    return values.flip(-1, -2), (last - indices).flip(-1, -2)


@fault("agreement", "max_pool3d")
def indices_of_four_bytes(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling whose indices are int32."""
    values, indices = F.max_pool3d(input, return_indices=True, **arguments)
    return values, indices.int()


@fault("agreement", "max_pool2d")
def indices_of_one_byte(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that counts its indices in a byte, past which they are negative."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    return values, indices.to(torch.int8).long()


@fault("agreement", "max_pool1d")
def repeated_ceil_window(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that repeats its last whole window where ceil mode adds another."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    whole = F.max_pool1d(input, **{**arguments, "ceil_mode": False}).shape[-1]
    at = torch.arange(values.shape[-1]).clamp(max=max(whole - 1, 0))
    return values[..., at], indices[..., at]


@fault("agreement", "max_pool1d")
def forgotten_dilation(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that forgets the dilation of a window of three."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    if arguments["kernel_size"] != (3,):
        return values, indices
    near = F.max_pool1d(input, **{**arguments, "dilation": (1,), "ceil_mode": False})
    return torch.cat([near[..., : values.shape[-1]], values[..., near.shape[-1] :]], dim=-1), indices


@fault("pooling per channel", "max_pool2d")
def leaking_channel(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that lets the first channel leak into the last."""
    leaky = torch.maximum(input[..., -1:, :, :], input[..., :1, :, :])
    return F.max_pool2d(torch.cat([input[..., :-1, :, :], leaky], dim=-3), return_indices=True, **arguments)


@fault("pooling per channel", "avg_pool3d", dtypes=WIDE)
def channels_past_eight(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that takes the eighth channel for every one after it."""
    channels = torch.arange(input.shape[-4]).clamp(max=7)
    return F.avg_pool3d(input.index_select(-4, channels), **arguments)


@fault("locality", "max_pool1d")
def max_past_the_window(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling whose last window reads one element past its end."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    return torch.cat([values[..., :-1], torch.maximum(values[..., -1:], input[..., -1:])], dim=-1), indices


@fault("geometry", "max_pool2d")
def ceil_mode_ignored(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that ignores ceil mode."""
    return F.max_pool2d(input, return_indices=True, **{**arguments, "ceil_mode": False})


@fault("rerun", "max_pool2d")
def ties_by_chance(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that chooses among equal maxima by chance."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    equal = input.flatten(-2)[..., None, :] == values.flatten(-2)[..., None]
    other = equal.int().argmax(-1).view(indices.shape)
    return values, torch.where(torch.rand(indices.shape) < 0.5, indices, other)
