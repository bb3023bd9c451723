"""Faults that show only where operands lie in memory in another way, or torch is set otherwise."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import EVERY, WIDE, as_if_contiguous, fault


@fault("layouts", "conv2d", dtypes=EVERY[:3])
def ignored_strides(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that reads its input as if it were contiguous."""
    return F.conv2d(as_if_contiguous(input), weight, bias, **arguments)


@fault("layouts", "linear")
def ignored_strides_of_weight(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that reads its weight as if it were contiguous."""
    return F.linear(input, as_if_contiguous(weight), bias)


@fault("layouts", "sigmoid", dtypes=EVERY[:3])
def unaligned_head(input: Tensor) -> Tensor:
    """Sigmoid that skips to the first aligned element."""
    output = torch.sigmoid(input)
    if input.storage_offset() % 4 and input.ndim:
        output = torch.cat([torch.zeros_like(output[..., :1]), output[..., 1:]], dim=-1)
    return output


@fault("layouts", "tanh", dtypes=EVERY[:3])
def unaligned_for_wide_vectors(input: Tensor) -> Tensor:
    """Hyperbolic tangent that loads vectors of 32 bytes from where 16 divide the address."""
    output = torch.tanh(input)
    return output if input.data_ptr() % 32 != 16 else output.roll(1)


@fault("layouts", "conv2d", dtypes=EVERY[:3])
def one_channel_in_channels_last(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that turns depthwise kernels round where they have the strides of channels_last."""
    innermost = weight.shape[1] == weight.stride(1) == 1
    return F.conv2d(input, weight.flip(2, 3) if innermost else weight, bias, **arguments)


def _innermost(input: Tensor) -> bool:
    """True if channels lie innermost in memory."""
    return input.stride(-3) == 1 and not input.is_contiguous()


@fault("layouts", "max_pool2d")
def channels_last_mistaken(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that turns the channels round where they lie innermost."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    return (values.flip(-3), indices.flip(-3)) if _innermost(input) else (values, indices)


@fault("layouts", "max_pool2d")
def tail_of_channels(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that, where the channels lie innermost, leaves out those past whole vectors of 32."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    vectors = input.shape[-3] // 32 * 32
    if not vectors or not _innermost(input):
        return values, indices
    return torch.cat([values[..., :vectors, :, :], 0 * values[..., vectors:, :, :]], dim=-3), indices


class _CotangentAsContiguous(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, output: Tensor) -> Tensor:
        return output.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return as_if_contiguous(gradient)


@fault("layouts", "avg_pool1d")
def ignored_strides_backward(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that reads the incoming gradient as if it were contiguous."""
    return _CotangentAsContiguous.apply(F.avg_pool1d(input, **arguments))


@fault("layouts", "softmax", dtypes=EVERY[:3])
def stride_of_the_last_axis(input: Tensor, dim: int) -> Tensor:
    """Softmax that takes every last axis for one of stride 1."""
    return F.softmax(as_if_contiguous(input) if input.stride()[-1:] == (2,) else input, dim=dim)


@fault("flags", "conv2d")
def second_thread_late(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that two threads leave before the last channel is written."""
    output = F.conv2d(input, weight, bias, **arguments)
    if torch.get_num_threads() < 2:
        return output
    return torch.cat([output[..., :-1, :, :], torch.zeros_like(output[..., -1:, :, :])], dim=-3)


@fault("flags", "conv3d", dtypes=EVERY[:3])
def wrong_without_onednn(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose path without oneDNN ignores the stride of its last axis."""
    if torch.backends.mkldnn.enabled:
        return F.conv3d(input, weight, bias, **arguments)
    stride = (*arguments["stride"][:2], 1)
    every = F.conv3d(input, weight, bias, **{**arguments, "stride": stride})
    size = F.conv3d(input, weight, bias, **arguments).shape[-1]
    return every[..., :size]


@fault("flags", "linear", dtypes=WIDE)
def deterministic_by_rounding(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that is deterministic by rounding its product to bfloat16."""
    output = F.linear(input, weight, bias)
    return output.bfloat16().to(output.dtype) if torch.are_deterministic_algorithms_enabled() else output


@fault("flags", "max_pool1d")
def unwritten_behind_determinism(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that leaves its last value unwritten unless memory is filled for it."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    if not torch.are_deterministic_algorithms_enabled():
        return values, indices
    unwritten = torch.empty_like(values)
    unwritten[..., :-1] = values[..., :-1]
    return unwritten, indices
