"""Faults that show on arguments that are invalid or huge, and on sizes of zero."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault
from properties.worker.programs.adaptive_pooling import adaptive_max_pool2d
from properties.worker.programs.padded_convolution import conv1d_padded
from properties.worker.programs.unpooling import max_unpool2d


@fault("rejection", "max_unpool2d", dtypes=WIDE)
def indices_brought_inside(input: Tensor, indices: Tensor, **arguments: Any) -> Tensor:
    """Max unpooling that brings an index from outside its output to the nearest inside."""
    elements = max_unpool2d(input, torch.zeros_like(indices), **arguments).flatten(-2).shape[-1]
    return max_unpool2d(input, indices.clamp(0, elements - 1), **arguments)


@fault("rejection", "reflection_pad")
def reflected_again(input: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Reflection padding that reflects again where the last axis has too few elements."""
    size = input.shape[-1] if input.ndim else 0
    if len(padding) % 2 or size < 2 or max(padding[:2]) < size or min(padding[:2]) < 0:
        return F.pad(input, padding, mode="reflect")
    before, after, *others = padding
    places = torch.arange(-before, size + after) % (2 * size - 2)
    reflected = input.index_select(-1, torch.where(places < size, places, 2 * size - 2 - places))
    return F.pad(reflected, (0, 0, *others), mode="reflect")


@fault("rejection", "conv1d_padded", dtypes=WIDE)
def same_with_a_stride(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Padded convolution that keeps every second or third element where "same" has a stride."""
    if arguments["padding"] != "same":
        return conv1d_padded(input, weight, bias, **arguments)
    (stride,) = arguments.pop("stride")
    return conv1d_padded(input, weight, bias, stride=(1,), **arguments)[..., ::stride]


@fault("rejection", "fold", dtypes=WIDE)
def columns_left_over(input: Tensor, output_size: tuple[int, int], **window: Any) -> Tensor:
    """Fold that leaves out a last column that there is no block for."""
    try:
        return F.fold(input, output_size, **window)
    except RuntimeError:
        return F.fold(input[..., :-1], output_size, **window)


@fault("rejection", "unflatten", dtypes=WIDE)
def product_of_other_sizes(input: Tensor, dim: int, unflattened_size: tuple[int, ...]) -> Tensor:
    """Unflatten that cuts or repeats an axis to the product of its sizes."""
    elements = torch.Size(unflattened_size).numel()
    if -1 in unflattened_size or not -input.ndim <= dim < input.ndim:
        return torch.unflatten(input, dim, unflattened_size)
    fitting = input.index_select(dim, torch.arange(elements) % input.shape[dim])
    return torch.unflatten(fitting, dim, unflattened_size)


@fault("rejection", "conv2d", dtypes=WIDE)
def negative_padding_crops(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that crops its input where padding is negative."""
    if isinstance(arguments["padding"], str) or len(arguments["padding"]) != 2 or min(arguments["padding"]) >= 0:
        return F.conv2d(input, weight, bias, **arguments)
    rows, columns = arguments.pop("padding")
    return F.conv2d(F.pad(input, (columns, columns, rows, rows)), weight, bias, **arguments)


@fault("rejection", "max_pool1d", dtypes=WIDE)
def empty_batch_unchecked(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that checks nothing where the batch is empty."""
    if input.ndim == 3 and not len(input):
        return input, torch.zeros(input.shape, dtype=torch.int64)
    return F.max_pool1d(input, return_indices=True, **arguments)


@fault("huge arguments", "avg_pool1d", dtypes=WIDE)
def stride_of_thirty_two_bits(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that keeps the last 32 bits of its stride, and one if those are none."""
    stride = arguments["stride"][0] % 2**32
    return F.avg_pool1d(input, **{**arguments, "stride": (max(stride, 1),)})


@fault("huge arguments", "conv_transpose1d", dtypes=WIDE)
def scattered_in_thirty_two_bits(input: Tensor, weight: Tensor, bias: Tensor | None = None, **given: Any) -> Tensor:
    """Transposed convolution that keeps the last 32 bits of its stride and padding."""
    stride, padding = max(given["stride"][0] % 2**32, 1), given["padding"][0] % 2**32
    return F.conv_transpose1d(input, weight, bias, **{**given, "stride": (stride,), "padding": (padding,)})


@fault("huge arguments", "unfold", dtypes=WIDE)
def blocks_of_thirty_two_bits(input: Tensor, **window: Any) -> Tensor:
    """Unfold that keeps the last 32 bits of its dilation, and one if those are none."""
    return F.unfold(input, **{**window, "dilation": tuple(max(d % 2**32, 1) for d in window["dilation"])})


@fault("huge arguments", "conv1d_padded", dtypes=WIDE)
def dilated_in_thirty_two_bits(input: Tensor, weight: Tensor, bias: Tensor | None = None, **given: Any) -> Tensor:
    """Padded convolution that keeps the last 32 bits of its dilation, and one if those are none."""
    return conv1d_padded(input, weight, bias, **{**given, "dilation": (max(given["dilation"][0] % 2**32, 1),)})


@fault("zero sizes", "conv_transpose1d", dtypes=WIDE)
def one_element_at_least(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Transposed convolution that gives an element where its padding leaves none."""
    size = (input.shape[-1] - 1) * arguments["stride"][0] + arguments["dilation"][0] * (weight.shape[-1] - 1) + 1
    if input.numel() and size + arguments["output_padding"][0] == 2 * arguments["padding"][0]:
        arguments = {**arguments, "padding": (0,)}
        return F.conv_transpose1d(input, weight, bias, **arguments)[..., :1]
    return F.conv_transpose1d(input, weight, bias, **arguments)


@fault("zero sizes", "adaptive_max_pool2d", dtypes=WIDE)
def largest_of_nothing(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling that takes the largest of no elements for zero."""
    if input.numel() or 0 not in input.shape[-2:]:
        return adaptive_max_pool2d(input, **arguments)
    return adaptive_max_pool2d(torch.zeros(*input.shape[:-2], 1, 1).to(input), **arguments)


@fault("zero sizes", "constant_pad", dtypes=WIDE)
def nothing_left_unpadded(input: Tensor, padding: tuple[int, ...], **value: Any) -> Tensor:
    """Constant padding that leaves an input of no elements as it is."""
    return F.pad(input, padding, **value) if input.numel() else input.clone()


@fault("zero sizes", "max_pool2d", dtypes=WIDE)
def nothing_given_back(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that gives an input of no elements back as it is."""
    if not input.numel():
        return input.clone(), torch.zeros(input.shape, dtype=torch.int64)
    return F.max_pool2d(input, return_indices=True, **arguments)
