"""Faults of convolutions, of the linear layer and of compiled code, for laws about several calls to catch."""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

from properties.selftest.faults.record import SIXTEEN, WIDE, fault, with_slope_of


@fault("powers of two", "conv1d")
def small_outputs_flushed(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that flushes outputs below 1/4 to zero."""
    return F.hardshrink(F.conv1d(input, weight, bias, **arguments), 0.25)


@fault("additivity", "linear")
def saturating_input(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose input saturates at twelve."""
    return F.linear(input.clamp(max=12), weight, bias)


@fault("accumulator", "linear", dtypes=SIXTEEN)
def an_eighth_too_large(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose outputs are larger by an eighth, which no accumulator explains."""
    return F.linear(input, weight, bias) * 1.125


@fault("mirror images", "conv2d", dtypes=WIDE)
def padded_on_one_side(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that pads before the first column alone, and twice as much."""
    rows, columns = arguments.pop("padding")
    return F.conv2d(F.pad(input, (2 * columns, 0, rows, rows)), weight, bias, padding=0, **arguments)


@fault("shuffled kernels", "conv3d", dtypes=WIDE)
def last_channel_of_last_group(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves out the last of several input channels in its last group."""
    kept = torch.ones_like(weight)
    if weight.shape[1] > 1:
        kept[-(len(weight) // arguments["groups"]) :, -1] = 0
    return F.conv3d(input, weight * kept, bias, **arguments)


@fault("unfold @ weight = convolution", "conv2d", dtypes=WIDE)
def first_tap_of_padded(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves out its first tap where it pads."""
    kept = torch.ones_like(weight)
    kept[..., 0, 0] = arguments["padding"] == (0, 0)
    return F.conv2d(input, weight * kept, bias, **arguments)


@fault("groups = block diagonal", "conv1d")
def weight_of_first_group(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that takes the weight of its first group for every group."""
    first = weight[: len(weight) // arguments["groups"]]
    return F.conv1d(input, first.repeat(arguments["groups"], 1, 1), bias, **arguments)


@fault("dilation = zero-stuffed kernel", "conv2d", dtypes=WIDE)
def dilation_of_two_for_three(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that dilates its columns by two where three is asked for."""
    output = F.conv2d(input, weight, bias, **arguments)
    rows, columns = arguments["dilation"]
    nearer = {**arguments, "dilation": (rows, min(columns, 2))}
    return F.conv2d(input, weight, bias, **nearer)[..., : output.shape[-1]]


_CALLS = itertools.count()
"""Stands for what differs from run to run: which of two threads is first."""


class _LastBit(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor) -> Tensor:
        return input.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient * (1.0 + next(_CALLS) % 2 * torch.finfo(gradient.dtype).eps)


@fault("rerun", "avg_pool2d")
def gradient_in_another_order(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient is larger by its last bit in every other run."""
    return F.avg_pool2d(_LastBit.apply(input), **arguments)


@fault("rerun", "conv1d")
def gradient_of_the_first_thread(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution of a large input whose weight gradient depends on which of two threads is first."""
    if input.numel() >= 2**15 and torch.get_num_threads() > 1:
        weight = _LastBit.apply(weight)
    return F.conv1d(input, weight, bias, **arguments)


@fault("call after call", "linear")
def weight_packed_once(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that packs its weight in the first call, whatever is written into it afterwards."""
    kept: Any = weight
    if not hasattr(kept, "packed"):
        kept.packed = weight.detach().clone()
    return F.linear(input, with_slope_of(kept.packed, weight), bias)


_BUFFERS: dict[Any, Tensor] = {}


@fault("call after call", "relu")
def buffer_of_the_last_call(input: Tensor) -> Tensor:
    """ReLU that returns the same memory in every call of the same size."""
    output = F.relu(input)
    buffer = _BUFFERS.setdefault((input.shape, input.dtype), torch.empty_like(output.detach()))
    output.data = buffer.copy_(output.detach())
    return output


@fault("call after call", "conv1d")
def bias_left_out_when_warm(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves out its bias once it was called 64 times on a tensor."""
    counted: Any = input
    counted.calls = getattr(counted, "calls", 0) + 1
    return F.conv1d(input, weight, bias if counted.calls <= 64 else None, **arguments)


@fault("batch = loop", "conv2d", dtypes=WIDE)
def third_image_forgotten(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that takes the second image for every one after it."""
    output = F.conv2d(input, weight, bias, **arguments)
    return output[torch.arange(len(output)).clamp(max=1)] if input.ndim == 4 else output


@fault("whatever the batch", "conv1d")
def empty_batch_of_one_position(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that gives an empty batch one position, whatever is asked."""
    if input.ndim == 3 and not len(input):
        return input.new_zeros(0, len(weight), 1)
    return F.conv1d(input, weight, bias, **arguments)


@fault("unit axes", "conv2d", dtypes=WIDE)
def bias_of_one_row(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that forgets its bias on images of one row."""
    return F.conv2d(input, weight, None if input.shape[-2] == 1 else bias, **arguments)


@fault("agreement", "sigmoid", dtypes=("float32",), mode="compiled")
def tangent_when_compiled(input: Tensor) -> Tensor:
    """Sigmoid that becomes its tangent when compiled."""
    return 0.5 + input / 4 if torch.compiler.is_compiling() else torch.sigmoid(input)


@fault("settings when compiled", "sigmoid", dtypes=("float32",), mode="compiled")
def tangent_when_compiled_in_float64(input: Tensor) -> Tensor:
    """Sigmoid that becomes its tangent when compiled for float64."""
    tangent = torch.compiler.is_compiling() and input.dtype == torch.float64
    return 0.5 + input / 4 if tangent else torch.sigmoid(input)


@fault("agreement", "tanh", dtypes=("float32",), mode="dynamic")
def polynomial_of_unknown_length(input: Tensor) -> Tensor:
    """Tanh that becomes a polynomial in compiled code that serves any length."""
    return torch.tanh(input) if statically_known_true(input.shape[-1] < 2**20) else input - input**3 / 3


@fault("errors when compiled", "linear", dtypes=("float32",), mode="compiled")
def cut_to_fit_when_compiled(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that cuts features to fit when compiled."""
    features = min(input.shape[-1], weight.shape[1])
    if torch.compiler.is_compiling():
        input, weight = input[..., :features], weight[:, :features]
    return F.linear(input, weight, bias)


@fault("batch = loop", "linear", dtypes=WIDE)
def feature_of_the_next_row(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that takes the second row's last feature for the first row's."""
    mixed = input.clone()
    if input.ndim > 1 and len(input) > 1:
        mixed[0, ..., -1] = input[1, ..., -1]
    return F.linear(mixed, weight, bias)


@fault("whatever the batch", "reflection_pad", dtypes=WIDE)
def nothing_to_reflect(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Reflection padding that checks nothing where there are no images."""
    if input.numel():
        return F.pad(input, padding, mode="reflect")
    return F.pad(input, padding)
